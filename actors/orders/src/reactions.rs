//! The events of inventory and payments, as inputs of the state machine in [`machine`](crate::machine).

use runtime::{Cause, EventEnvelope, InternalError, React, Transitions, Tx};
use subjects::{OrderId, inventory, orders::Failure, payments};

use crate::{
    Orders,
    machine::{Back, Fact, Returns, driver::Moving, out_of_stock},
};

/// An incoming event about an order.
#[derive(Debug)]
pub struct Input {
    pub order_id: OrderId,
    /// `None` where the event changes no order.
    pub fact: Option<Fact>,
    pub cause: Cause,
}

impl React for Orders {
    type Input = Input;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&Input]) -> Result<(), InternalError> {
        let ids = inputs.iter().map(|input| input.order_id);
        let mut orders = Transitions::lock(Moving::default(), tx, ids).await?;
        for Input { order_id, fact, cause } in inputs.iter().copied() {
            let Some(fact) = fact else { continue };
            if !orders.apply(*order_id, fact.clone(), cause) {
                let request_id = &cause.request_id;
                tracing::warn!(%order_id, cause = cause.name, request_id, "event of an unknown order ignored");
            }
        }
        orders.save(tx).await
    }
}

macro_rules! input {
    ($($event:ty: |$envelope:ident| $fact:expr;)+) => {$(
        impl From<EventEnvelope<$event>> for Input {
            fn from($envelope: EventEnvelope<$event>) -> Self {
                Self { order_id: $envelope.message.order_id, fact: $fact, cause: $envelope.cause }
            }
        }
    )+};
}
input! {
    inventory::Reserved: |event| Some(Fact::Reserved);
    inventory::ReservationRejected: |event| Some(Fact::ReservationRejected(out_of_stock()));
    payments::ActionRequired: |event| Some(Fact::ActionRequired);
    payments::Succeeded: |event| Some(Fact::Paid);
    payments::PaymentFailed: |event| Some(Fact::PaymentFailed(within_bounds(&event.message.failure)));
    payments::PaymentCancelled: |event| Some(Fact::PaymentCancelled);
    payments::Refunded: |event| Some(refunded(&event.message, event.version));
    // Events without a total are of an old version, in which no money had moved when a refund failed.
    payments::RefundFailed: |event| {
        let is_full = event.message.is_full;
        event.message.total_returned.map(|total| returned(event.version, is_full, total.amount))
    };
    payments::DisputeLost: |event| {
        Some(returned(event.version, event.message.is_full, event.message.total_returned.amount))
    };
}

/// Limits the provider's text to the size and characters that rows and events allow.
fn within_bounds(failure: &Failure) -> Failure {
    let plain = |text: &str, max: usize| text.chars().filter(|c| !c.is_control()).take(max).collect::<String>();
    Failure { code: plain(&failure.code, 100), message: plain(&failure.message, 500) }
}

fn refunded(event: &payments::Refunded, version: i64) -> Fact {
    let returns = match (event.restock, event.items.is_empty()) {
        (false, _) => Returns::Nothing,
        (true, true) => Returns::Everything,
        (true, false) => Returns::Lines(event.items.iter().map(|item| (item.line_id, item.quantity)).collect()),
    };
    Fact::MoneyBack { back: if event.is_full { Back::All } else { Back::Part }, version, returns }
}

/// The returned amount after an event that restocks no units.
fn returned(version: i64, is_full: bool, total: i64) -> Fact {
    let back = match total {
        _ if is_full => Back::All,
        0 => Back::None,
        _ => Back::Part,
    };
    Fact::MoneyBack { back, version, returns: Returns::Nothing }
}
