//! The stock ledger of a variant, newest first.

use runtime::{Answer, Context, QueryResult};
use subjects::inventory::{InventoryError, ListMovements, Movements};

use crate::{Inventory, store};

impl Answer<ListMovements> for Inventory {
    async fn answer(&self, cx: &Context, query: &ListMovements) -> QueryResult<Movements, InventoryError> {
        let part = query.page.part("movements").ok_or(InventoryError::InvalidCursor)?;
        let variant = query.variant_id.0;
        let shelf = store::shelf(cx.reads(), variant).await?.ok_or(InventoryError::VariantNotFound)?;
        if !shelf.is_managed_by(cx.caller()) {
            return Err(InventoryError::NotYourVariant.into());
        }
        let counted = store::count_movements(cx.reads(), variant).await?;
        let rows = store::movements(cx.reads(), variant, &part).await?;
        let (rows, pagination) = part.page(rows, counted, |row| row.id);
        Ok(Movements { data: rows.into_iter().map(|row| row.movement).collect(), pagination })
    }
}
