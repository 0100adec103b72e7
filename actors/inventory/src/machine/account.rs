//! Applies a batch of order events to reservations and stock, both under lock. The number of statements is constant,
//! whatever the number of orders.

use std::collections::BTreeMap;

use runtime::{Cause, InternalError, Machine, Transition, Tx, Version};
use subjects::{
    OrderId, VariantId,
    inventory::{Committed, Released, ReservationRejected, Reserved, Shortage, Units},
};
use uuid::Uuid;

use crate::{
    machine::{Fact, State, Step, step},
    shelf::Shelf,
    store,
};

/// Units per variant.
pub type Lines = BTreeMap<Uuid, i64>;

/// Sums the lines per variant: an order may name a variant twice.
pub(crate) fn sum(items: impl IntoIterator<Item = (VariantId, i64)>) -> Lines {
    let mut lines = Lines::new();
    for (variant, quantity) in items.into_iter().filter(|(_, quantity)| *quantity > 0) {
        let line = lines.entry(variant.0).or_default();
        *line = line.saturating_add(quantity);
    }
    lines
}

pub(crate) fn units(lines: &Lines) -> Vec<Units> {
    lines.iter().map(|(variant, quantity)| Units { variant_id: VariantId(*variant), quantity: *quantity }).collect()
}

/// The reservation of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub order: Uuid,
    pub state: State,
    /// The input that last changed the state; `None` for `Placed`.
    pub cause: Option<Fact>,
    pub version: Version,
    /// The units that were reserved or sold for the order.
    pub lines: Lines,
    /// The units that were restocked, or will be as soon as they are sold.
    pub returned: Lines,
    /// Whether `lines` or `returned` differ from the stored rows.
    pub has_new_lines: bool,
}

impl Reservation {
    /// A reservation whose lines are not known.
    pub(crate) fn new(order: Uuid, state: State, version: Version) -> Self {
        let (lines, returned) = Default::default();
        Self { order, state, cause: None, version, lines, returned, has_new_lines: false }
    }

    /// The variants whose stock an input may change; their rows must be locked before it is applied.
    pub(crate) fn moves<'a>(&'a self, incoming: &'a Incoming) -> Option<&'a Lines> {
        match step(self.state, incoming.fact) {
            Step::Reserve | Step::CommitUnheld => Some(&incoming.lines),
            Step::Commit | Step::Release | Step::Return | Step::Restock => Some(&self.lines),
            Step::Close | Step::RestockLater | Step::Nothing | Step::Impossible => None,
        }
    }

    fn enter(&mut self, state: State, fact: Fact) {
        self.state = state;
        self.cause = Some(fact).filter(|fact| *fact != Fact::Placed);
    }

    fn hold(&mut self, lines: Lines) {
        self.lines = lines;
        self.has_new_lines = true;
    }

    fn give_back(&mut self, lines: &Lines) {
        for (variant, quantity) in lines {
            *self.returned.entry(*variant).or_default() += quantity;
        }
        self.has_new_lines = true;
    }

    /// The units that are still sold. Meaningful for a committed reservation only.
    fn sold(&self) -> Lines {
        let sold = |(variant, quantity): (&Uuid, &i64)| (*variant, quantity - self.returned_of(*variant));
        self.lines.iter().map(sold).filter(|(_, quantity)| *quantity > 0).collect()
    }

    /// The units of a variant that were reserved or sold for the order.
    pub(crate) fn quantity_of(&self, variant: Uuid) -> i64 {
        self.lines.get(&variant).copied().unwrap_or_default()
    }

    /// The units of a variant that were restocked, or will be as soon as they are sold.
    pub(crate) fn returned_of(&self, variant: Uuid) -> i64 {
        self.returned.get(&variant).copied().unwrap_or_default()
    }
}

/// An input of an order's reservation.
#[derive(Debug, Clone)]
pub struct Incoming {
    pub order: Uuid,
    pub fact: Fact,
    /// Empty if the event names none.
    pub lines: Lines,
    /// The products of the variants, for log lines, if the event names them.
    pub products: BTreeMap<Uuid, Uuid>,
}

/// An entry of the stock ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub variant: Uuid,
    pub reason: &'static str,
    pub on_hand: i64,
    pub reserved: i64,
    pub order: Option<Uuid>,
}

impl Entry {
    /// The entry for units that come or go without an order; `None` if there are none.
    pub(crate) fn of_units(before: &Shelf, after: &Shelf, reason: &'static str) -> Option<Self> {
        let on_hand = after.on_hand - before.on_hand;
        (on_hand != 0).then_some(Self { variant: after.variant_id, reason, on_hand, reserved: 0, order: None })
    }
}

