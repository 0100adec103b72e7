//! The deadline of an unpaid order: it asks payments to close the payment, and expires nobody by itself.

use chrono::{DateTime, Utc};
use runtime::{Breakage, Commanded, Due, HandleBatch, Handled, Reads, Tx};
use subjects::orders::{ExpiryRequested, OrderStatus, OrdersError, RequestExpiry};

use crate::{
    Orders,
    advance::{Story, lock},
    store,
    story::{Fact, Step, step},
};

impl Due<RequestExpiry> for Orders {
    async fn due(&self, db: Reads<'_>, limit: i64) -> Result<Vec<(DateTime<Utc>, RequestExpiry)>, Breakage> {
        let due = store::due(db, limit).await?;
        Ok(due.into_iter().map(|(at, order_id)| (at, RequestExpiry { order_id })).collect())
    }
}

impl HandleBatch<RequestExpiry> for Orders {
    async fn handle_batch(
        &self,
        tx: &mut Tx<'_>,
        commands: &[&Commanded<RequestExpiry>],
    ) -> Result<Vec<Handled<ExpiryRequested, OrdersError>>, Breakage> {
        let mut orders = lock(tx, commands.iter().map(|command| command.message.order_id)).await?;
        let mut story = Story::default();
        let mut outcomes = Vec::with_capacity(commands.len());
        for command in commands {
            let Some(order) = orders.get_mut(&command.message.order_id) else {
                outcomes.push(Err(OrdersError::OrderNotFound.into()));
                continue;
            };
            let was_pending = order.state.status == OrderStatus::Pending;
            if let Step::Go { next, tells } = step(&order.state, Fact::DeadlinePassed) {
                story.go(order, next, tells, &command.cause, None);
            }
            outcomes.push(Ok(ExpiryRequested { was_pending }));
        }
        story.write(tx, &mut orders).await?;
        Ok(outcomes)
    }
}
