//! The tables of inventory.

mod movements;
mod reservations;
mod shelves;

pub(crate) use movements::{MovementRow, count_movements, insert_movements, movements};
pub(crate) use reservations::{lock_reservations, write_account};
pub(crate) use shelves::{available, insert_shelves, lock_shelves, set_shelf, shelf};

use runtime::Stored;
use sqlx::PgConnection;

/// Waits until no other transaction changes stock; lasts until the end of this one. To be taken before any row.
///
/// A batch may hold events of several types, each settled by itself and each locking shelves in the order of their ids:
/// two such transactions would lock in opposite orders, and every deadlock costs a second. One after the other they
/// only grow: what waits meanwhile is the next batch.
pub(crate) async fn take_turn(db: &mut PgConnection) -> Stored<()> {
    // Of the two-number kind, which the claims of commands and events never take.
    sqlx::query("select pg_advisory_xact_lock(1, 1)").execute(db).await?;
    Ok(())
}
