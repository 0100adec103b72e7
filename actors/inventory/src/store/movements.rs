//! The table `movement`.

use chrono::{DateTime, Utc};
use runtime::Stored;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::account::Entry;

/// A line of the ledger.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct MovementRow {
    pub id: i64,
    pub variant_id: Uuid,
    pub reason: String,
    pub on_hand_delta: i64,
    pub reserved_delta: i64,
    pub order_id: Option<Uuid>,
    pub at: DateTime<Utc>,
}

/// Lines of a variant's ledger, newest first, from below a number on.
pub(crate) async fn movements(
    db: &PgPool,
    variant: Uuid,
    below: Option<i64>,
    limit: i64,
    offset: i64,
) -> Stored<Vec<MovementRow>> {
    let statement = "select id, variant_id, reason, on_hand_delta, reserved_delta, order_id, at from movement
        where variant_id = $1 and id < $2 order by id desc limit $3 offset $4";
    let query = sqlx::query_as(statement).bind(variant).bind(below.unwrap_or(i64::MAX)).bind(limit).bind(offset);
    Ok(query.fetch_all(db).await?)
}

/// How many lines a variant's ledger has.
pub(crate) async fn count_movements(db: &PgPool, variant: Uuid) -> Stored<i64> {
    let statement = "select count(*) from movement where variant_id = $1";
    Ok(sqlx::query_scalar(statement).bind(variant).fetch_one(db).await?)
}

/// Writes lines into the ledger, in their order.
pub(crate) async fn insert_movements(db: &mut PgConnection, entries: &[Entry], now: DateTime<Utc>) -> Stored<()> {
    if entries.is_empty() {
        return Ok(());
    }
    let statement = "insert into movement (variant_id, reason, on_hand_delta, reserved_delta, order_id, at)
        select u.*, $6 from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bigint[], $5::uuid[]) as u";
    sqlx::query(statement)
        .bind(column(entries, |entry| entry.variant))
        .bind(column(entries, |entry| entry.reason))
        .bind(column(entries, |entry| entry.on_hand))
        .bind(column(entries, |entry| entry.reserved))
        .bind(column(entries, |entry| entry.order))
        .bind(now)
        .execute(db)
        .await?;
    Ok(())
}

fn column<T>(entries: &[Entry], value: impl Fn(&Entry) -> T) -> Vec<T> {
    entries.iter().map(value).collect()
}
