//! The variants whose available units are at or below their minimum, newest first.

use runtime::{Answer, Context, QueryResult};
use subjects::inventory::{InventoryError, ListLowStock, LowStocks};

use crate::{Inventory, offers, shelf::Shelf, store};

impl Answer<ListLowStock> for Inventory {
    async fn answer(&self, cx: &Context, query: &ListLowStock) -> QueryResult<LowStocks, InventoryError> {
        let part = query.page.part("low stock").ok_or(InventoryError::InvalidCursor)?;
        let counted = store::count_low_shelves(cx.reads()).await?;
        let shelves = store::low_shelves(cx.reads(), &part).await?;
        let (mut shelves, pagination) = part.page(shelves, counted, |shelf| shelf.variant_id);
        offers::name_products(cx, &mut shelves).await;
        Ok(LowStocks { data: shelves.into_iter().map(Shelf::into_stock).collect(), pagination })
    }
}
