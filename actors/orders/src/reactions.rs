//! What orders hears from inventory and payments, as facts of the table in [`story`](crate::story).

use runtime::{Breakage, Delivered, ReactBatch, Tx};
use subjects::{OrderId, inventory, orders::Failure, payments};

use crate::{
    Orders,
    advance::{News, advance},
    story::{Back, Fact, Returns, out_of_stock},
};

fn news<'a, E>(events: &[&'a Delivered<E>], order: fn(&E) -> OrderId, fact: fn(&E) -> Fact) -> Vec<News<'a>> {
    let one = |event: &&'a Delivered<E>| News {
        order_id: order(&event.message),
        fact: fact(&event.message),
        cause: &event.cause,
    };
    events.iter().map(one).collect()
}

fn money<'a, E>(
    events: &[&'a Delivered<E>],
    order: fn(&E) -> OrderId,
    fact: fn(&Delivered<E>) -> Fact,
) -> Vec<News<'a>> {
    let one =
        |event: &&'a Delivered<E>| News { order_id: order(&event.message), fact: fact(event), cause: &event.cause };
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
        let fact = |event: &Delivered<payments::Refunded>| {
            let payments::Refunded { is_full, items, restock, .. } = &event.message;
            let lines = || items.iter().map(|item| (item.line_id, item.quantity)).collect();
            let returns = match (restock, items.is_empty()) {
                (false, _) => Returns::Nothing,
                (true, true) => Returns::Everything,
                (true, false) => Returns::Lines(lines()),
            };
            Fact::MoneyBack { back: if *is_full { Back::All } else { Back::Part }, version: event.version, returns }
        };
        advance(tx, money(events, |e| e.order_id, fact)).await
    }
}

impl ReactBatch<payments::RefundFailed> for Orders {
    async fn react_batch(
        &self,
        tx: &mut Tx<'_>,
        events: &[&Delivered<payments::RefundFailed>],
    ) -> Result<(), Breakage> {
        // Without a sum it is of a time when only refunds failed that had moved nothing.
        let moved: Vec<_> = events.iter().copied().filter(|event| event.message.total_returned.is_some()).collect();
        let fact = |event: &Delivered<payments::RefundFailed>| {
            let total = event.message.total_returned.map_or(0, |total| total.amount);
            away(event.version, event.message.is_full, total)
        };
        advance(tx, money(&moved, |e| e.order_id, fact)).await
    }
}

impl ReactBatch<payments::DisputeLost> for Orders {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<payments::DisputeLost>]) -> Result<(), Breakage> {
        let fact = |event: &Delivered<payments::DisputeLost>| {
            away(event.version, event.message.is_full, event.message.total_returned.amount)
        };
        advance(tx, money(events, |e| e.order_id, fact)).await
    }
}

/// Where the money stands after an event that returns no units.
fn away(version: i64, is_full: bool, total: i64) -> Fact {
    let back = match total {
        _ if is_full => Back::All,
        0 => Back::None,
        _ => Back::Part,
    };
    Fact::MoneyBack { back, version, returns: Returns::Nothing }
}
