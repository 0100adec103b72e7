//! The stock of one variant.

use runtime::{Answer, Context, Handled};
use subjects::inventory::{GetStock, InventoryError, Stock};

use crate::{Inventory, shelf::Shelf, store};

impl Answer<GetStock> for Inventory {
    async fn answer(&self, cx: &Context, query: &GetStock) -> Handled<Stock, InventoryError> {
        let shelf = store::shelf(cx.db(), query.variant_id.0).await?;
        Ok(shelf.map(Shelf::into_stock).ok_or(InventoryError::VariantNotFound)?)
    }
}
