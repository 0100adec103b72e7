//! Settles a batch of facts about orders: a constant number of statements, however many orders they are about.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use runtime::{Cause, Stored, Tx};
use sqlx::PgConnection;
use subjects::{
    OrderId,
    inventory::{Committed, Released, ReservationRejected, Reserved},
};
use uuid::Uuid;

use crate::{
    account::{Account, Incoming, Reservation, Told, units},
    shelf::Shelf,
    store,
};

/// Locks the reservations of the orders that the facts are about.
pub(crate) async fn lock_reservations(tx: &mut Tx<'_>, facts: &[&Incoming]) -> Stored<BTreeMap<Uuid, Reservation>> {
    let orders: BTreeSet<_> = facts.iter().map(|fact| fact.order).collect();
    if orders.is_empty() {
        return Ok(BTreeMap::new());
    }
    let now = tx.now();
    store::lock_reservations(tx.write(), &orders.into_iter().collect::<Vec<_>>(), now).await
}

/// Settles facts in the order in which they arrived, and emits what follows. `causes` stand beside the facts.
pub(crate) async fn settle(
    tx: &mut Tx<'_>,
    reservations: BTreeMap<Uuid, Reservation>,
    facts: &[&Incoming],
    causes: &[&Cause],
) -> Stored<()> {
    if facts.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let account = Account { reservations, ..Account::default() };
    let (account, before) = book(tx.write(), account, facts, now).await?;
    for (index, order, version, told) in &account.told {
        tell(tx, causes[*index], OrderId(*order), *version, told)?;
    }
    for (variant, index) in &account.touched {
        if let (Some(shelf), Some(before)) = (account.shelves.get(variant), before.get(variant)) {
            shelf.tell(tx, causes[*index], before)?;
        }
    }
    Ok(())
}

/// Locks the shelves in the order of their ids, decides in memory and writes. Returns the books, and the shelves as they
/// were.
async fn book(
    db: &mut PgConnection,
    mut account: Account,
    facts: &[&Incoming],
    now: DateTime<Utc>,
) -> Stored<(Account, BTreeMap<Uuid, Shelf>)> {
    let variants: BTreeSet<_> =
        facts.iter().filter_map(|fact| account.moves(fact)).flat_map(|lines| lines.keys().copied()).collect();
    if !variants.is_empty() {
        account.shelves = store::lock_shelves(&mut *db, &variants.into_iter().collect::<Vec<_>>()).await?;
    }
    let before = account.shelves.clone();

    for (index, fact) in facts.iter().enumerate() {
        account.apply(index, fact);
    }

    for variant in account.touched.keys() {
        if let (Some(shelf), Some(before)) = (account.shelves.get_mut(variant), before.get(variant)) {
            shelf.updated_at = now;
            shelf.number_after(before);
        }
    }
    store::write_account(db, &account, now).await?;
    Ok((account, before))
}

fn tell(tx: &mut Tx<'_>, cause: &Cause, order_id: OrderId, version: i64, told: &Told) -> Stored<()> {
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
