//! The books of one batch, in memory: reservations and shelves under lock, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};

use runtime::Version;
use subjects::{
    VariantId,
    inventory::{Shortage, Units},
};
use uuid::Uuid;

use crate::{
    reservation::{Fact, State, Step, step},
    shelf::Shelf,
};

/// Units per variant.
pub type Lines = BTreeMap<Uuid, i64>;

/// Sums the lines of an order: it may name a variant twice.
pub(crate) fn sum(items: impl IntoIterator<Item = (VariantId, i64)>) -> Lines {
    let mut lines = Lines::new();
    for (variant, quantity) in items.into_iter().filter(|(_, quantity)| *quantity > 0) {
        let line = lines.entry(variant.0).or_default();
        *line = line.saturating_add(quantity);
    }
    lines
}

/// Lines as messages carry them.
pub(crate) fn units(lines: &Lines) -> Vec<Units> {
    lines.iter().map(|(variant, quantity)| Units { variant_id: VariantId(*variant), quantity: *quantity }).collect()
}

/// What is known about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub state: State,
    /// The last event that ended it.
    pub cause: Option<&'static str>,
    pub version: Version,
    /// What is held or was taken for it.
    pub lines: Lines,
    /// What of that is available again, or will be when it is sold.
    pub returned: Lines,
}

impl Reservation {
    /// Units of its lines that are sold, where it is committed.
    fn sold(&self) -> Lines {
        let sold = |(variant, quantity): (&Uuid, &i64)| (*variant, quantity - self.returned_of(*variant));
        self.lines.iter().map(sold).filter(|(_, quantity)| *quantity > 0).collect()
    }

    fn returned_of(&self, variant: Uuid) -> i64 {
        self.returned.get(&variant).copied().unwrap_or_default()
    }
}

/// What is heard of an order.
#[derive(Debug, Clone)]
pub struct Incoming {
    pub order: Uuid,
    pub fact: Fact,
    /// Empty where the fact names none.
    pub lines: Lines,
}

/// A line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub variant: Uuid,
    pub reason: &'static str,
    pub on_hand: i64,
    pub reserved: i64,
    pub order: Option<Uuid>,
}

/// What is to be told about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    Reserved(Lines),
    Rejected(Vec<Shortage>),
    Released(Lines),
    Committed(Lines),
}

/// The books of one batch. Everything in them is under lock.
#[derive(Debug, Default)]
pub(crate) struct Account {
    pub reservations: BTreeMap<Uuid, Reservation>,
    pub shelves: BTreeMap<Uuid, Shelf>,
    /// Orders whose reservation changed.
    pub changed: BTreeSet<Uuid>,
    /// Orders whose lines are new.
    pub lined: BTreeSet<Uuid>,
    pub entries: Vec<Entry>,
    /// The last of the incoming facts that changed a shelf, by variant: its index, the cause of what is told.
    pub touched: BTreeMap<Uuid, usize>,
    /// By the index of the incoming fact.
    pub told: Vec<(usize, Uuid, Told)>,
}

impl Account {
    /// The variants that a fact will move; their shelves must be locked before [`apply`](Self::apply).
    pub(crate) fn moves<'a>(&'a self, incoming: &'a Incoming) -> Option<&'a Lines> {
        let known = self.reservations.get(&incoming.order)?;
        match step(known.state, incoming.fact) {
            Step::Reserve | Step::CommitUnheld => Some(&incoming.lines),
            Step::Commit | Step::Release | Step::Return | Step::Restock => Some(&known.lines),
            Step::Close | Step::RestockLater | Step::Nothing | Step::Impossible => None,
        }
    }

    /// Decides one fact against the balances that the facts before it left. `index` is its place in the batch.
    pub(crate) fn apply(&mut self, index: usize, incoming: &Incoming) {
        let Some(known) = self.reservations.get(&incoming.order) else { return };
        match step(known.state, incoming.fact) {
            Step::Reserve => self.reserve(index, incoming),
            Step::Commit => {
                let lines = known.lines.clone();
                self.book(index, incoming.order, &lines, "committed", -1, -1);
                self.close(index, incoming, State::Committed, Some(Told::Committed(lines)));
                self.restock_early(index, incoming);
            }
            Step::CommitUnheld => self.commit_unheld(index, incoming),
            Step::Release => {
                let lines = known.lines.clone();
                self.book(index, incoming.order, &lines, "released", 0, -1);
                self.close(index, incoming, State::Released, Some(Told::Released(lines)));
            }
            Step::Return => {
                let lines = known.sold();
                self.book(index, incoming.order, &lines, "returned", 1, 0);
                self.close(index, incoming, State::Returned, Some(Told::Released(lines)));
            }
            Step::Restock => self.restock(index, incoming, &incoming.lines),
            Step::RestockLater => {
                let Some(known) = self.reservations.get_mut(&incoming.order) else { return };
                for (variant, quantity) in &incoming.lines {
                    *known.returned.entry(*variant).or_default() += quantity;
                }
                self.lined.insert(incoming.order);
            }
            Step::Close => self.close(index, incoming, State::Tombstone, None),
            Step::Nothing => {}
            Step::Impossible => {
                tracing::error!(order_id = %incoming.order, fact = ?incoming.fact, state = ?known.state,
                    "an order's end contradicts what was told before; its stock stays as it is");
            }
        }
    }

