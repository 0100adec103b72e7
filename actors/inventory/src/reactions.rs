//! What inventory does when something happens to an order or a product. The events of an order may come in any order.

use contract::Event;
use runtime::{Breakage, Cause, Delivered, React, Tx};
use subjects::{
    catalog::ProductCreated,
    orders::{Cancelled, Confirmed, Expired, Failed, Placed, Returned},
};

use crate::{
    Inventory,
    account::{Incoming, Lines, sum},
    create_shelves::create_shelves,
    reservation::Fact,
    settle::{lock_reservations, settle},
};

/// What an event means here.
#[derive(Debug)]
pub enum Input {
    Product(Delivered<ProductCreated>),
    Order(Incoming, Cause),
}

impl From<Delivered<ProductCreated>> for Input {
    fn from(event: Delivered<ProductCreated>) -> Self {
        Self::Product(event)
    }
}

macro_rules! input {
    ($($event:ident: |$message:ident| $lines:expr;)+) => {$(
        impl From<Delivered<$event>> for Input {
            fn from(event: Delivered<$event>) -> Self {
                let $message = &event.message;
                let (order, lines) = ($message.entity(), $lines);
                Self::Order(Incoming { order, fact: Fact::$event, lines }, event.cause)
            }
        }
    )+};
}
input! {
    Placed: |placed| sum(placed.items.iter().map(|line| (line.variant_id, line.quantity)));
    Confirmed: |confirmed| sum(confirmed.items.iter().map(|line| (line.variant_id, line.quantity)));
    Failed: |failed| Lines::new();
    Cancelled: |cancelled| Lines::new();
    Expired: |expired| Lines::new();
    Returned: |returned| sum(returned.items.iter().map(|units| (units.variant_id, units.quantity)));
}

/// All transactions that change stock take their locks in one order, so that none waits for another in a circle: first
/// reservations, then shelves that are new, then shelves that exist; each sorted by id.
impl React for Inventory {
    type Input = Input;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&Input]) -> Result<(), Breakage> {
        let (mut facts, mut causes, mut products): (Vec<_>, Vec<_>, Vec<_>) = Default::default();
        for input in inputs {
            match input {
                Input::Order(incoming, cause) => {
                    facts.push(incoming);
                    causes.push(cause);
                }
                Input::Product(event) => products.push(event),
            }
        }
        let reservations = lock_reservations(tx, &facts).await?;
        create_shelves(tx, &products).await?;
        settle(tx, reservations, &facts, &causes).await
    }
}
