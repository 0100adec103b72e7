//! Sets the stock on hand of a variant to a counted value.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use contract::Fields;
use runtime::{
    Caller, CommandEnvelope, Context, HandleBatch, HandleError, HandlerResult, InternalError, Prepare, PrepareError, Tx,
};
use subjects::{
    catalog::Offer,
    inventory::{InventoryError, MAX_ON_HAND, SetStock, Stock, StockCount},
};
use uuid::Uuid;

use crate::{Inventory, machine::account::Entry, offers, shelf::Shelf, store};

/// The variant's offer, if inventory does not know the variant or its product: a product's first stock may be set
/// before the event of the product arrives, and rows older than the column have no product.
type UnknownVariant = Option<Offer>;

impl Prepare<SetStock> for Inventory {
    type Prepared = UnknownVariant;

    async fn prepare(&self, cx: &Context, command: &SetStock) -> Result<UnknownVariant, PrepareError<InventoryError>> {
        validate(&command.count)?;
        let shelf = store::shelf(cx.reads(), command.variant_id.0).await?;
        if shelf.as_ref().is_some_and(|shelf| shelf.product_id.is_some()) {
            return Ok(None);
        }
        let offers = offers::offers(cx, vec![command.variant_id]).await;
        let offer = offers.map(|all| all.into_iter().find(|offer| offer.variant_id == command.variant_id));
        match shelf {
            // A known variant is counted without its product, too.
            Some(_) => Ok(offer.unwrap_or_default()),
            None => Ok(Some(offer?.ok_or(InventoryError::VariantNotFound)?)),
        }
    }
}

impl HandleBatch<SetStock, UnknownVariant> for Inventory {
    /// Takes its locks in the order of `react`: new shelves, then existing shelves.
    async fn handle_batch(
        &self,
        tx: &mut Tx<'_>,
        commands: &[&CommandEnvelope<SetStock, UnknownVariant>],
    ) -> Result<Vec<HandlerResult<Stock, InventoryError>>, InternalError> {
        let now = tx.now();
        let (mut new, mut ids) = (BTreeMap::new(), BTreeSet::new());
        for command in commands {
            ids.insert(command.message.variant_id.0);
            // A rejected command must not create a shelf: the event of the product adds its
            // units only if there is none.
            if let Some(empty) = empty_shelf(command, now)
                && decide(&empty, &command.message, &command.caller).is_ok()
            {
                new.insert(empty.variant_id, empty);
            }
        }
        store::insert_shelves(tx.writes(), &new.values().collect::<Vec<_>>()).await?;
        let mut shelves = store::lock_shelves(tx.locks(), &ids.into_iter().collect::<Vec<_>>()).await?;

        let named = name_products(&mut shelves, commands);
        store::write_products(tx.writes(), &named).await?;

        let (mut outcomes, mut entries, mut changed) = (Vec::new(), Vec::new(), BTreeSet::new());
        for command in commands {
            let Some(shelf) = shelves.get_mut(&command.message.variant_id.0) else {
                // Only a rejected command has no shelf here: shelves are never deleted.
                let rejected =
                    empty_shelf(command, now).and_then(|empty| decide(&empty, &command.message, &command.caller).err());
                outcomes.push(Err(rejected.map_or(HandleError::Stale, HandleError::from)));
                continue;
            };
            let outcome = match decide(shelf, &command.message, &command.caller) {
                Ok(Some(after)) => {
                    let before = std::mem::replace(shelf, Shelf { updated_at: now, ..after });
                    shelf.emit(tx, &command.cause, &before)?;
                    entries.extend(Entry::of_units(&before, shelf, "counted"));
                    changed.insert(shelf.variant_id);
                    tracing::info!(
                        variant_id = %shelf.variant_id,
                        on_hand = shelf.on_hand,
                        request_id = command.cause.request_id,
                        "stock counted"
                    );
                    Ok(shelf.clone().into_stock())
                }
                Ok(None) => Ok(shelf.clone().into_stock()),
                Err(rejected) => Err(rejected.into()),
            };
            outcomes.push(outcome);
        }
        let changed: Vec<_> = changed.iter().filter_map(|variant| shelves.get(variant)).collect();
        store::update_shelves(tx.last_writes(), &changed, now);
        store::insert_movements(tx.last_writes(), &entries, now);
        Ok(outcomes)
    }
}

/// The shelf of a variant that was unknown when the command was prepared.
fn empty_shelf(command: &CommandEnvelope<SetStock, UnknownVariant>, now: DateTime<Utc>) -> Option<Shelf> {
    Some(Shelf::of_offer(command.prepared.as_ref()?, now))
}

/// Sets the products of shelves whose rows are older than the column, for commands that are not rejected: a rejected
/// one writes nothing. Returns these variants with their products.
fn name_products(
    shelves: &mut BTreeMap<Uuid, Shelf>,
    commands: &[&CommandEnvelope<SetStock, UnknownVariant>],
) -> Vec<(Uuid, Uuid)> {
    let mut named = Vec::new();
    for command in commands {
        let Some(offer) = &command.prepared else { continue };
        if let Some(shelf) = shelves.get_mut(&offer.variant_id.0)
            && shelf.product_id.is_none()
            && decide(shelf, &command.message, &command.caller).is_ok()
        {
            shelf.product_id = Some(offer.product_id.0);
            named.push((shelf.variant_id, offer.product_id.0));
        }
    }
    named
}

