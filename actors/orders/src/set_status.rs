//! A seller or an admin takes an order a step further: processing, shipped, delivered.

use runtime::{Commanded, Handle, Handled, Tx};
use subjects::orders::{Order, OrdersError, SetStatus};

use crate::{
    Orders,
    access::{may_ship, seen},
    advance::{Story, lock},
    store,
    story::{Fact, Step, step},
};

impl Handle<SetStatus> for Orders {
    async fn handle(&self, tx: &mut Tx<'_>, command: &Commanded<SetStatus>) -> Handled<Order, OrdersError> {
        let message = &command.message;
        let id = message.order_id;
        let mut orders = lock(tx, [id].into_iter()).await?;
        let record = store::load(tx.read(), &id.to_string()).await?.ok_or(OrdersError::OrderNotFound)?;
        may_ship(&record.owner, &command.caller)?;
        let order = orders.get_mut(&id).ok_or(OrdersError::OrderNotFound)?;
        if message.expected_version.is_some_and(|expected| expected != order.version) {
            return Err(OrdersError::OrderVersionMismatch.into());
        }
        let Step::Go { next, tells } = step(&order.state, Fact::TakenTo(message.change.status)) else {
            return Err(OrdersError::IllegalTransition { status: order.state.status }.into());
        };
        let mut story = Story::default();
        story.go(order, next, tells, &command.cause, None);
        story.write(tx, &orders).await?;
        let record = store::load(tx.read(), &id.to_string()).await?.ok_or(OrdersError::OrderNotFound)?;
        Ok(seen(record, &command.caller, None).ok_or(OrdersError::OrderNotFound)?)
    }
}
