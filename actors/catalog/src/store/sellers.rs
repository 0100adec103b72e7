//! Which accounts may sell, as last reported by identity.

use chrono::{DateTime, Utc};
use runtime::{InternalError, LastWrites, Writes, columns};
use uuid::Uuid;

/// Whether an account may sell, as of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SellerRow {
    pub id: Uuid,
    pub may_sell: bool,
    pub version: i64,
}

/// Writes rows that are newer than the stored ones. `rows` must be sorted by account, without duplicates.
pub(crate) fn write_sellers(mut db: LastWrites<'_>, rows: &[SellerRow], now: DateTime<Utc>) {
    if rows.is_empty() {
        return;
    }
    let sql = "insert into sellers (id, may_sell, version, updated_at)
        select id, may_sell, version, $4
        from unnest($1::uuid[], $2::boolean[], $3::bigint[]) as reported (id, may_sell, version)
        order by id
        on conflict (id) do update
        set may_sell = excluded.may_sell, version = excluded.version, updated_at = excluded.updated_at
        where sellers.version < excluded.version";
    let query = columns!(db.write(sql), rows, row; row.id, row.may_sell, row.version);
    query.bind(now);
}

/// Resets the version of each row, so that the next event of any version is applied; until then the rows keep their
/// values.
pub(crate) async fn delete_sellers(db: Writes<'_>) -> Result<(), InternalError> {
    let sql = "update sellers set version = 0 where version > 0";
    sqlx::query(sql).execute(db).await?;
    Ok(())
}
