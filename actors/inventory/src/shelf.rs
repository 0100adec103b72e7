//! The stock of one variant, without I/O.

use chrono::{DateTime, Utc};
use runtime::{Caller, Cause, InternalError, Tx, Version};
use subjects::{
    ProductId, VariantId,
    catalog::Offer,
    inventory::{LOCATION, LowStock, Stock, StockChanged},
    roles,
};
use uuid::Uuid;

/// The stock of one variant.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Shelf {
    pub variant_id: Uuid,
    /// `None` in rows older than the column; catalog knows it.
    pub product_id: Option<Uuid>,
    pub sku: String,
    pub seller_id: Uuid,
    pub on_hand: i64,
    pub reserved: i64,
    pub min_stock: i64,
    pub received: i64,
    pub sold: i64,
    pub version: Version,
    pub updated_at: DateTime<Utc>,
}

impl Shelf {
    /// A shelf without units, for which no event was emitted yet.
    pub(crate) fn empty(variant_id: Uuid, sku: String, seller_id: Uuid, at: DateTime<Utc>) -> Self {
        Self {
            variant_id,
            product_id: None,
            sku,
            seller_id,
            on_hand: 0,
            reserved: 0,
            min_stock: 0,
            received: 0,
            sold: 0,
            version: Version::default(),
            updated_at: at,
        }
    }

    /// The empty shelf of a variant that only catalog knows.
    pub(crate) fn of_offer(offer: &Offer, at: DateTime<Utc>) -> Self {
        let empty = Self::empty(offer.variant_id.0, offer.sku.clone(), offer.seller_id.0, at);
        Self { product_id: Some(offer.product_id.0), ..empty }
    }

    /// Units that can be bought.
    pub(crate) fn available(&self) -> i64 {
        self.on_hand - self.reserved
    }

    /// Whether the available units are at or below the minimum. Never, without a minimum.
    pub(crate) fn is_low(&self) -> bool {
        self.min_stock > 0 && self.available() <= self.min_stock
    }

    /// Whether the caller may change the stock and see it in full, with its ledger: its seller, an admin or the system.
    pub(crate) fn is_managed_by(&self, caller: &Caller) -> bool {
        let is_its_seller = caller.has_role(roles::SELLER) && caller.user_id() == Some(self.seller_id);
        *caller == Caller::System || caller.has_role(roles::ADMIN) || is_its_seller
    }

    /// Whether stock has become low since `before`: the warning is emitted once, not for every later sale.
    fn became_low(&self, before: &Self) -> bool {
        self.is_low() && !before.is_low()
    }

    /// Emits the difference to `before`: a warning if stock became low, then the change. In this order, so that a
    /// consumer of changes only always sees the variant's last version.
    pub(crate) fn emit(&mut self, tx: &mut Tx<'_>, cause: &Cause, before: &Self) -> Result<(), InternalError> {
        let variant_id = VariantId(self.variant_id);
        let (sku, available) = (self.sku.clone(), self.available());
        if self.became_low(before) {
            let low = LowStock { variant_id, sku: sku.clone(), available, min_stock: self.min_stock };
            tx.emit(cause, &mut self.version, &low)?;
        }
        let changed = StockChanged { variant_id, sku, on_hand: self.on_hand, reserved: self.reserved, available };
        tx.emit(cause, &mut self.version, &changed)
    }

    /// The stock for its seller and admins.
    pub(crate) fn into_stock(self) -> Stock {
        Stock {
            variant_id: VariantId(self.variant_id),
            product_id: self.product_id.map(ProductId),
            available: self.available(),
            sku: self.sku,
            location: LOCATION.into(),
            on_hand: Some(self.on_hand),
            reserved: Some(self.reserved),
            min_stock: Some(self.min_stock),
            version: Some(self.version.get()),
            updated_at: self.updated_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf(on_hand: i64, min_stock: i64) -> Shelf {
        let empty = Shelf::empty(Uuid::from_u128(1), "A".into(), Uuid::from_u128(2), DateTime::UNIX_EPOCH);
        Shelf { on_hand, received: on_hand, min_stock, ..empty }
    }

    #[test]
    fn only_the_step_to_low_is_worth_a_warning() {
        for (before, after, became_low) in
            [(10, 6, false), (6, 5, true), (10, 0, true), (5, 4, false), (4, 10, false), (5, 5, false)]
        {
            assert_eq!(shelf(after, 5).became_low(&shelf(before, 5)), became_low, "{before} to {after}");
        }
    }

    #[test]
    fn the_public_sees_what_it_can_buy_and_nothing_else() {
        let shown = serde_json::to_value(shelf(10, 5).into_stock().into_public()).unwrap();
        assert_eq!(shown["available"], 10);
        let names: Vec<_> = shown.as_object().unwrap().keys().collect();
        assert_eq!(names, ["available", "location", "sku", "updated_at", "variant_id"]);
    }

    #[test]
    fn without_a_minimum_nothing_is_low() {
        assert!(!shelf(0, 0).is_low());
    }

    #[test]
    fn a_raised_minimum_may_make_it_low() {
        assert!(shelf(10, 20).became_low(&shelf(10, 5)));
    }
}
