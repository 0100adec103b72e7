//! One order, as the caller sees it.

use std::time::Duration;

use runtime::{Answer, Context, Handled, Stored, secret_digest};
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

/// Finds an order by its id or its number.
pub(crate) async fn find(cx: &Context, id: &str) -> Stored<Option<Record>> {
    let mut connection = cx.db().acquire().await?;
    let Some(id) = store::id_of(&mut *connection, &OrderRef::from(id)).await? else { return Ok(None) };
    store::load(&mut connection, id).await
}

impl Answer<GetOrder> for Orders {
    async fn answer(&self, cx: &Context, query: &GetOrder) -> Handled<Order, OrdersError> {
        let record = find(cx, &query.id).await?.ok_or(OrdersError::OrderNotFound)?;
        let guest = query.cart_token.as_deref().map(secret_digest);
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
