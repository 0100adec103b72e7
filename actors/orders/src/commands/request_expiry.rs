//! The payment deadline of an order: requests payments to close the payment. The order expires only when that is done.

use chrono::{DateTime, Utc};
use runtime::{CommandEnvelope, DeadlineSource, HandleBatch, HandlerResult, InternalError, Reads, Transitions, Tx};
use subjects::orders::{ExpiryRequested, OrderStatus, OrdersError, RequestExpiry};

use crate::{
    Orders,
    machine::{Fact, driver::Moving},
    store,
};

impl DeadlineSource<RequestExpiry> for Orders {
    async fn due(&self, db: Reads<'_>, limit: i64) -> Result<Vec<(DateTime<Utc>, RequestExpiry)>, InternalError> {
        let due = store::due(db, limit).await?;
        Ok(due.into_iter().map(|(at, order_id)| (at, RequestExpiry { order_id })).collect())
    }
}

impl HandleBatch<RequestExpiry> for Orders {
    async fn handle_batch(
        &self,
        tx: &mut Tx<'_>,
        commands: &[&CommandEnvelope<RequestExpiry>],
    ) -> Result<Vec<HandlerResult<ExpiryRequested, OrdersError>>, InternalError> {
        let ids = commands.iter().map(|command| command.message.order_id);
        let mut orders = Transitions::lock(Moving::default(), tx, ids).await?;
        let mut outcomes = Vec::with_capacity(commands.len());
        for command in commands {
            let id = command.message.order_id;
            outcomes.push(match orders.get(id) {
                Some(order) => Ok(ExpiryRequested { was_pending: order.state.status == OrderStatus::Pending }),
                None => Err(OrdersError::OrderNotFound.into()),
            });
            orders.apply(id, Fact::DeadlinePassed, &command.cause);
        }
        orders.save(tx).await?;
        Ok(outcomes)
    }
}
