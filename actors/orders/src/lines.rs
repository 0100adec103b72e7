//! The lines of an order, for payments: their prices, and how many units can be returned.

use runtime::{Answer, Answered, Context};
use subjects::orders::{GetLines, Line, Lines, OrderStatus, OrdersError};

use crate::{Orders, store};

impl Answer<GetLines> for Orders {
    async fn answer(&self, cx: &Context, query: &GetLines) -> Answered<Lines, OrdersError> {
        let (status, lines) = store::lines_of(cx.reads(), query.order_id).await?.ok_or(OrdersError::OrderNotFound)?;
        // No unit is sold before, and the end of an order restocks the units that were not shipped.
        let is_sold = matches!(
            status,
            OrderStatus::Confirmed | OrderStatus::Processing | OrderStatus::Shipped | OrderStatus::Delivered
        );
        let line = |line: store::LineRow| Line {
            line_id: line.id,
            unit_price: line.unit_price,
            quantity: line.quantity,
            returnable: if is_sold { line.quantity - line.returned } else { 0 },
        };
        Ok(Lines { lines: lines.into_iter().map(line).collect() })
    }
}
