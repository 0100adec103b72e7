//! The table `movement`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use contract::page::{COUNTED, Part};
use runtime::{InternalError, LastWrites, Reads, Writes, columns};
use subjects::inventory::{LOCATION, Movement};
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
        "select id, variant_id, $5 as location, reason, on_hand_delta, reserved_delta, order_id, at from movement
         where variant_id = $1 and id > coalesce($2, 0) order by id limit $3 offset $4"
    } else {
        "select id, variant_id, $5 as location, reason, on_hand_delta, reserved_delta, order_id, at from movement
         where variant_id = $1 and id < coalesce($2, 9223372036854775807) order by id desc limit $3 offset $4"
    };
    let query = sqlx::query_as(sql).bind(variant).bind(part.from).bind(part.rows()).bind(part.offset()).bind(LOCATION);
    Ok(query.fetch_all(db).await?)
}

/// The number of entries of a variant's ledger, counted up to [`COUNTED`] + 1.
pub(crate) async fn count_movements(db: Reads<'_>, variant: Uuid) -> Result<i64, InternalError> {
    let sql = "select count(*) from (select from movement where variant_id = $1 limit $2) as counted";
    Ok(sqlx::query_scalar(sql).bind(variant).bind(COUNTED + 1).fetch_one(db).await?)
}

/// Merges those of the first `limit` entries that are older than `older_than` into the opening balances of their
/// variants. Returns their number. The newest entry of a variant becomes its opening balance, which keeps the order of
/// the ledger. No lock on the stock is needed: the sums stay as they are, and new entries are appended only.
pub(crate) async fn merge_movements(db: Writes<'_>, older_than: Duration, limit: u64) -> Result<u64, InternalError> {
    // Another merge may have changed a row until its lock is held: what is summed is read under the lock.
    let sql = "with old as (
             select id, variant_id from (
                 select id, variant_id, at from movement where reason <> 'opening' order by id limit $2) as first
             where at < now() - make_interval(secs => $1)),
         first as (select variant_id, min(id) as id from old group by variant_id),
         held as (
             select id, variant_id, reason, on_hand_delta, reserved_delta, sold from movement
             where id in (
                 select id from old
                 union all
                 select opening.id from first join movement opening using (variant_id)
                 where opening.id < first.id and opening.reason = 'opening')
             order by variant_id, id for update),
         merged as (
             select variant_id, max(id) as id, sum(on_hand_delta) as on_hand, sum(reserved_delta) as reserved,
                    coalesce(sum(sold), 0) - coalesce(sum(on_hand_delta)
                        filter (where reason in ('committed', 'returned', 'restocked')), 0) as sold
             from held group by variant_id),
         gone as (
             delete from movement using held join merged using (variant_id)
             where movement.id = held.id and held.id < merged.id),
         written as (
             update movement set reason = 'opening', order_id = null, on_hand_delta = merged.on_hand,
                 reserved_delta = merged.reserved, sold = merged.sold
             from merged where movement.id = merged.id)
         select count(*) from old";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let merged: i64 = sqlx::query_scalar(sql).bind(older_than.as_secs_f64()).bind(limit).fetch_one(db).await?;
    Ok(merged.unsigned_abs())
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
