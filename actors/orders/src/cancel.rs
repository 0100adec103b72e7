//! A person calls an order off. It is final at once; money that is there or comes later goes back.

use runtime::{Commanded, Handle, Handled, Tx, secret_digest};
use subjects::orders::{CancelOrder, Order, OrdersError};

use crate::{
    Orders,
    access::{View, seen, view},
    advance::{Story, lock},
    fields::Problems,
    store,
    story::{Fact, Step, step},
};

fn validate(command: &CancelOrder) -> Result<(), OrdersError> {
    let mut problems = Problems::default();
    if let Some(reason) = &command.reason {
        problems.text("reason", reason, 0, 500, true);
    }
    problems.into_result().map_err(|fields| OrdersError::InvalidOrder { fields })
}

impl Handle<CancelOrder> for Orders {
    async fn handle(&self, tx: &mut Tx<'_>, command: &Commanded<CancelOrder>) -> Handled<Order, OrdersError> {
        let message = &command.message;
        validate(message)?;
        let id = message.order_id;
        let guest = message.cart_token.as_deref().map(secret_digest);
        let mut orders = lock(tx, [id].into_iter()).await?;
        let record = store::load(tx.read(), &id.to_string()).await?.ok_or(OrdersError::OrderNotFound)?;
        match view(&record.owner, &command.caller, guest).ok_or(OrdersError::OrderNotFound)? {
            View::Admin | View::Buyer => {}
            View::Seller(_) => return Err(OrdersError::NotYourOrder.into()),
        }
        let order = orders.get_mut(&id).ok_or(OrdersError::OrderNotFound)?;
        let Step::Go { next, tells } = step(&order.state, Fact::CancelledByPerson) else {
            return Err(OrdersError::IllegalTransition { status: order.state.status }.into());
        };
        let mut story = Story::default();
        story.go(order, next, tells, &command.cause, message.reason.as_deref());
        story.write(tx, &orders).await?;
        let record = store::load(tx.read(), &id.to_string()).await?.ok_or(OrdersError::OrderNotFound)?;
        Ok(seen(record, &command.caller, guest).ok_or(OrdersError::OrderNotFound)?)
    }
}

#[cfg(test)]
mod tests {
    use subjects::OrderId;

    use super::*;

    #[test]
    fn a_reason_has_bounds() {
        let cancel =
            |reason: &str| CancelOrder { order_id: OrderId::new(), cart_token: None, reason: Some(reason.into()) };
        assert_eq!(validate(&cancel("changed my mind")), Ok(()));
        for bad in ["x".repeat(501), "\0".into()] {
            let Err(OrdersError::InvalidOrder { fields }) = validate(&cancel(&bad)) else { panic!("{bad:?}") };
            assert_eq!(fields[0].0, "reason");
        }
    }
}
