//! The buyer, an admin or the seller of every line cancels an order. The order ends at once; a payment that is captured
//! before or after that is refunded.

use contract::{Fields, LineBreaks};
use runtime::{CommandEnvelope, Handle, HandlerResult, Transitions, Tx};
use subjects::orders::{CancelOrder, Order, OrdersError};

use crate::{
    Orders,
    access::{may_cancel, seen},
    machine::{Fact, driver::Moving},
    store,
};

fn validate(command: &CancelOrder) -> Result<(), OrdersError> {
    let mut fields = Fields::default();
    if let Some(reason) = &command.reason {
        fields.text("reason", reason, 0..=500, LineBreaks::Allowed);
    }
    fields.finish().map_err(|fields| OrdersError::InvalidOrder { fields })
}

impl Handle<CancelOrder> for Orders {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<CancelOrder>,
    ) -> HandlerResult<Order, OrdersError> {
        let message = &command.message;
        validate(message)?;
        let guest = command.capability;
        let record = store::load(tx.reads(), message.order_id.clone()).await?.ok_or(OrdersError::OrderNotFound)?;
        // Needs no lock: the buyer and the sellers of an order never change.
        may_cancel(&record.owner, &command.caller, guest)?;
        let id = record.order.id;
        let moving = Moving::cancelled(message.reason.as_deref());
        let mut orders = Transitions::lock(moving, tx, [id]).await?;
        let status = orders.get(id).ok_or(OrdersError::OrderNotFound)?.state.status;
        if !orders.apply(id, Fact::CancelledByPerson, &command.cause) {
            return Err(OrdersError::IllegalTransition { status }.into());
        }
        orders.save(tx).await?;
        tx.flush().await?;
        let record = store::load(tx.reads(), id).await?.ok_or(OrdersError::OrderNotFound)?;
        Ok(seen(record, &command.caller, guest).ok_or(OrdersError::OrderNotFound)?)
    }
}

#[cfg(test)]
mod tests {
    use subjects::{OrderId, orders::OrderRef};

    use super::*;

    #[test]
    fn a_reason_has_bounds() {
        let order_id = OrderRef::from(OrderId::new());
        let cancel = |reason: &str| CancelOrder { order_id: order_id.clone(), reason: Some(reason.into()) };
        assert_eq!(validate(&cancel("changed my mind")), Ok(()));
        for bad in ["x".repeat(501), "\0".into()] {
            let Err(OrdersError::InvalidOrder { fields }) = validate(&cancel(&bad)) else { panic!("{bad:?}") };
            assert_eq!(fields[0].field, "reason");
        }
    }
}
