//! The stock of each variant as last reported by inventory.

use chrono::{DateTime, Utc};
use runtime::{InternalError, LastWrites, Writes, columns};
use uuid::Uuid;

/// The available units of a variant, as of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StockRow {
    pub variant_id: Uuid,
    pub available: i64,
    pub version: i64,
}

/// Writes rows that are newer than the stored ones. `rows` must be sorted by variant, without duplicates.
pub(crate) fn write_stock(mut db: LastWrites<'_>, rows: &[StockRow], now: DateTime<Utc>) {
    if rows.is_empty() {
        return;
    }
    let sql = "insert into variant_stock (variant_id, available, version, updated_at)
        select variant_id, available, version, $4
        from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as reported (variant_id, available, version)
        order by variant_id
        on conflict (variant_id) do update
        set available = excluded.available, version = excluded.version, updated_at = excluded.updated_at
        where variant_stock.version < excluded.version";
    let query = columns!(db.write(sql), rows, row; row.variant_id, row.available, row.version);
    query.bind(now);
}

/// Resets the version of each row, so that the next event of any version is applied; until then the shop shows the old
/// stock. Rows of variants that do not exist are deleted.
pub(crate) async fn delete_stock(mut db: Writes<'_>) -> Result<(), InternalError> {
    let sql = "delete from variant_stock s where not exists (select from variants v where v.id = s.variant_id)";
    sqlx::query(sql).execute(db.reborrow()).await?;
    let sql = "update variant_stock set version = 0 where version > 0";
    sqlx::query(sql).execute(db).await?;
    Ok(())
}
