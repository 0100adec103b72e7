//! What orders hears from inventory and payments, as facts of the table in [`story`](crate::story).

use runtime::{Breakage, Delivered, ReactBatch, Tx};
use subjects::{OrderId, inventory, orders::Failure, payments};

use crate::{
    Orders,
    advance::{News, advance},
    story::{Fact, out_of_stock},
};

fn news<'a, E>(events: &[&'a Delivered<E>], order: fn(&E) -> OrderId, fact: fn(&E) -> Fact) -> Vec<News<'a>> {
    let one = |event: &&'a Delivered<E>| News {
        order_id: order(&event.message),
        fact: fact(&event.message),
        cause: &event.cause,
    };
    events.iter().map(one).collect()
}

/// A decline in the provider's words, within what a row and an event should carry.
fn within_bounds(failure: &Failure) -> Failure {
    let plain = |text: &str, max: usize| text.chars().filter(|c| !c.is_control()).take(max).collect::<String>();
    Failure { code: plain(&failure.code, 100), message: plain(&failure.message, 500) }
}

impl ReactBatch<inventory::Reserved> for Orders {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<inventory::Reserved>]) -> Result<(), Breakage> {
        advance(tx, news(events, |e| e.order_id, |_| Fact::Reserved)).await
    }
}

impl ReactBatch<inventory::ReservationRejected> for Orders {
    async fn react_batch(
        &self,
        tx: &mut Tx<'_>,
        events: &[&Delivered<inventory::ReservationRejected>],
    ) -> Result<(), Breakage> {
        advance(tx, news(events, |e| e.order_id, |_| Fact::ReservationRejected(out_of_stock()))).await
    }
}

impl ReactBatch<payments::ActionRequired> for Orders {
    async fn react_batch(
        &self,
        tx: &mut Tx<'_>,
        events: &[&Delivered<payments::ActionRequired>],
    ) -> Result<(), Breakage> {
        advance(tx, news(events, |e| e.order_id, |_| Fact::ActionRequired)).await
    }
}

impl ReactBatch<payments::Succeeded> for Orders {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<payments::Succeeded>]) -> Result<(), Breakage> {
        advance(tx, news(events, |e| e.order_id, |_| Fact::Paid)).await
    }
}

impl ReactBatch<payments::PaymentFailed> for Orders {
    async fn react_batch(
        &self,
        tx: &mut Tx<'_>,
        events: &[&Delivered<payments::PaymentFailed>],
    ) -> Result<(), Breakage> {
        advance(tx, news(events, |e| e.order_id, |e| Fact::PaymentFailed(within_bounds(&e.failure)))).await
    }
}

impl ReactBatch<payments::PaymentCancelled> for Orders {
    async fn react_batch(
        &self,
        tx: &mut Tx<'_>,
        events: &[&Delivered<payments::PaymentCancelled>],
    ) -> Result<(), Breakage> {
        advance(tx, news(events, |e| e.order_id, |_| Fact::PaymentCancelled)).await
    }
}

impl ReactBatch<payments::Refunded> for Orders {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<payments::Refunded>]) -> Result<(), Breakage> {
        advance(tx, news(events, |e| e.order_id, |e| Fact::Refunded { is_full: e.is_full })).await
    }
}
