//! The reactions of inventory to events of orders and products. The events of an order may arrive in any order.

use std::collections::{BTreeMap, BTreeSet};

use contract::Event;
use runtime::{Cause, EventEnvelope, InternalError, React, Transitions, Tx};
use subjects::{
    catalog::ProductCreated,
    orders::{Cancelled, Confirmed, Expired, Failed, Placed, Returned},
};

use crate::{
    Inventory,
    create_shelves::create_shelves,
    machine::{
        Fact,
        account::{Account, Incoming, Lines, sum},
    },
    store,
};

/// An incoming event.
#[derive(Debug)]
pub enum Input {
    Product(EventEnvelope<ProductCreated>),
    Order(Incoming, Cause),
}

impl From<EventEnvelope<ProductCreated>> for Input {
    fn from(event: EventEnvelope<ProductCreated>) -> Self {
        Self::Product(event)
    }
}

impl From<EventEnvelope<Placed>> for Input {
    fn from(event: EventEnvelope<Placed>) -> Self {
        let placed = &event.message;
        let lines = sum(placed.items.iter().map(|line| (line.variant_id, line.quantity)));
        let products = placed.items.iter().map(|line| (line.variant_id.0, line.product_id.0)).collect();
        Self::Order(Incoming { order: placed.order_id.0, fact: Fact::Placed, lines, products }, event.cause)
    }
}

macro_rules! input {
    ($($event:ident: |$message:ident| $lines:expr;)+) => {$(
        impl From<EventEnvelope<$event>> for Input {
            fn from(event: EventEnvelope<$event>) -> Self {
                let $message = &event.message;
                let (order, lines, products) = ($message.entity(), $lines, BTreeMap::new());
                Self::Order(Incoming { order, fact: Fact::$event, lines, products }, event.cause)
            }
        }
    )+};
}
input! {
    Confirmed: |confirmed| sum(confirmed.items.iter().map(|line| (line.variant_id, line.quantity)));
    Failed: |failed| Lines::new();
    Cancelled: |cancelled| Lines::new();
    Expired: |expired| Lines::new();
    Returned: |returned| sum(returned.items.iter().map(|units| (units.variant_id, units.quantity)));
}

/// All transactions that change stock take their locks in the same order to avoid deadlocks: reservations, then new
/// shelves, then existing shelves, each sorted by id.
impl React for Inventory {
    type Input = Input;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&Input]) -> Result<(), InternalError> {
        let (mut facts, mut products) = (Vec::new(), Vec::new());
        for input in inputs {
            match input {
                Input::Order(incoming, cause) => facts.push((incoming, cause)),
                Input::Product(event) => products.push(event),
            }
        }
        let orders = facts.iter().map(|(incoming, _)| incoming.order);
        let mut orders = Transitions::lock(Account::default(), tx, orders).await?;
        create_shelves(tx, &products).await?;
        let moved = facts.iter().filter_map(|(incoming, _)| orders.get(incoming.order)?.moves(incoming));
        let variants: BTreeSet<_> = moved.flat_map(|lines| lines.keys().copied()).collect();
        if !variants.is_empty() {
            let variants: Vec<_> = variants.into_iter().collect();
            orders.machine().shelves = store::lock_shelves(tx.locks(), &variants).await?;
        }
        for (incoming, cause) in facts {
            orders.apply(incoming.order, (incoming, cause), cause);
        }
        orders.save(tx).await
    }
}
