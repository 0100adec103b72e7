//! The amount due of an order, for payments. A caller without access gets the same reply as for an unknown order.

use runtime::{Answer, Context, QueryResult};
use subjects::orders::{GetPayable, OrdersError, Payable};

use crate::{Orders, store};

impl Answer<GetPayable> for Orders {
    async fn answer(&self, cx: &Context, query: &GetPayable) -> QueryResult<Payable, OrdersError> {
        let order_id = store::id_of(cx.reads(), &query.order_id).await?.ok_or(OrdersError::OrderNotFound)?;
        let (owner, payable) = store::payable(cx.reads(), order_id).await?.ok_or(OrdersError::OrderNotFound)?;
        if query.is_admin || owner.is_buyer(query.user_id, query.guest) {
            Ok(payable)
        } else {
            Err(OrdersError::OrderNotFound.into())
        }
    }
}