/// An event to emit about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Emitted {
    Reserved(Lines),
    Rejected(Vec<Shortage>),
    Released(Lines),
    Committed(Lines),
}

/// The stock of a variant before the batch changed it.
#[derive(Debug)]
pub(crate) struct Touched<'a> {
    before: Shelf,
    /// The cause of the last input that changed it.
    cause: &'a Cause,
}

/// The stock of one batch, all rows locked, and what is written besides the reservations.
#[derive(Debug, Default)]
pub(crate) struct Account<'a> {
    pub shelves: BTreeMap<Uuid, Shelf>,
    pub touched: BTreeMap<Uuid, Touched<'a>>,
    pub entries: Vec<Entry>,
}

impl<'a> Machine for Account<'a> {
    type Key = Uuid;
    type Entity = Reservation;
    type Input = (&'a Incoming, &'a Cause);
    type Act = Emitted;

    async fn lock(&mut self, tx: &mut Tx<'_>, orders: &[Uuid]) -> Result<BTreeMap<Uuid, Reservation>, InternalError> {
        let now = tx.now();
        store::lock_reservations(tx.writes(), orders, now).await
    }

    /// Decides one input against the balances that the inputs before it left.
    fn transition(&mut self, known: &mut Reservation, (incoming, cause): Self::Input) -> Transition<Emitted> {
        let Incoming { order, fact, lines: requested, .. } = incoming;
        let emitted = match step(known.state, *fact) {
            Step::Reserve => vec![self.reserve(known, incoming, cause)],
            Step::Commit => {
                let lines = known.lines.clone();
                self.book(*order, &lines, cause, "committed", -1, -1);
                known.enter(State::Committed, *fact);
                let early = self.restock_early(known, cause);
                [Emitted::Committed(lines)].into_iter().chain(early).collect()
            }
            Step::CommitUnheld => {
                let taken = self.take_unheld(known, incoming, cause);
                let early = self.restock_early(known, cause);
                [Emitted::Committed(taken)].into_iter().chain(early).collect()
            }
            Step::Release => {
                let lines = known.lines.clone();
                self.book(*order, &lines, cause, "released", 0, -1);
                known.enter(State::Released, *fact);
                vec![Emitted::Released(lines)]
            }
            Step::Return => {
                let lines = known.sold();
                self.book(*order, &lines, cause, "returned", 1, 0);
                known.enter(State::Returned, *fact);
                vec![Emitted::Released(lines)]
            }
            Step::Restock => match self.restock(known, requested, cause) {
                Some(emitted) => vec![emitted],
                None => return Transition::Stay,
            },
            Step::RestockLater => {
                known.give_back(requested);
                Vec::new()
            }
            Step::Close => {
                known.enter(State::Tombstone, *fact);
                Vec::new()
            }
            Step::Nothing => return Transition::Stay,
            Step::Impossible => {
                tracing::error!(order_id = %order, ?fact, state = ?known.state, request_id = cause.request_id,
                    "the end of the order contradicts earlier events, stock unchanged");
                return Transition::Illegal;
            }
        };
        Transition::Changed(emitted)
    }

    fn act(
        &mut self,
        tx: &mut Tx<'_>,
        known: &mut Reservation,
        emitted: Emitted,
        cause: &Cause,
    ) -> Result<(), InternalError> {
        let (order_id, version) = (OrderId(known.order), &mut known.version);
        match emitted {
            Emitted::Reserved(lines) => tx.emit(cause, version, &Reserved { order_id, items: units(&lines) }),
            Emitted::Rejected(shortages) => tx.emit(cause, version, &ReservationRejected { order_id, shortages }),
            Emitted::Released(lines) => tx.emit(cause, version, &Released { order_id, items: units(&lines) }),
            Emitted::Committed(lines) => tx.emit(cause, version, &Committed { order_id, items: units(&lines) }),
        }
    }

    async fn save(&mut self, tx: &mut Tx<'_>, moved: &[&Reservation]) -> Result<(), InternalError> {
        let now = tx.now();
        for (variant, Touched { before, cause }) in &self.touched {
            if let Some(shelf) = self.shelves.get_mut(variant) {
                shelf.updated_at = now;
                shelf.emit(tx, cause, before)?;
            }
        }
        let shelves: Vec<_> = self.touched.keys().filter_map(|variant| self.shelves.get(variant)).collect();
        store::update_shelves(tx.last_writes(), &shelves, now);
        store::write_reservations(tx.last_writes(), moved, now);
        store::insert_movements(tx.last_writes(), &self.entries, now);
        Ok(())
    }
}

