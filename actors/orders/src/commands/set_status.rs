//! The seller of every line or an admin changes the status of an order to processing, shipped or delivered.

use runtime::{CommandEnvelope, Context, Handle, HandlerResult, InternalError, Prepare, PrepareError, Transitions, Tx};
use subjects::{
    orders::{Order, OrderStatus, OrdersError, SetStatus},
    payments::GetPendingRefund,
};

use crate::{
    Orders,
    access::{may_ship, seen},
    machine::{Fact, driver::Moving},
    store,
};

/// Whether all of the order's money is returned or being refunded. Read for `shipped` only, before the transaction. A
/// refund that is requested after this read counts as later than the shipment.
pub struct RefundPending(bool);

impl Prepare<SetStatus> for Orders {
    type Prepared = RefundPending;

    async fn prepare(&self, cx: &Context, command: &SetStatus) -> Result<RefundPending, PrepareError<OrdersError>> {
        if command.change.status != OrderStatus::Shipped {
            return Ok(RefundPending(false));
        }
        let order_id = store::id_of(cx.reads(), &command.order_id).await?.ok_or(OrdersError::OrderNotFound)?;
        let pending = cx.ask(&GetPendingRefund { order_id }).await.map_err(InternalError::from)?;
        Ok(RefundPending(pending.is_full))
    }
}

impl Handle<SetStatus, RefundPending> for Orders {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<SetStatus, RefundPending>,
    ) -> HandlerResult<Order, OrdersError> {
        let message = &command.message;
        let record = store::load(tx.reads(), message.order_id.clone()).await?.ok_or(OrdersError::OrderNotFound)?;
        // Needs no lock: the buyer and the sellers of an order never change.
        may_ship(&record.owner, &command.caller)?;
        let id = record.order.id;
        let mut orders = Transitions::lock(Moving::default(), tx, [id]).await?;
        let order = orders.get(id).ok_or(OrdersError::OrderNotFound)?;
        if !order.version.is_expected(message.expected_version) {
            return Err(OrdersError::OrderVersionMismatch.into());
        }
        let status = order.state.status;
        if !orders.apply(id, Fact::TakenTo(message.change.status), &command.cause) {
            return Err(OrdersError::IllegalTransition { status }.into());
        }
        if command.prepared.0 {
            return Err(OrdersError::RefundPending.into());
        }
        orders.save(tx).await?;
        tx.flush().await?;
        let record = store::load(tx.reads(), id).await?.ok_or(OrdersError::OrderNotFound)?;
        Ok(seen(record, &command.caller, None).ok_or(OrdersError::OrderNotFound)?)
    }
}
