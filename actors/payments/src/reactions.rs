//! What payments hears from orders, as facts of the table in [`story`](crate::story).

use runtime::{Breakage, Delivered, ReactBatch, Tx};
use subjects::{OrderId, orders};

use crate::{
    Payments,
    ids::payment_of,
    ledger::{News, advance},
    story::{Details, Fact},
};

fn news<'a, E>(events: &[&'a Delivered<E>], order: fn(&E) -> OrderId, fact: fn(&E) -> Fact) -> Vec<News<'a>> {
    let one = |event: &&'a Delivered<E>| {
        let order_id = order(&event.message);
        News { payment_id: payment_of(order_id), order_id, fact: fact(&event.message), cause: &event.cause }
    };
    events.iter().map(one).collect()
}

fn due(event: &orders::PaymentDue) -> Fact {
    let details = Details { order_number: event.order_number.clone(), user_id: event.user_id, amount: event.amount };
    Fact::Due { details, method: event.payment_method.clone() }
}

impl ReactBatch<orders::PaymentDue> for Payments {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<orders::PaymentDue>]) -> Result<(), Breakage> {
        advance(tx, self.provider(), news(events, |e| e.order_id, due)).await
    }
}

impl ReactBatch<orders::ExpiryDue> for Payments {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<orders::ExpiryDue>]) -> Result<(), Breakage> {
        advance(tx, self.provider(), news(events, |e| e.order_id, |_| Fact::ExpiryDue)).await
    }
}

impl ReactBatch<orders::Cancelled> for Payments {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<orders::Cancelled>]) -> Result<(), Breakage> {
        let ended = |_: &orders::Cancelled| Fact::OrderEnded { wants_answer: true };
        advance(tx, self.provider(), news(events, |e| e.order_id, ended)).await
    }
}

impl ReactBatch<orders::Failed> for Payments {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<orders::Failed>]) -> Result<(), Breakage> {
        // Who failed was never asked to pay, or has heard the answer: no event is wanted of a payment nobody opened.
        let ended = |_: &orders::Failed| Fact::OrderEnded { wants_answer: false };
        advance(tx, self.provider(), news(events, |e| e.order_id, ended)).await
    }
}

impl ReactBatch<orders::RefundDue> for Payments {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<orders::RefundDue>]) -> Result<(), Breakage> {
        let ended = |_: &orders::RefundDue| Fact::OrderEnded { wants_answer: false };
        advance(tx, self.provider(), news(events, |e| e.order_id, ended)).await
    }
}
