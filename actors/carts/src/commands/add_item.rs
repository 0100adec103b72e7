//! Adds units to the caller's cart.

use std::collections::{BTreeMap, BTreeSet};

use contract::{Detail, DetailCode};
use runtime::{CommandEnvelope, Context, HandleBatch, HandlerResult, InternalError, Prepare, PrepareError, Tx};
use subjects::{
    ItemId, ProductId, VariantId,
    carts::{AddItem, Cart, CartsError, MAX_LINES, MAX_QUANTITY, NewCartItem},
};
use uuid::Uuid;

use crate::{
    Carts,
    basket::{Basket, Line, accepted, invalid, too_much},
    commands::changing::{change_locked, owners},
    owner::Owner,
    quotes::{Quotes, only_variant},
    store,
};

/// The quotes requested before the cart is locked.
pub struct Quoted {
    variant: Uuid,
    quotes: Quotes,
}

/// The variant that the command names.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Variant(VariantId),
    OnlyOneOf(ProductId),
}

impl Prepare<AddItem> for Carts {
    type Prepared = Quoted;

    /// Only the offer of the new line is required. The other lines are quoted as well, so that the reply has their
    /// current prices and the change accepts them; a line added in the meantime needs no quote.
    async fn prepare(&self, cx: &Context, command: &AddItem) -> Result<Quoted, PrepareError<CartsError>> {
        let wanted = validate(&command.item)?;
        let basket = Basket::read(cx).await?;
        let variant = match wanted {
            Wanted::Variant(variant) => variant,
            Wanted::OnlyOneOf(product) => only_variant(cx, product).await?,
        };
        // The other domains accept as many variants per query as a cart has lines, and no more.
        room_for(&basket, variant.0)?;
        let lines = basket.lines.iter().map(|line| line.variant_id);
        let quotes = Quotes::ask(cx, lines.chain([variant.0])).await?;
        Ok(Quoted { variant: variant.0, quotes })
    }
}

impl HandleBatch<AddItem, Quoted> for Carts {
    async fn handle_batch(
        &self,
        tx: &mut Tx<'_>,
        commands: &[&CommandEnvelope<AddItem, Quoted>],
    ) -> Result<Vec<HandlerResult<Cart, CartsError>>, InternalError> {
        let carts = lock(tx, &owners(commands)).await?;
        change_locked(tx, carts, commands, |basket, command| {
            let Quoted { variant, quotes } = &command.prepared;
            let after = decide(basket, *variant, command.message.item.quantity, quotes)?;
            let shown = after.show(quotes).and_then(accepted).map_err(too_much)?;
            Ok((after, shown))
        })
        .await
    }
}

/// Locks the carts of these owners. A customer without a cart gets an empty one, so that there is a row to lock: an
/// empty cart and an absent one are equivalent.
async fn lock(tx: &mut Tx<'_>, owners: &BTreeSet<Owner>) -> Result<BTreeMap<Owner, Basket>, InternalError> {
    let mut carts = store::lock(tx.locks(), owners).await?;
    let now = tx.now();
    let mut made = BTreeSet::new();
    for owner in owners.iter().filter(|owner| !carts.contains_key(owner)) {
        let Ok(empty) = Basket::of(None, *owner) else { continue };
        store::insert_cart(tx.writes(), &empty, *owner, now).await?;
        made.insert(*owner);
    }
    carts.extend(store::lock(tx.locks(), &made).await?);
    Ok(carts)
}

fn validate(item: &NewCartItem) -> Result<Wanted, CartsError> {
    quantity_in_range(item.quantity)?;
    match (item.variant_id, item.product_id) {
        (Some(variant), None) => Ok(Wanted::Variant(variant)),
        (None, Some(product)) => Ok(Wanted::OnlyOneOf(product)),
        (None, None) => {
            Err(invalid(Detail::new("variant_id", DetailCode::Required, "either variant_id or product_id is required")))
        }
        (Some(_), Some(_)) => {
            Err(invalid(Detail::new("product_id", DetailCode::Conflict, "must not be given together with variant_id")))
        }
    }
}

/// Rejects a quantity that no line can have.
pub(crate) fn quantity_in_range(quantity: i64) -> Result<(), CartsError> {
    if (1..=MAX_QUANTITY).contains(&quantity) {
        return Ok(());
    }
    Err(invalid(Detail::range("quantity", 1, MAX_QUANTITY)))
}

fn room_for(basket: &Basket, variant: Uuid) -> Result<(), CartsError> {
    let is_full = basket.lines.len() >= MAX_LINES && basket.line_of(variant).is_none();
    if is_full { Err(CartsError::CartFull) } else { Ok(()) }
}

