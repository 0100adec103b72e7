//! The history of an order's transitions.

use runtime::{Answer, Context, QueryResult};
use subjects::orders::{GetHistory, History, OrdersError};

use crate::{Orders, access::view, store};

impl Answer<GetHistory> for Orders {
    async fn answer(&self, cx: &Context, query: &GetHistory) -> QueryResult<History, OrdersError> {
        let record = store::load(cx.reads(), query.id.as_str()).await?.ok_or(OrdersError::OrderNotFound)?;
        let guest = cx.capability();
        view(&record.owner, cx.caller(), guest).ok_or(OrdersError::OrderNotFound)?;
        Ok(History { data: store::history(cx.reads(), record.order.id).await? })
    }
}
