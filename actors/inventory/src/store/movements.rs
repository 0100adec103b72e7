//! The table `movement`.

use chrono::{DateTime, Utc};
use contract::page::{COUNTED, Part};
use runtime::{InternalError, LastWrites, Reads, columns};
use subjects::inventory::Movement;
use uuid::Uuid;

use crate::machine::account::Entry;

/// An entry of the ledger.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct MovementRow {
    pub id: i64,
    #[sqlx(flatten)]
    pub movement: Movement,
}

/// Entries of a variant's ledger, newest first.
pub(crate) async fn movements(
    db: Reads<'_>,
    variant: Uuid,
    part: &Part<i64>,
) -> Result<Vec<MovementRow>, InternalError> {
    let sql = if part.is_backwards {
        "select id, variant_id, reason, on_hand_delta, reserved_delta, order_id, at from movement
         where variant_id = $1 and id > coalesce($2, 0) order by id limit $3 offset $4"
    } else {
        "select id, variant_id, reason, on_hand_delta, reserved_delta, order_id, at from movement
         where variant_id = $1 and id < coalesce($2, 9223372036854775807) order by id desc limit $3 offset $4"
    };
    let query = sqlx::query_as(sql).bind(variant).bind(part.from).bind(part.rows()).bind(part.offset());
    Ok(query.fetch_all(db).await?)
}

/// The number of entries of a variant's ledger, counted up to [`COUNTED`] + 1.
pub(crate) async fn count_movements(db: Reads<'_>, variant: Uuid) -> Result<i64, InternalError> {
    let sql = "select count(*) from (select from movement where variant_id = $1 limit $2) as counted";
    Ok(sqlx::query_scalar(sql).bind(variant).bind(COUNTED + 1).fetch_one(db).await?)
}

/// Appends entries to the ledger, in their order.
pub(crate) fn insert_movements(mut db: LastWrites<'_>, entries: &[Entry], now: DateTime<Utc>) {
    if entries.is_empty() {
        return;
    }
    let sql = "insert into movement (variant_id, reason, on_hand_delta, reserved_delta, order_id, at)
        select u.*, $6 from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::uuid[]) as u";
    let query = columns!(db.write(sql), entries, entry;
        entry.variant, entry.reason, entry.on_hand, entry.reserved, entry.order);
    query.bind(now);
}
