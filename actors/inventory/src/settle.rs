//! Settles a batch of facts about orders: a constant number of statements, however many orders they are about.

use std::collections::{BTreeMap, BTreeSet};

use runtime::{Cause, Stored, Tx, Version};
use subjects::{
    OrderId,
    inventory::{Committed, Released, ReservationRejected, Reserved},
};
use uuid::Uuid;

use crate::{
    account::{Account, Incoming, Reservation, Told, units},
    store,
};

/// Locks the reservations of the orders that the facts are about.
pub(crate) async fn lock_reservations(tx: &mut Tx<'_>, facts: &[&Incoming]) -> Stored<BTreeMap<Uuid, Reservation>> {
    let orders: BTreeSet<_> = facts.iter().map(|fact| fact.order).collect();
    if orders.is_empty() {
        return Ok(BTreeMap::new());
    }
    let now = tx.now();
    store::lock_reservations(tx.writes(), &orders.into_iter().collect::<Vec<_>>(), now).await
}

/// Locks the shelves in the order of their ids, settles facts in the order in which they arrived, emits what follows and
/// writes. `causes` stand beside the facts.
pub(crate) async fn settle(
    tx: &mut Tx<'_>,
    reservations: BTreeMap<Uuid, Reservation>,
    facts: &[&Incoming],
    causes: &[&Cause],
) -> Stored<()> {
    if facts.is_empty() {
        return Ok(());
    }
    let mut account = Account { reservations, ..Account::default() };
    let variants: BTreeSet<_> =
        facts.iter().filter_map(|fact| account.moves(fact)).flat_map(|lines| lines.keys().copied()).collect();
    if !variants.is_empty() {
        account.shelves = store::lock_shelves(tx.locks(), &variants.into_iter().collect::<Vec<_>>()).await?;
    }
    let before = account.shelves.clone();

    for (index, fact) in facts.iter().enumerate() {
        account.apply(index, fact);
    }

    let Account { reservations, shelves, touched, told, .. } = &mut account;
    for (index, order, told) in told {
        if let Some(reservation) = reservations.get_mut(order) {
            emit(tx, causes[*index], OrderId(*order), &mut reservation.version, told)?;
        }
    }
    let now = tx.now();
    for (variant, index) in touched {
        if let (Some(shelf), Some(before)) = (shelves.get_mut(variant), before.get(variant)) {
            shelf.updated_at = now;
            shelf.emit(tx, causes[*index], before)?;
        }
    }
    store::write_account(tx.writes(), &account, now).await
}

fn emit(tx: &mut Tx<'_>, cause: &Cause, order_id: OrderId, version: &mut Version, told: &Told) -> Stored<()> {
    match told {
        Told::Reserved(lines) => {
            for (variant_id, quantity) in lines {
                tracing::debug!(%order_id, %variant_id, quantity, "inventory reserved");
            }
            tx.emit(cause, version, &Reserved { order_id, items: units(lines) })
        }
        Told::Rejected(shortages) => {
            tracing::debug!(%order_id, ?shortages, "inventory not reserved");
            tx.emit(cause, version, &ReservationRejected { order_id, shortages: shortages.clone() })
        }
        Told::Released(lines) => tx.emit(cause, version, &Released { order_id, items: units(lines) }),
        Told::Committed(lines) => tx.emit(cause, version, &Committed { order_id, items: units(lines) }),
    }
}
