//! The stock of a product: the sums of the variants that it has in catalog.

use chrono::{DateTime, Utc};
use runtime::{Answer, Context, QueryResult};
use subjects::{
    ProductId,
    catalog::Offers,
    inventory::{GetProductStock, InventoryError, LOCATION, ProductStock, Stock},
};

use crate::{Inventory, offers, shelf::Shelf, store};

impl Answer<GetProductStock> for Inventory {
    async fn answer(&self, cx: &Context, query: &GetProductStock) -> QueryResult<ProductStock, InventoryError> {
        let Offers { offers, at } = offers::of_product(cx, query.product_id).await?;
        let variants: Vec<_> = offers.iter().map(|offer| offer.variant_id.0).collect();
        let mut known = store::shelves(cx.reads(), &variants).await?;
        // Until the event of the product arrives, a variant has no units.
        let shelf = |offer| {
            let empty = Shelf::of_offer(offer, at);
            let product_id = empty.product_id;
            Shelf { product_id, ..known.remove(&offer.variant_id.0).unwrap_or(empty) }
        };
        let shelves: Vec<_> = offers.iter().map(shelf).collect();
        let is_managed = shelves.iter().all(|shelf| shelf.is_managed_by(cx.caller()));
        // As in catalog, a product that is not for sale does not exist for the public.
        if offers.is_empty() || !is_managed && offers.iter().all(|offer| !offer.is_active) {
            return Err(InventoryError::ProductNotFound.into());
        }
        let stocks = shelves.into_iter().map(Shelf::into_stock);
        let stocks = stocks.map(|stock| if is_managed { stock } else { stock.into_public() }).collect();
        Ok(sum(query.product_id, stocks, at))
    }
}

/// The sums of a product's variants; hidden ones if those of its variants are.
fn sum(product_id: ProductId, variants: Vec<Stock>, at: DateTime<Utc>) -> ProductStock {
    ProductStock {
        product_id,
        location: LOCATION.into(),
        on_hand: variants.iter().map(|stock| stock.on_hand).sum(),
        reserved: variants.iter().map(|stock| stock.reserved).sum(),
        available: variants.iter().map(|stock| stock.available).sum(),
        updated_at: variants.iter().map(|stock| stock.updated_at).max().unwrap_or(at),
        variants,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn stock(variant: u128, on_hand: i64, reserved: i64, second: i64) -> Stock {
        let at = DateTime::from_timestamp(second, 0).unwrap();
        let empty = Shelf::empty(Uuid::from_u128(variant), "A".into(), Uuid::nil(), at);
        Shelf { on_hand, reserved, ..empty }.into_stock()
    }

    #[test]
    fn the_units_of_all_variants_are_added() {
        let product = ProductId(Uuid::from_u128(9));
        let sum = sum(product, vec![stock(1, 7, 2, 50), stock(2, 5, 0, 60)], DateTime::UNIX_EPOCH);
        assert_eq!((sum.on_hand, sum.reserved, sum.available), (Some(12), Some(2), 10));
        assert_eq!((sum.updated_at.timestamp(), sum.location.as_str()), (60, "main"));
    }

    #[test]
    fn hidden_units_have_no_sum() {
        let variants = vec![stock(1, 7, 2, 50).into_public(), stock(2, 5, 0, 60).into_public()];
        let sum = sum(ProductId(Uuid::nil()), variants, DateTime::UNIX_EPOCH);
        assert_eq!((sum.on_hand, sum.reserved, sum.available), (None, None, 10));
    }
}
