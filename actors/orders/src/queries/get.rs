//! One order, as the caller sees it.

use std::time::Duration;

use runtime::{AnswerBatch, Context, InternalError, QueryEnvelope, QueryResult, Reads};
use subjects::{
    orders::{GetOrder, Order, OrderRef, OrderStatus, OrdersError},
    payments::{GetAction, PaymentAction},
};

use crate::{
    Orders,
    access::{is_buyer, seen},
    store::{self, Record},
};

/// Timeout of the query to payments. Shorter than that of the order's own query, which must still get its reply.
const ACTION_TIMEOUT: Duration = Duration::from_millis(1500);

impl AnswerBatch<GetOrder> for Orders {
    type Loaded = Option<Record>;

    async fn load(
        &self,
        db: Reads<'_>,
        queries: &[&QueryEnvelope<GetOrder>],
    ) -> Result<Vec<Option<Record>>, InternalError> {
        let orders: Vec<_> = queries.iter().map(|query| OrderRef::from(query.message.id.as_str())).collect();
        store::find(db, &orders).await
    }

    async fn answer(&self, cx: &Context, _: &GetOrder, record: Option<Record>) -> QueryResult<Order, OrdersError> {
        let record = record.ok_or(OrdersError::OrderNotFound)?;
        let guest = cx.capability();
        let awaits_buyer = is_buyer(&record.owner, cx.caller(), guest)
            && record.action_required
            && record.order.status == OrderStatus::Pending;
        let mut order = seen(record, cx.caller(), guest).ok_or(OrdersError::OrderNotFound)?;
        if awaits_buyer {
            order.payment = action(cx, &order).await;
        }
        Ok(order)
    }
}

/// The action that the buyer has to take. It holds the provider's secret, so it is read for each reply and never
/// stored. `None` if payments or the provider is unavailable, so that the order is still returned.
async fn action(cx: &Context, order: &Order) -> Option<PaymentAction> {
    match cx.ask_within(&GetAction { order_id: order.id }, ACTION_TIMEOUT).await {
        Ok(pending) => pending.action,
        Err(error) => {
            let request_id = cx.request_id();
            tracing::warn!(order_id = %order.id, request_id, %error, "payment action not available");
            None
        }
    }
}