/// The cart after the change.
fn decide(basket: &Basket, variant: Uuid, quantity: i64, quotes: &Quotes) -> Result<Basket, CartsError> {
    let offer = quotes.for_sale(variant).ok_or(CartsError::NotForSale)?;
    room_for(basket, variant)?;
    let currency = offer.price.currency;
    if !basket.lines.is_empty() && basket.currency != currency {
        return Err(CartsError::CurrencyMismatch);
    }
    let known = basket.line_of(variant);
    let already = known.map_or(0, |line| line.quantity);
    let sum = already.saturating_add(quantity);
    if sum > MAX_QUANTITY {
        let message = format!("the cart already has {already}; a line has at most {MAX_QUANTITY}");
        return Err(invalid(Detail::new("quantity", DetailCode::Range, message).with("max", MAX_QUANTITY - already)));
    }
    let available = quotes.available(variant);
    if sum > available {
        return Err(CartsError::OutOfStock { available });
    }
    let line = Line::of(known.map_or_else(|| ItemId::new().0, |line| line.id), offer, sum);
    Ok(Basket { currency, ..basket.with(&line) }.accepting(quotes))
}

#[cfg(test)]
mod tests {
    use subjects::Currency;

    use super::*;
    use crate::basket::tests::{basket, offer, quotes};

    fn variant(number: u128) -> Uuid {
        Uuid::from_u128(number)
    }

    fn wants(variant_id: Option<u128>, product_id: Option<u128>, quantity: i64) -> NewCartItem {
        NewCartItem {
            variant_id: variant_id.map(|id| VariantId(variant(id))),
            product_id: product_id.map(|id| ProductId(variant(id))),
            quantity,
        }
    }

    fn field(error: CartsError) -> String {
        let CartsError::InvalidItem { fields } = error else { panic!("{error:?}") };
        fields[0].field.clone()
    }

    #[test]
    fn either_a_variant_or_a_product_is_wanted() {
        assert_eq!(validate(&wants(Some(1), None, 1)), Ok(Wanted::Variant(VariantId(variant(1)))));
        assert_eq!(validate(&wants(None, Some(1), 1)), Ok(Wanted::OnlyOneOf(ProductId(variant(1)))));
        assert_eq!(field(validate(&wants(None, None, 1)).unwrap_err()), "variant_id");
        assert_eq!(field(validate(&wants(Some(1), Some(1), 1)).unwrap_err()), "product_id");
        for quantity in [0, -1, MAX_QUANTITY + 1, i64::MIN] {
            assert_eq!(field(validate(&wants(Some(1), None, quantity)).unwrap_err()), "quantity");
        }
    }

    #[test]
    fn a_new_line_goes_to_the_end_and_counts_a_change() {
        let after = decide(&basket([1]), variant(2), 3, &quotes(&[(2, 40, 9)])).unwrap();
        let line = &after.lines[1];
        assert_eq!((after.version, after.lines.len(), line.quantity), (6, 2, 3));
        assert_eq!((line.unit_amount, line.name.as_str()), (40, "Thing 2"));
    }

    #[test]
    fn units_of_a_variant_that_is_in_the_cart_are_added_to_its_line() {
        let after = decide(&basket([1]), variant(1), 3, &quotes(&[(1, 120, 4)])).unwrap();
        let line = &after.lines[0];
        assert_eq!((after.lines.len(), line.id, line.quantity, line.unit_amount), (1, variant(1), 4, 120));
    }

    #[test]
    fn what_is_in_the_cart_already_counts_against_the_stock_and_the_limit() {
        let short = decide(&basket([1]), variant(1), 3, &quotes(&[(1, 100, 3)]));
        assert_eq!(short.unwrap_err(), CartsError::OutOfStock { available: 3 });
        let long = decide(&basket([1]), variant(1), MAX_QUANTITY, &quotes(&[(1, 100, i64::MAX)]));
        assert_eq!(field(long.unwrap_err()), "quantity");
    }

    #[test]
    fn what_is_not_offered_is_not_for_sale() {
        assert_eq!(decide(&basket([]), variant(1), 1, &Quotes::default()).unwrap_err(), CartsError::NotForSale);
        let mut gone = Quotes::default();
        gone.add(subjects::catalog::Offer { is_active: false, ..offer(1, 100, Currency::USD) }, 5);
        assert_eq!(decide(&basket([]), variant(1), 1, &gone).unwrap_err(), CartsError::NotForSale);
    }

    #[test]
    fn the_first_line_names_the_currency() {
        let mut euros = quotes(&[(1, 100, 5)]);
        euros.add(offer(2, 100, Currency::EUR), 5);
        assert_eq!(decide(&basket([]), variant(2), 1, &euros).unwrap().currency, Currency::EUR);
        assert_eq!(decide(&basket([1]), variant(2), 1, &euros).unwrap_err(), CartsError::CurrencyMismatch);
    }

    #[test]
    fn a_full_cart_takes_more_of_the_same_only() {
        let full = basket(1..=MAX_LINES as u128);
        let quotes = quotes(&[(1, 100, 5), (200, 100, 5)]);
        assert_eq!(decide(&full, variant(200), 1, &quotes).unwrap_err(), CartsError::CartFull);
        assert!(decide(&full, variant(1), 1, &quotes).is_ok());
    }
}
