//! Returned units of order lines.

use runtime::{InternalError, Reads, Writes, columns};
use sqlx::FromRow;
use subjects::{Currency, ItemId, OrderId, VariantId, inventory::Units, orders::OrderStatus};

use crate::machine::Returns;

/// A line of an order, with what a refund of it depends on.
#[derive(Debug, FromRow)]
pub(crate) struct LineRow {
    /// The status of the order.
    pub status: OrderStatus,
    pub currency: Currency,
    pub id: ItemId,
    pub unit_price: i64,
    pub quantity: i64,
    pub paid: i64,
    pub returned: i64,
}

/// The lines of an order, in their order. Every order has lines.
pub(crate) async fn lines_of(db: Reads<'_>, order: OrderId) -> Result<Vec<LineRow>, InternalError> {
    let sql = "select o.status, o.currency, i.id, i.unit_price, i.quantity,
             coalesce(i.paid_amount, i.total_price) as paid, i.returned
         from orders o join order_items i on i.order_id = o.id where o.id = $1 order by i.position";
    Ok(sqlx::query_as(sql).bind(order).fetch_all(db).await?)
}

/// A line of a locked order, with its returned units.
#[derive(Debug, FromRow)]
pub(crate) struct Returnable {
    pub order_id: OrderId,
    position: i32,
    id: ItemId,
    variant_id: VariantId,
    quantity: i64,
    returned: i64,
}

impl Returnable {
    /// Returns units, capped by what is left. `None` if the line is not affected or has nothing left.
    pub(crate) fn give(&mut self, returns: &Returns) -> Option<Units> {
        let requested = match returns {
            Returns::Nothing => 0,
            Returns::Everything => self.quantity,
            Returns::Lines(lines) => {
                lines.iter().filter(|(id, _)| *id == self.id).map(|(_, requested)| requested).sum()
            }
        };
        let quantity = requested.min(self.quantity - self.returned);
        self.returned += quantity.max(0);
        (quantity > 0).then_some(Units { variant_id: self.variant_id, quantity })
    }
}

pub(crate) async fn returnable(db: Reads<'_>, orders: &[OrderId]) -> Result<Vec<Returnable>, InternalError> {
    let sql = "select order_id, position, id, variant_id, quantity, returned from order_items where order_id = any($1)
         order by order_id, position";
    Ok(sqlx::query_as(sql).bind(orders).fetch_all(db).await?)
}

/// Writes the returned units of lines.
pub(crate) async fn set_returned(db: Writes<'_>, lines: &[Returnable]) -> Result<(), InternalError> {
    let sql = "update order_items i set returned = now.returned
         from unnest($1::uuid[], $2::integer[], $3::bigint[]) as now (order_id, position, returned)
         where i.order_id = now.order_id and i.position = now.position and i.returned <> now.returned";
    columns!(sqlx::query(sql), lines, line; line.order_id, line.position, line.returned).execute(db).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_gives_no_more_than_it_has() {
        let (order_id, id, variant_id) = (OrderId::new(), ItemId::new(), VariantId::new());
        let mut line = Returnable { order_id, position: 0, id, variant_id, quantity: 5, returned: 0 };
        let mut give = |returns: Returns| line.give(&returns).map_or(0, |units| units.quantity);
        assert_eq!(give(Returns::Lines(vec![(id, 2)])), 2);
        assert_eq!(give(Returns::Lines(vec![(ItemId::new(), 2)])), 0);
        assert_eq!(give(Returns::Everything), 3);
        assert_eq!((give(Returns::Everything), give(Returns::Lines(vec![(id, 1)]))), (0, 0));
    }
}
