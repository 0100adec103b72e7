//! The ledger of a variant, newest first.

use runtime::{Answer, Answered, Context};
use subjects::{
    OrderId, Pagination, VariantId,
    inventory::{InventoryError, ListMovements, Movement, Movements},
};

use crate::{Inventory, store};

impl Answer<ListMovements> for Inventory {
    async fn answer(&self, cx: &Context, query: &ListMovements) -> Answered<Movements, InventoryError> {
        let below = below(query.page.cursor.as_deref())?;
        let variant = query.variant_id.0;
        let shelf = store::shelf(cx.db(), variant).await?.ok_or(InventoryError::VariantNotFound)?;
        if !shelf.is_managed_by(cx.caller()) {
            return Err(InventoryError::NotYourVariant.into());
        }
        let limit = query.page.limit();
        // A cursor says where to go on; nothing is left to skip.
        let offset = if below.is_some() { 0 } else { query.page.offset() };
        let total = store::count_movements(cx.db(), variant).await?;
        let mut rows = store::movements(cx.db(), variant, below, i64::from(limit) + 1, i64::from(offset)).await?;
        let more = rows.len() > limit as usize;
        rows.truncate(limit as usize);
        let next_cursor = rows.last().filter(|_| more).map(|row| row.id.to_string());
        let data = rows.into_iter().map(movement).collect();
        Ok(Movements { data, pagination: Pagination { limit, offset, total, next_cursor } })
    }
}

/// The number below which the page begins.
fn below(cursor: Option<&str>) -> Result<Option<i64>, InventoryError> {
    cursor.map(|text| text.parse().map_err(|_| InventoryError::InvalidCursor)).transpose()
}

fn movement(row: store::MovementRow) -> Movement {
    Movement {
        variant_id: VariantId(row.variant_id),
        reason: row.reason,
        on_hand_delta: row.on_hand_delta,
        reserved_delta: row.reserved_delta,
        order_id: row.order_id.map(OrderId),
        at: row.at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_cursors_are_read() {
        assert_eq!(below(None), Ok(None));
        assert_eq!(below(Some("17")), Ok(Some(17)));
        assert_eq!(below(Some("17; drop")), Err(InventoryError::InvalidCursor));
    }
}
