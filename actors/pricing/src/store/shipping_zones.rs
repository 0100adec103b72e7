//! Shipping zones.

use contract::page::{COUNTED, Part};
use runtime::{InternalError, Locks, Reads, Writes};
use sqlx::{Postgres, postgres::PgArguments, query::Query, types::Json};
use subjects::{ShippingZoneId, pricing::ShippingZone};
use uuid::Uuid;

macro_rules! columns {
    () => {
        "id, name, countries, methods, version, created_at, updated_at "
    };
}

/// A shipping zone.
pub(crate) async fn shipping_zone(db: Reads<'_>, id: ShippingZoneId) -> Result<Option<ShippingZone>, InternalError> {
    let sql = concat!("select ", columns!(), "from shipping_zones where id = $1");
    Ok(sqlx::query_as(sql).bind(id).fetch_optional(db).await?)
}

/// Locks a shipping zone for update.
pub(crate) async fn lock_shipping_zone(
    db: Locks<'_>,
    id: ShippingZoneId,
) -> Result<Option<ShippingZone>, InternalError> {
    let sql = concat!("select ", columns!(), "from shipping_zones where id = $1 for update");
    Ok(sqlx::query_as(sql).bind(id).fetch_optional(db).await?)
}

/// A page of shipping zones, oldest first.
pub(crate) async fn list_shipping_zones(db: Reads<'_>, part: &Part<Uuid>) -> Result<Vec<ShippingZone>, InternalError> {
    let sql = if part.is_backwards {
        concat!(
            "select ",
            columns!(),
            "from shipping_zones where $1::uuid is null or id < $1 order by id desc limit $2 offset $3"
        )
    } else {
        concat!(
            "select ",
            columns!(),
            "from shipping_zones where $1::uuid is null or id > $1 order by id limit $2 offset $3"
        )
    };
    Ok(sqlx::query_as(sql).bind(part.from).bind(part.rows()).bind(part.offset()).fetch_all(db).await?)
}

/// Counts shipping zones, up to [`COUNTED`] + 1.
pub(crate) async fn count_shipping_zones(db: Reads<'_>) -> Result<i64, InternalError> {
    let sql = "select count(*) from (select from shipping_zones limit $1) as counted";
    Ok(sqlx::query_scalar(sql).bind(COUNTED + 1).fetch_one(db).await?)
}

type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// Binds all columns but the time of creation, which an insert binds last.
fn bind<'q>(query: PgQuery<'q>, zone: &'q ShippingZone) -> PgQuery<'q> {
    query
        .bind(zone.id)
        .bind(&zone.name)
        .bind(&zone.countries)
        .bind(Json(&zone.methods))
        .bind(zone.version)
        .bind(zone.updated_at)
}

/// Inserts a shipping zone.
pub(crate) async fn insert_shipping_zone(db: Writes<'_>, zone: &ShippingZone) -> Result<(), InternalError> {
    let sql = "insert into shipping_zones (id, name, countries, methods, version, updated_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7)";
    bind(sqlx::query(sql), zone).bind(zone.created_at).execute(db).await?;
    Ok(())
}

/// Updates a locked shipping zone.
pub(crate) async fn update_shipping_zone(db: Writes<'_>, zone: &ShippingZone) -> Result<(), InternalError> {
    let sql = "update shipping_zones
        set name = $2, countries = $3, methods = $4, version = $5, updated_at = $6
        where id = $1";
    bind(sqlx::query(sql), zone).execute(db).await?;
    Ok(())
}

/// Deletes a locked shipping zone.
pub(crate) async fn delete_shipping_zone(db: Writes<'_>, id: ShippingZoneId) -> Result<(), InternalError> {
    sqlx::query("delete from shipping_zones where id = $1").bind(id).execute(db).await?;
    Ok(())
}
