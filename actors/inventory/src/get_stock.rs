//! The stock of one variant.

use runtime::{Answer, Context, Handled};
use subjects::inventory::{GetStock, InventoryError, Stock};

use crate::{Inventory, offers, store};

impl Answer<GetStock> for Inventory {
    async fn answer(&self, cx: &Context, query: &GetStock) -> Handled<Stock, InventoryError> {
        let shelf = store::shelf(cx.db(), query.variant_id.0).await?.ok_or(InventoryError::VariantNotFound)?;
        if shelf.is_managed_by(cx.caller()) {
            return Ok(shelf.into_stock());
        }
        // The public is answered as by catalog: what is not for sale does not exist.
        if offers::for_sale(cx, vec![query.variant_id]).await?.is_empty() {
            return Err(InventoryError::VariantNotFound.into());
        }
        Ok(shelf.into_public_stock())
    }
}