impl<'a> Account<'a> {
    /// Reserves all lines, or none.
    fn reserve(&mut self, known: &mut Reservation, incoming: &Incoming, cause: &'a Cause) -> Emitted {
        let Incoming { order, fact, lines, products } = incoming;
        let (order_id, request_id) = (order, &cause.request_id);
        let shortages: Vec<_> = lines
            .iter()
            .map(|(variant, quantity)| (variant, *quantity, self.available(*variant)))
            .filter(|(_, requested, available)| available < requested)
            .map(|(variant, requested, available)| Shortage { variant_id: VariantId(*variant), requested, available })
            .collect();
        if !shortages.is_empty() {
            tracing::info!(%order_id, ?shortages, request_id, "inventory not reserved");
            known.enter(State::Rejected, *fact);
            return Emitted::Rejected(shortages);
        }
        for (variant_id, quantity) in lines {
            let product_id = products.get(variant_id).map(tracing::field::display);
            tracing::info!(%order_id, product_id, %variant_id, quantity, request_id, "inventory reserved");
        }
        self.book(*order, lines, cause, "reserved", 0, 1);
        known.hold(lines.clone());
        known.enter(State::Held, *fact);
        Emitted::Reserved(lines.clone())
    }

    /// Sells the available units. Missing units were reserved or sold for other orders after this database lost the
    /// reservation: they are left out, and an error is logged for an operator.
    fn take_unheld(&mut self, known: &mut Reservation, incoming: &Incoming, cause: &'a Cause) -> Lines {
        let mut taken = incoming.lines.clone();
        for (variant, quantity) in &mut taken {
            let available = self.available(*variant);
            if available < *quantity {
                let (order_id, request_id) = (incoming.order, &cause.request_id);
                tracing::error!(%order_id, variant_id = %variant, quantity, available, request_id,
                    "confirmed order without a reservation is short of stock");
                *quantity = available;
            }
        }
        taken.retain(|_, quantity| *quantity > 0);
        self.book(incoming.order, &taken, cause, "committed", -1, 0);
        known.hold(taken.clone());
        known.enter(State::Committed, incoming.fact);
        taken
    }

    /// Restocks sold units of an order, capped by what it still has. `None` if there is nothing to restock.
    fn restock(&mut self, known: &mut Reservation, lines: &Lines, cause: &'a Cause) -> Option<Emitted> {
        let sold = known.sold();
        let back: Lines = lines
            .iter()
            .map(|(variant, quantity)| (*variant, *quantity.min(sold.get(variant).unwrap_or(&0))))
            .filter(|(_, quantity)| *quantity > 0)
            .collect();
        if back.is_empty() {
            return None;
        }
        known.give_back(&back);
        self.book(known.order, &back, cause, "restocked", 1, 0);
        let state = if known.sold().is_empty() { State::Returned } else { State::Committed };
        known.enter(state, Fact::Returned);
        Some(Emitted::Released(back))
    }

    /// Restocks the units whose return arrived before their sale.
    fn restock_early(&mut self, known: &mut Reservation, cause: &'a Cause) -> Option<Emitted> {
        let early = std::mem::take(&mut known.returned);
        self.restock(known, &early, cause)
    }

    fn available(&self, variant: Uuid) -> i64 {
        self.shelves.get(&variant).map_or(0, Shelf::available)
    }

    /// Adds `on_hand` and `reserved` times the quantity of each line to the balances, with a ledger entry each. Units
    /// that leave `on_hand` are added to `sold`, so that `received` stays equal to `on_hand + sold`.
    fn book(
        &mut self,
        order: Uuid,
        lines: &Lines,
        cause: &'a Cause,
        reason: &'static str,
        on_hand: i64,
        reserved: i64,
    ) {
        for (variant, quantity) in lines {
            let Some(shelf) = self.shelves.get_mut(variant) else {
                tracing::error!(
                    order_id = %order,
                    variant_id = %variant,
                    reason,
                    request_id = cause.request_id,
                    "stock movement of an unknown variant skipped"
                );
                continue;
            };
            self.touched.entry(*variant).or_insert_with(|| Touched { before: shelf.clone(), cause }).cause = cause;
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
        }
    }
}

#[cfg(test)]
mod tests;