fn validate(count: &StockCount) -> Result<(), InventoryError> {
    let mut fields = Fields::default();
    fields.range("on_hand", count.on_hand, 0..=MAX_ON_HAND);
    if let Some(min_stock) = count.min_stock.flatten() {
        fields.range("min_stock", min_stock, 0..=MAX_ON_HAND);
    }
    fields.finish().map_err(|fields| InventoryError::InvalidStock { fields })
}

/// The new stock; `None` if nothing changes. Sold units stay sold: a count corrects the received units.
fn decide(before: &Shelf, command: &SetStock, caller: &Caller) -> Result<Option<Shelf>, InventoryError> {
    if !before.is_managed_by(caller) {
        return Err(InventoryError::NotYourVariant);
    }
    if !before.version.is_expected(command.expected_version) {
        return Err(InventoryError::StockVersionMismatch);
    }
    let on_hand = command.count.on_hand;
    if on_hand < before.reserved {
        return Err(InventoryError::BelowReserved { reserved: before.reserved });
    }
    let after = Shelf {
        on_hand,
        // Null removes the minimum, which is stored as 0.
        min_stock: command.count.min_stock.map_or(before.min_stock, Option::unwrap_or_default),
        received: on_hand + before.sold,
        ..before.clone()
    };
    Ok((after != *before).then_some(after))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use runtime::{Identity, Version};
    use subjects::{VariantId, roles};

    use super::*;

    const SELLER: Uuid = Uuid::from_u128(7);

    fn shelf() -> Shelf {
        let empty = Shelf::empty(Uuid::from_u128(1), "A".into(), SELLER, DateTime::UNIX_EPOCH);
        Shelf { on_hand: 10, reserved: 4, received: 13, sold: 3, version: Version::for_test(6), min_stock: 2, ..empty }
    }

    fn caller(id: Uuid, role: &str) -> Caller {
        Caller::User(Identity { id, role: role.into(), version: 1, session: Uuid::nil(), issued_at: 0 })
    }

    fn set(on_hand: i64, min_stock: Option<i64>, expected_version: Option<i64>) -> SetStock {
        let count = StockCount { on_hand, min_stock: min_stock.map(Some) };
        SetStock { variant_id: VariantId(Uuid::from_u128(1)), count, expected_version }
    }

    fn by_seller(command: &SetStock) -> Result<Option<Shelf>, InventoryError> {
        decide(&shelf(), command, &caller(SELLER, roles::SELLER))
    }

    #[test]
    fn a_count_corrects_what_was_received() {
        let after = by_seller(&set(25, None, Some(6))).unwrap().unwrap();
        assert_eq!((after.on_hand, after.received, after.sold, after.reserved), (25, 28, 3, 4));
        let fewer = by_seller(&set(7, None, None)).unwrap().unwrap();
        assert_eq!(fewer.received, 10);
    }

    #[test]
    fn null_takes_the_minimum_away_and_absence_leaves_it() {
        let command = SetStock { count: StockCount { on_hand: 11, min_stock: Some(None) }, ..set(11, None, None) };
        assert_eq!(by_seller(&command).unwrap().unwrap().min_stock, 0);
        assert_eq!(by_seller(&set(11, None, None)).unwrap().unwrap().min_stock, 2);
    }

    #[test]
    fn nothing_changes_where_nothing_differs() {
        assert_eq!(by_seller(&set(10, Some(2), None)), Ok(None));
    }

    #[test]
    fn what_is_reserved_stays_on_the_shelf() {
        assert_eq!(by_seller(&set(3, None, None)), Err(InventoryError::BelowReserved { reserved: 4 }));
        assert!(by_seller(&set(4, None, None)).is_ok());
    }

    #[test]
    fn only_its_seller_and_admins_may_set_it() {
        let stranger = Uuid::from_u128(8);
        let by = |caller: &Caller| decide(&shelf(), &set(11, None, None), caller).map(|after| after.is_some());
        assert_eq!(by(&caller(stranger, roles::SELLER)), Err(InventoryError::NotYourVariant));
        assert_eq!(by(&caller(stranger, roles::ADMIN)), Ok(true));
        assert_eq!(by(&Caller::Anonymous), Err(InventoryError::NotYourVariant));
    }

    #[test]
    fn another_version_is_rejected() {
        assert_eq!(by_seller(&set(11, None, Some(5))), Err(InventoryError::StockVersionMismatch));
    }

    #[test]
    fn values_out_of_range_are_named() {
        let Err(InventoryError::InvalidStock { fields }) =
            validate(&StockCount { on_hand: -1, min_stock: Some(Some(i64::MAX)) })
        else {
            panic!("accepted")
        };
        let names: Vec<_> = fields.iter().map(|wrong| wrong.field.as_str()).collect();
        assert_eq!(names, ["on_hand", "min_stock"]);
        assert_eq!(validate(&StockCount { on_hand: MAX_ON_HAND, min_stock: Some(Some(0)) }), Ok(()));
    }
}
