//! Promotions.

use contract::page::{COUNTED, Part};
use runtime::{InternalError, Locks, Reads, Writes};
use sqlx::{Postgres, postgres::PgArguments, query::Query, types::Json};
use subjects::{PromotionId, pricing::Promotion};
use uuid::Uuid;

macro_rules! columns {
    () => {
        "id, name, code, is_active, reward, conditions, starts_at, ends_at, stacking, priority, version,
         created_at, updated_at "
    };
}

/// A promotion.
pub(crate) async fn promotion(db: Reads<'_>, id: PromotionId) -> Result<Option<Promotion>, InternalError> {
    let sql = concat!("select ", columns!(), "from promotions where id = $1");
    Ok(sqlx::query_as(sql).bind(id).fetch_optional(db).await?)
}

/// Locks a promotion for update.
pub(crate) async fn lock_promotion(db: Locks<'_>, id: PromotionId) -> Result<Option<Promotion>, InternalError> {
    let sql = concat!("select ", columns!(), "from promotions where id = $1 for update");
    Ok(sqlx::query_as(sql).bind(id).fetch_optional(db).await?)
}

/// A page of promotions, oldest first.
pub(crate) async fn list_promotions(db: Reads<'_>, part: &Part<Uuid>) -> Result<Vec<Promotion>, InternalError> {
    let sql = if part.is_backwards {
        concat!(
            "select ",
            columns!(),
            "from promotions where $1::uuid is null or id < $1 order by id desc limit $2 offset $3"
        )
    } else {
        concat!(
            "select ",
            columns!(),
            "from promotions where $1::uuid is null or id > $1 order by id limit $2 offset $3"
        )
    };
    Ok(sqlx::query_as(sql).bind(part.from).bind(part.rows()).bind(part.offset()).fetch_all(db).await?)
}

/// Counts promotions, up to [`COUNTED`] + 1.
pub(crate) async fn count_promotions(db: Reads<'_>) -> Result<i64, InternalError> {
    let sql = "select count(*) from (select from promotions limit $1) as counted";
    Ok(sqlx::query_scalar(sql).bind(COUNTED + 1).fetch_one(db).await?)
}

/// Counts the promotions that apply by themselves.
pub(crate) async fn count_automatic(db: Reads<'_>) -> Result<i64, InternalError> {
    let sql = "select count(*) from promotions
         where code is null and is_active and (ends_at is null or ends_at > now())";
    Ok(sqlx::query_scalar(sql).fetch_one(db).await?)
}

/// Whether another promotion has this code.
pub(crate) async fn code_is_taken(db: Reads<'_>, code: &str, promotion: PromotionId) -> Result<bool, InternalError> {
    let sql = "select exists (select from promotions where code = $1 and id <> $2)";
    Ok(sqlx::query_scalar(sql).bind(code).bind(promotion).fetch_one(db).await?)
}

type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// Binds all columns but the time of creation, which an insert binds last.
fn bind<'q>(query: PgQuery<'q>, promotion: &'q Promotion) -> PgQuery<'q> {
    query
        .bind(promotion.id)
        .bind(&promotion.name)
        .bind(&promotion.code)
        .bind(promotion.is_active)
        .bind(Json(&promotion.reward))
        .bind(Json(&promotion.conditions))
        .bind(promotion.starts_at)
        .bind(promotion.ends_at)
        .bind(promotion.stacking)
        .bind(promotion.priority)
        .bind(promotion.version)
        .bind(promotion.updated_at)
}

/// Inserts a promotion.
pub(crate) async fn insert_promotion(db: Writes<'_>, promotion: &Promotion) -> Result<(), InternalError> {
    let sql = "insert into promotions (id, name, code, is_active, reward, conditions, starts_at, ends_at, stacking,
            priority, version, updated_at, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";
    bind(sqlx::query(sql), promotion).bind(promotion.created_at).execute(db).await?;
    Ok(())
}

/// Updates a locked promotion.
pub(crate) async fn update_promotion(db: Writes<'_>, promotion: &Promotion) -> Result<(), InternalError> {
    let sql = "update promotions
        set name = $2, code = $3, is_active = $4, reward = $5, conditions = $6, starts_at = $7, ends_at = $8,
            stacking = $9, priority = $10, version = $11, updated_at = $12
        where id = $1";
    bind(sqlx::query(sql), promotion).execute(db).await?;
    Ok(())
}

/// Deletes a locked promotion.
pub(crate) async fn delete_promotion(db: Writes<'_>, id: PromotionId) -> Result<(), InternalError> {
    sqlx::query("delete from promotions where id = $1").bind(id).execute(db).await?;
    Ok(())
}