    fn reserve(&mut self, index: usize, incoming: &Incoming) {
        let shortages: Vec<_> = incoming
            .lines
            .iter()
            .map(|(variant, quantity)| (variant, *quantity, self.available(*variant)))
            .filter(|(_, requested, available)| available < requested)
            .map(|(variant, requested, available)| Shortage { variant_id: VariantId(*variant), requested, available })
            .collect();
        if !shortages.is_empty() {
            return self.close(index, incoming, State::Rejected, Some(Told::Rejected(shortages)));
        }
        self.book(index, incoming.order, &incoming.lines, "reserved", 0, 1);
        self.line(incoming.order, incoming.lines.clone());
        self.close(index, incoming, State::Held, Some(Told::Reserved(incoming.lines.clone())));
    }

    /// Takes what is there. What is not there was sold to somebody else after this inventory had lost the reservation:
    /// it cannot be taken from those it is held for now, so it is left out and a person is told.
    fn commit_unheld(&mut self, index: usize, incoming: &Incoming) {
        let mut taken = incoming.lines.clone();
        for (variant, quantity) in &mut taken {
            let available = self.available(*variant);
            if available < *quantity {
                tracing::error!(order_id = %incoming.order, variant_id = %variant, quantity, available,
                    "a confirmed order without a reservation is short of stock");
                *quantity = available;
            }
        }
        taken.retain(|_, quantity| *quantity > 0);
        self.book(index, incoming.order, &taken, "committed", -1, 0);
        self.line(incoming.order, taken.clone());
        self.close(index, incoming, State::Committed, Some(Told::Committed(taken)));
        self.restock_early(index, incoming);
    }

    /// Puts units back that were sold to an order, as far as it still has them.
    fn restock(&mut self, index: usize, incoming: &Incoming, lines: &Lines) {
        let Some(known) = self.reservations.get_mut(&incoming.order) else { return };
        let sold = known.sold();
        let back: Lines = lines
            .iter()
            .map(|(variant, quantity)| (*variant, *quantity.min(sold.get(variant).unwrap_or(&0))))
            .filter(|(_, quantity)| *quantity > 0)
            .collect();
        if back.is_empty() {
            return;
        }
        for (variant, quantity) in &back {
            *known.returned.entry(*variant).or_default() += quantity;
        }
        let state = if known.sold().is_empty() { State::Returned } else { State::Committed };
        self.lined.insert(incoming.order);
        self.book(index, incoming.order, &back, "restocked", 1, 0);
        let returned = Incoming { fact: Fact::Returned, ..incoming.clone() };
        self.close(index, &returned, state, Some(Told::Released(back)));
    }

    /// Puts units back that returned before they were sold: the events came in another order.
    fn restock_early(&mut self, index: usize, incoming: &Incoming) {
        let Some(known) = self.reservations.get_mut(&incoming.order) else { return };
        let early = std::mem::take(&mut known.returned);
        if !early.is_empty() {
            self.restock(index, incoming, &early);
        }
    }

    fn available(&self, variant: Uuid) -> i64 {
        self.shelves.get(&variant).map_or(0, Shelf::available)
    }

    /// Moves lines between shelf, reserved and sold; what leaves the shelf is sold, what comes back is not.
    fn book(&mut self, index: usize, order: Uuid, lines: &Lines, reason: &'static str, on_hand: i64, reserved: i64) {
        for (variant, quantity) in lines {
            let Some(shelf) = self.shelves.get_mut(variant) else {
                tracing::error!(order_id = %order, variant_id = %variant, reason, "stock moves on a shelf that is not known");
                continue;
            };
            let entry = Entry {
                variant: *variant,
                reason,
                on_hand: on_hand * quantity,
                reserved: reserved * quantity,
                order: Some(order),
            };
            shelf.on_hand += entry.on_hand;
            shelf.sold -= entry.on_hand;
            shelf.reserved += entry.reserved;
            self.entries.push(entry);
            self.touched.insert(*variant, index);
        }
    }

    fn line(&mut self, order: Uuid, lines: Lines) {
        if let Some(known) = self.reservations.get_mut(&order) {
            known.lines = lines;
            self.lined.insert(order);
        }
    }

    fn close(&mut self, index: usize, incoming: &Incoming, state: State, told: Option<Told>) {
        let Some(known) = self.reservations.get_mut(&incoming.order) else { return };
        known.state = state;
        known.cause = incoming.fact.cause();
        self.changed.insert(incoming.order);
        if let Some(told) = told {
            self.told.push((index, incoming.order, told));
        }
    }
}

#[cfg(test)]
mod tests;
