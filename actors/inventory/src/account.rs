//! The books of one batch, in memory: reservations and shelves under lock, and what becomes of them.

use std::collections::{BTreeMap, BTreeSet};

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
pub(crate) type Lines = BTreeMap<Uuid, i64>;

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
    /// Counts the events told about it.
    pub version: i64,
    /// What is held or was taken for it.
    pub lines: Lines,
}

/// What is heard of an order.
#[derive(Debug, Clone)]
pub(crate) struct Incoming {
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
    pub told: Vec<(usize, Uuid, i64, Told)>,
}

impl Account {
    /// The variants that a fact will move; their shelves must be locked before [`apply`](Self::apply).
    pub(crate) fn moves<'a>(&'a self, incoming: &'a Incoming) -> Option<&'a Lines> {
        let known = self.reservations.get(&incoming.order)?;
        match step(known.state, incoming.fact) {
            Step::Reserve | Step::CommitUnheld => Some(&incoming.lines),
            Step::Commit | Step::Release | Step::Return => Some(&known.lines),
            Step::Close | Step::Nothing | Step::Impossible => None,
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
            }
            Step::CommitUnheld => self.commit_unheld(index, incoming),
            Step::Release => {
                let lines = known.lines.clone();
                self.book(index, incoming.order, &lines, "released", 0, -1);
                self.close(index, incoming, State::Released, Some(Told::Released(lines)));
            }
            Step::Return => {
                let lines = known.lines.clone();
                self.book(index, incoming.order, &lines, "returned", 1, 0);
                self.close(index, incoming, State::Returned, Some(Told::Released(lines)));
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
            known.version += 1;
            self.told.push((index, incoming.order, known.version, told));
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    const A: Uuid = Uuid::from_u128(0xA);
    const B: Uuid = Uuid::from_u128(0xB);

    fn account(stock: &[(Uuid, i64)], orders: u128) -> Account {
        let shelf = |(variant, on_hand): &(Uuid, i64)| {
            let empty = Shelf::empty(*variant, "S".into(), Uuid::nil(), DateTime::UNIX_EPOCH);
            (*variant, Shelf { on_hand: *on_hand, received: *on_hand, ..empty })
        };
        let new = Reservation { state: State::New, cause: None, version: 0, lines: Lines::new() };
        Account {
            shelves: stock.iter().map(shelf).collect(),
            reservations: (1..=orders).map(|order| (Uuid::from_u128(order), new.clone())).collect(),
            ..Account::default()
        }
    }

    fn heard(order: u128, fact: Fact, lines: &[(Uuid, i64)]) -> Incoming {
        let lines = sum(lines.iter().map(|(variant, quantity)| (VariantId(*variant), *quantity)));
        Incoming { order: Uuid::from_u128(order), fact, lines }
    }

    fn run(account: &mut Account, facts: &[Incoming]) {
        for (index, incoming) in facts.iter().enumerate() {
            account.apply(index, incoming);
        }
        for shelf in account.shelves.values() {
            assert_eq!(shelf.received, shelf.on_hand + shelf.sold);
            assert!(0 <= shelf.reserved && shelf.reserved <= shelf.on_hand);
        }
    }

    fn balance(account: &Account, variant: Uuid) -> (i64, i64, i64) {
        let shelf = &account.shelves[&variant];
        (shelf.available(), shelf.reserved, shelf.sold)
    }

    fn state(account: &Account, order: u128) -> (State, i64) {
        let known = &account.reservations[&Uuid::from_u128(order)];
        (known.state, known.version)
    }

    #[test]
    fn a_batch_holds_in_the_order_of_arrival_until_nothing_is_left() {
        let mut account = account(&[(A, 5)], 4);
        let facts = [
            heard(1, Fact::Placed, &[(A, 2)]),
            heard(2, Fact::Placed, &[(A, 4)]),
            heard(3, Fact::Placed, &[(A, 3)]),
            heard(4, Fact::Placed, &[(A, 1)]),
        ];
        run(&mut account, &facts);
        let states: Vec<_> = (1..=4).map(|order| state(&account, order).0).collect();
        assert_eq!(states, [State::Held, State::Rejected, State::Held, State::Rejected]);
        assert_eq!(balance(&account, A), (0, 5, 0));
        assert_eq!(account.touched[&A], 2);
        let short =
            |requested, available| Told::Rejected(vec![Shortage { variant_id: VariantId(A), requested, available }]);
        assert_eq!(account.told[1], (1, Uuid::from_u128(2), 1, short(4, 3)));
        assert_eq!(account.told[3].3, short(1, 0));
    }

    #[test]
    fn one_short_line_keeps_every_line_of_the_order_free() {
        let mut account = account(&[(A, 5), (B, 1)], 1);
        run(&mut account, &[heard(1, Fact::Placed, &[(A, 1), (B, 2)])]);
        assert_eq!((balance(&account, A), balance(&account, B)), ((5, 0, 0), (1, 0, 0)));
        assert!(account.entries.is_empty() && account.touched.is_empty());
    }

    #[test]
    fn a_variant_named_twice_is_summed_and_an_unknown_one_is_not_there() {
        let mut account = account(&[(A, 3)], 2);
        run(&mut account, &[heard(1, Fact::Placed, &[(A, 2), (A, 2)]), heard(2, Fact::Placed, &[(B, 1)])]);
        let Told::Rejected(first) = &account.told[0].3 else { panic!("held") };
        assert_eq!((first[0].requested, first[0].available), (4, 3));
        let Told::Rejected(second) = &account.told[1].3 else { panic!("held") };
        assert_eq!((second[0].variant_id, second[0].available), (VariantId(B), 0));
    }

    #[test]
    fn a_story_to_its_end_numbers_its_events_without_a_gap() {
        let mut account = account(&[(A, 5)], 1);
        run(&mut account, &[heard(1, Fact::Placed, &[(A, 2)])]);
        assert_eq!(balance(&account, A), (3, 2, 0));
        run(&mut account, &[heard(1, Fact::Confirmed, &[(A, 2)])]);
        assert_eq!(balance(&account, A), (3, 0, 2));
        run(&mut account, &[heard(1, Fact::Cancelled, &[])]);
        assert_eq!((balance(&account, A), state(&account, 1)), ((5, 0, 0), (State::Returned, 3)));
        let versions: Vec<_> = account.told.iter().map(|(_, _, version, _)| *version).collect();
        assert_eq!(versions, [1, 2, 3]);
        let reasons: Vec<_> =
            account.entries.iter().map(|entry| (entry.reason, entry.on_hand, entry.reserved)).collect();
        assert_eq!(reasons, [("reserved", 0, 2), ("committed", -2, -2), ("returned", 2, 0)]);
    }

    #[test]
    fn an_order_that_ended_before_it_was_placed_holds_nothing_and_tells_nothing() {
        let mut account = account(&[(A, 5)], 1);
        run(&mut account, &[heard(1, Fact::Expired, &[]), heard(1, Fact::Placed, &[(A, 2)])]);
        assert_eq!((balance(&account, A), state(&account, 1)), ((5, 0, 0), (State::Tombstone, 0)));
        assert!(account.told.is_empty());
    }

    #[test]
    fn confirmed_before_placed_sells_what_is_there() {
        let mut account = account(&[(A, 5), (B, 1)], 2);
        let facts = [
            heard(1, Fact::Confirmed, &[(A, 2), (B, 3)]),
            heard(1, Fact::Placed, &[(A, 2), (B, 3)]),
            heard(2, Fact::Confirmed, &[(B, 1)]),
        ];
        run(&mut account, &facts);
        assert_eq!((balance(&account, A), balance(&account, B)), ((3, 0, 2), (0, 0, 1)));
        assert_eq!(account.reservations[&Uuid::from_u128(1)].lines, Lines::from([(A, 2), (B, 1)]));
        assert_eq!(state(&account, 2), (State::Committed, 1));
        run(&mut account, &[heard(1, Fact::Cancelled, &[])]);
        assert_eq!((balance(&account, A), balance(&account, B)), ((5, 0, 0), (1, 0, 0)));
    }

    #[test]
    fn only_what_will_move_is_locked() {
        let mut account = account(&[(A, 5)], 1);
        assert!(account.moves(&heard(1, Fact::Failed, &[])).is_none());
        assert_eq!(account.moves(&heard(1, Fact::Placed, &[(A, 1)])), Some(&Lines::from([(A, 1)])));
        run(&mut account, &[heard(1, Fact::Placed, &[(A, 1)])]);
        assert_eq!(account.moves(&heard(1, Fact::Failed, &[])), Some(&Lines::from([(A, 1)])));
    }
}
