//! The events of orders, as inputs of the state machine in [`machine`](crate::machine).

use runtime::{Cause, EventEnvelope, InternalError, React, Tx};
use subjects::{OrderId, orders};

use crate::{
    Payments,
    ids::payment_of,
    machine::{Details, Fact},
};

/// An incoming event about the payment of an order.
#[derive(Debug)]
pub struct Input {
    order_id: OrderId,
    fact: Fact,
    cause: Cause,
}

impl React for Payments {
    type Input = Input;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&Input]) -> Result<(), InternalError> {
        let inputs = inputs
            .iter()
            .map(|Input { order_id, fact, cause }| ((payment_of(*order_id), *order_id), fact.clone(), cause));
        self.advance(tx, inputs.collect()).await
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
    orders::PaymentDue: |event| {
        let orders::PaymentDue { order_number, user_id, amount, payment_method, .. } = event.message;
        Fact::Due { details: Details { order_number, user_id, amount }, method: payment_method }
    };
    orders::ExpiryDue: |event| Fact::ExpiryDue;
    orders::Cancelled: |event| Fact::OrderEnded { wants_answer: true };
    // A failed order requires no event: orders has set its payment status already.
    orders::Failed: |event| Fact::OrderEnded { wants_answer: false };
    orders::RefundDue: |event| Fact::OrderEnded { wants_answer: false };
}
