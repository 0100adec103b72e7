//! The table `stock`.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use contract::page::{COUNTED, Part};
use runtime::{InternalError, LastWrites, Locks, Reads, Writes, columns};
use uuid::Uuid;

use crate::shelf::Shelf;

/// The columns of a shelf.
macro_rules! shelf_columns {
    () => {
        "variant_id, product_id, sku, seller_id, on_hand, reserved, min_stock, received, sold, version, updated_at"
    };
}

/// Reads the stock of variants. Unknown variants are absent from the result.
pub(crate) async fn shelves(db: Reads<'_>, variants: &[Uuid]) -> Result<BTreeMap<Uuid, Shelf>, InternalError> {
    let sql = concat!("select ", shelf_columns!(), " from stock where variant_id = any($1)");
    let rows: Vec<Shelf> = sqlx::query_as(sql).bind(variants).fetch_all(db).await?;
    Ok(rows.into_iter().map(|shelf| (shelf.variant_id, shelf)).collect())
}

pub(crate) async fn shelf(db: Reads<'_>, variant: Uuid) -> Result<Option<Shelf>, InternalError> {
    Ok(shelves(db, &[variant]).await?.remove(&variant))
}

/// The variants that are low on stock, newest first.
pub(crate) async fn low_shelves(db: Reads<'_>, part: &Part<Uuid>) -> Result<Vec<Shelf>, InternalError> {
    let sql = if part.is_backwards {
        concat!(
            "select ",
            shelf_columns!(),
            " from stock where is_low and variant_id > coalesce($1, '00000000-0000-0000-0000-000000000000')
              order by variant_id limit $2 offset $3"
        )
    } else {
        concat!(
            "select ",
            shelf_columns!(),
            " from stock where is_low and variant_id < coalesce($1, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
              order by variant_id desc limit $2 offset $3"
        )
    };
    let query = sqlx::query_as(sql).bind(part.from).bind(part.rows()).bind(part.offset());
    Ok(query.fetch_all(db).await?)
}

/// The number of variants that are low on stock, counted up to [`COUNTED`] + 1.
pub(crate) async fn count_low_shelves(db: Reads<'_>) -> Result<i64, InternalError> {
    let sql = "select count(*) from (select from stock where is_low limit $1) as counted";
    Ok(sqlx::query_scalar(sql).bind(COUNTED + 1).fetch_one(db).await?)
}

/// Reads the available units of variants. Unknown variants are absent from the result.
pub(crate) async fn available(db: Reads<'_>, variants: &[Uuid]) -> Result<BTreeMap<Uuid, i64>, InternalError> {
    let sql = "select variant_id, on_hand - reserved from stock where variant_id = any($1)";
    let rows: Vec<(Uuid, i64)> = sqlx::query_as(sql).bind(variants).fetch_all(db).await?;
    Ok(rows.into_iter().collect())
}

/// Locks the stock of variants in the order of their ids. Unknown variants are absent from the result.
pub(crate) async fn lock_shelves(db: Locks<'_>, variants: &[Uuid]) -> Result<BTreeMap<Uuid, Shelf>, InternalError> {
    let sql =
        concat!("select ", shelf_columns!(), " from stock where variant_id = any($1) order by variant_id for update");
    let rows: Vec<Shelf> = sqlx::query_as(sql).bind(variants).fetch_all(db).await?;
    Ok(rows.into_iter().map(|shelf| (shelf.variant_id, shelf)).collect())
}

/// Inserts empty shelves, sorted by variant, unless they exist. Returns the variants that were inserted.
pub(crate) async fn insert_shelves(db: Writes<'_>, shelves: &[&Shelf]) -> Result<BTreeSet<Uuid>, InternalError> {
    if shelves.is_empty() {
        return Ok(BTreeSet::new());
    }
    let sql = "insert into stock (variant_id, product_id, sku, seller_id, updated_at)
        select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::timestamptz[])
        on conflict do nothing
        returning variant_id";
    let query = columns!(sqlx::query_scalar(sql), shelves, shelf;
        shelf.variant_id, shelf.product_id, shelf.sku.as_str(), shelf.seller_id, shelf.updated_at);
    let made: Vec<Uuid> = query.fetch_all(db).await?;
    Ok(made.into_iter().collect())
}

/// Updates rows that this transaction has locked or inserted.
pub(crate) fn update_shelves(mut db: LastWrites<'_>, shelves: &[&Shelf], now: DateTime<Utc>) {
    if shelves.is_empty() {
        return;
    }
    let sql = "update stock s
        set on_hand = u.on_hand, reserved = u.reserved, min_stock = u.min_stock, received = u.received, sold = u.sold,
            version = u.version, updated_at = $8
        from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
            as u (variant_id, on_hand, reserved, min_stock, received, sold, version)
        where s.variant_id = u.variant_id";
    let query = columns!(db.write(sql), shelves, shelf; shelf.variant_id, shelf.on_hand, shelf.reserved,
        shelf.min_stock, shelf.received, shelf.sold, shelf.version);
    query.bind(now);
}

/// Sets the products of variants whose rows this transaction has locked. Not as a last write, since another one may
/// update the same rows.
pub(crate) async fn write_products(db: Writes<'_>, products: &[(Uuid, Uuid)]) -> Result<(), InternalError> {
    if products.is_empty() {
        return Ok(());
    }
    let sql = "update stock s set product_id = u.product_id
        from unnest($1::uuid[], $2::uuid[]) as u (variant_id, product_id)
        where s.variant_id = u.variant_id";
    columns!(sqlx::query(sql), products, named; named.0, named.1).execute(db).await?;
    Ok(())
}
