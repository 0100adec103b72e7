//! One order, as the caller sees it.

use std::time::Duration;

use runtime::{AnswerBatch, Answered, Breakage, Context, Queried, Reads};
use subjects::{
    orders::{GetOrder, Order, OrderRef, OrderStatus, OrdersError},
    payments::{GetAction, PaymentAction},
};

use crate::{
    Orders,
    access::{is_buyer, seen},
    store::{self, Record},
};

/// How long an order that waits for its buyer waits for payments: less than the caller waits for the order.
const ACTION_TIMEOUT: Duration = Duration::from_millis(1500);

impl AnswerBatch<GetOrder> for Orders {
    type Loaded = Option<Record>;

    async fn load(&self, db: Reads<'_>, queries: &[&Queried<GetOrder>]) -> Result<Vec<Option<Record>>, Breakage> {
        let orders: Vec<_> = queries.iter().map(|query| OrderRef::from(query.message.id.as_str())).collect();
        store::find(db, &orders).await
    }

    async fn answer(&self, cx: &Context, _: &GetOrder, record: Option<Record>) -> Answered<Order, OrdersError> {
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

/// What the buyer has to do. Its secret is the provider's, so it is read for each answer and stored in none. The order
/// is shown also where payments or the provider cannot be reached.
async fn action(cx: &Context, order: &Order) -> Option<PaymentAction> {
    match cx.ask_within(&GetAction { order_id: order.id }, ACTION_TIMEOUT).await {
        Ok(pending) => pending.action,
        Err(error) => {
            tracing::warn!(order_id = %order.id, %error, "payment action not available");
            None
        }
    }
}
