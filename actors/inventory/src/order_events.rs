//! What inventory does when something happens to an order. The events of an order may come in any order.

use contract::Event;
use runtime::{Breakage, Delivered, ReactBatch, Tx};
use subjects::orders::{Cancelled, Confirmed, Expired, Failed, Placed, Returned};

use crate::{
    Inventory,
    account::{Incoming, Lines, sum},
    reservation::Fact,
    settle::settle,
};

/// Settles events that are all of one type.
async fn settle_all<E: Event>(
    tx: &mut Tx<'_>,
    events: &[&Delivered<E>],
    fact: Fact,
    lines: fn(&E) -> Lines,
) -> Result<(), Breakage> {
    let incoming = |event: &E| Incoming { order: event.entity(), fact, lines: lines(event) };
    let facts: Vec<_> = events.iter().map(|event| incoming(&event.message)).collect();
    let causes: Vec<_> = events.iter().map(|event| &event.cause).collect();
    settle(tx, &facts, &causes).await
}

fn none<E>(_: &E) -> Lines {
    Lines::new()
}

/// Holds all lines of an order, or none.
impl ReactBatch<Placed> for Inventory {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<Placed>]) -> Result<(), Breakage> {
        settle_all(tx, events, Fact::Placed, |placed| {
            sum(placed.items.iter().map(|line| (line.variant_id, line.quantity)))
        })
        .await
    }
}

/// What is held for the order is sold.
impl ReactBatch<Confirmed> for Inventory {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<Confirmed>]) -> Result<(), Breakage> {
        settle_all(tx, events, Fact::Confirmed, |confirmed| {
            sum(confirmed.items.iter().map(|line| (line.variant_id, line.quantity)))
        })
        .await
    }
}

/// What is held for the order can be had again.
impl ReactBatch<Failed> for Inventory {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<Failed>]) -> Result<(), Breakage> {
        settle_all(tx, events, Fact::Failed, none).await
    }
}

/// What is held for the order, or was sold to it, can be had again.
impl ReactBatch<Cancelled> for Inventory {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<Cancelled>]) -> Result<(), Breakage> {
        settle_all(tx, events, Fact::Cancelled, none).await
    }
}

/// What is held for the order can be had again.
impl ReactBatch<Expired> for Inventory {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<Expired>]) -> Result<(), Breakage> {
        settle_all(tx, events, Fact::Expired, none).await
    }
}

/// Units that were sold to the order can be had again.
impl ReactBatch<Returned> for Inventory {
    async fn react_batch(&self, tx: &mut Tx<'_>, events: &[&Delivered<Returned>]) -> Result<(), Breakage> {
        settle_all(tx, events, Fact::Returned, |returned| {
            sum(returned.items.iter().map(|units| (units.variant_id, units.quantity)))
        })
        .await
    }
}
