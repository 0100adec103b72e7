//! The lines of an order, for payments: their prices, and how many units can be returned.

use runtime::{Answer, Context, QueryResult};
use subjects::{
    Money,
    orders::{GetLines, Line, Lines, OrderStatus, OrdersError},
};

use crate::{Orders, store};

impl Answer<GetLines> for Orders {
    async fn answer(&self, cx: &Context, query: &GetLines) -> QueryResult<Lines, OrdersError> {
        use OrderStatus as S;
        let lines = store::lines_of(cx.reads(), query.order_id).await?;
        if lines.is_empty() {
            return Err(OrdersError::OrderNotFound.into());
        }
        let line = |line: store::LineRow| {
            // No unit is sold before, and the end of an order restocks the units that were not shipped.
            let is_sold = matches!(line.status, S::Confirmed | S::Processing | S::Shipped | S::Delivered);
            Line {
                line_id: line.id,
                unit_price: Money::new(line.unit_price, line.currency),
                quantity: line.quantity,
                paid: Some(Money::new(line.paid, line.currency)),
                returnable: if is_sold { line.quantity - line.returned } else { 0 },
            }
        };
        Ok(Lines { lines: lines.into_iter().map(line).collect() })
    }
}
