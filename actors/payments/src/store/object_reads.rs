//! The triggers of a read from the provider: webhook notices, and the read after the first day.

use chrono::{DateTime, Utc};
use runtime::{InternalError, Reads, Writes};
use subjects::PaymentId;

/// Maximum number of old notices that are deleted with each new one. Above 1, so that a backlog shrinks.
const SLICE: i64 = 10;

/// The time of the database's clock.
pub(crate) async fn now(db: Reads<'_>) -> Result<DateTime<Utc>, InternalError> {
    let sql = "select clock_timestamp()";
    Ok(sqlx::query_scalar(sql).fetch_one(db).await?)
}

/// Stores a notice of the provider. Returns `false` if it was stored before.
pub(crate) async fn remember_notice(
    mut db: Writes<'_>,
    provider: &str,
    id: &str,
    now: DateTime<Utc>,
) -> Result<bool, InternalError> {
    // The provider repeats a notice for three days, so older ones are not needed for deduplication.
    let sql = "delete from provider_notices where ctid = any(array(
             select ctid from provider_notices where received_at < $1::timestamptz - interval '7 days'
             order by received_at limit $2 for update skip locked))";
    sqlx::query(sql).bind(now).bind(SLICE).execute(db.reborrow()).await?;
    let sql = "insert into provider_notices (provider, id, received_at) values ($1, $2, $3) on conflict do nothing";
    let done = sqlx::query(sql).bind(provider).bind(id).bind(now).execute(db).await?;
    Ok(done.rows_affected() > 0)
}

/// Payments that are due to be read again.
pub(crate) async fn due_to_read(db: Reads<'_>, limit: i64) -> Result<Vec<(DateTime<Utc>, PaymentId)>, InternalError> {
    let sql = "select read_again_at, id from payments where read_again_at <= now()
         order by read_again_at limit $1";
    Ok(sqlx::query_as(sql).bind(limit).fetch_all(db).await?)
}

/// Clears the time at which a payment is to be read again. Returns whether there was one.
pub(crate) async fn clear_deadline(db: Writes<'_>, id: PaymentId) -> Result<bool, InternalError> {
    let sql = "update payments set read_again_at = null where id = $1 and read_again_at is not null";
    Ok(sqlx::query(sql).bind(id).execute(db).await?.rows_affected() == 1)
}
