//! Tax rates.

use contract::page::{COUNTED, Part};
use runtime::{InternalError, Locks, Reads, Writes};
use sqlx::{Postgres, postgres::PgArguments, query::Query};
use subjects::{TaxRateId, pricing::TaxRate};
use uuid::Uuid;

macro_rules! columns {
    () => {
        "id, country, state, name, rate, inclusive, tax_category, version, created_at, updated_at "
    };
}

/// A tax rate.
pub(crate) async fn tax_rate(db: Reads<'_>, id: TaxRateId) -> Result<Option<TaxRate>, InternalError> {
    let sql = concat!("select ", columns!(), "from tax_rates where id = $1");
    Ok(sqlx::query_as(sql).bind(id).fetch_optional(db).await?)
}

/// Locks a tax rate for update.
pub(crate) async fn lock_tax_rate(db: Locks<'_>, id: TaxRateId) -> Result<Option<TaxRate>, InternalError> {
    let sql = concat!("select ", columns!(), "from tax_rates where id = $1 for update");
    Ok(sqlx::query_as(sql).bind(id).fetch_optional(db).await?)
}

/// A page of tax rates, oldest first.
pub(crate) async fn list_tax_rates(db: Reads<'_>, part: &Part<Uuid>) -> Result<Vec<TaxRate>, InternalError> {
    let sql = if part.is_backwards {
        concat!(
            "select ",
            columns!(),
            "from tax_rates where $1::uuid is null or id < $1 order by id desc limit $2 offset $3"
        )
    } else {
        concat!(
            "select ",
            columns!(),
            "from tax_rates where $1::uuid is null or id > $1 order by id limit $2 offset $3"
        )
    };
    Ok(sqlx::query_as(sql).bind(part.from).bind(part.rows()).bind(part.offset()).fetch_all(db).await?)
}

/// Counts tax rates, up to [`COUNTED`] + 1.
pub(crate) async fn count_tax_rates(db: Reads<'_>) -> Result<i64, InternalError> {
    let sql = "select count(*) from (select from tax_rates limit $1) as counted";
    Ok(sqlx::query_scalar(sql).bind(COUNTED + 1).fetch_one(db).await?)
}

/// Whether there is another tax rate like this one.
pub(crate) async fn tax_rate_exists(db: Reads<'_>, rate: &TaxRate) -> Result<bool, InternalError> {
    let sql = "select exists (select from tax_rates
        where country = $1 and state is not distinct from $2 and tax_category = $3 and name = $4 and id <> $5)";
    let query = sqlx::query_scalar(sql).bind(&rate.country).bind(&rate.state).bind(&rate.tax_category);
    Ok(query.bind(&rate.name).bind(rate.id).fetch_one(db).await?)
}

type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// Binds all columns but the time of creation, which an insert binds last.
fn bind<'q>(query: PgQuery<'q>, rate: &'q TaxRate) -> PgQuery<'q> {
    query
        .bind(rate.id)
        .bind(&rate.country)
        .bind(&rate.state)
        .bind(&rate.name)
        .bind(rate.rate)
        .bind(rate.inclusive)
        .bind(&rate.tax_category)
        .bind(rate.version)
        .bind(rate.updated_at)
}

/// Inserts a tax rate. Returns `false` and writes nothing if there is another like it.
pub(crate) async fn insert_tax_rate(db: Writes<'_>, rate: &TaxRate) -> Result<bool, InternalError> {
    let sql = "insert into tax_rates
            (id, country, state, name, rate, inclusive, tax_category, version, updated_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        on conflict on constraint one_rate_of_a_name do nothing";
    Ok(bind(sqlx::query(sql), rate).bind(rate.created_at).execute(db).await?.rows_affected() == 1)
}

/// Updates a locked tax rate.
pub(crate) async fn update_tax_rate(db: Writes<'_>, rate: &TaxRate) -> Result<(), InternalError> {
    let sql = "update tax_rates
        set country = $2, state = $3, name = $4, rate = $5, inclusive = $6, tax_category = $7, version = $8,
            updated_at = $9
        where id = $1";
    bind(sqlx::query(sql), rate).execute(db).await?;
    Ok(())
}

/// Deletes a locked tax rate.
pub(crate) async fn delete_tax_rate(db: Writes<'_>, id: TaxRateId) -> Result<(), InternalError> {
    sqlx::query("delete from tax_rates where id = $1").bind(id).execute(db).await?;
    Ok(())
}
