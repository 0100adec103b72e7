//! Categories.

use contract::page::{COUNTED, Part};
use runtime::{InternalError, Reads, Writes};
use subjects::catalog::Category;
use uuid::Uuid;

/// Whether a category exists. Categories are never deleted, so the result stays valid without a lock.
pub(crate) async fn category_exists(db: Reads<'_>, id: Uuid) -> Result<bool, InternalError> {
    let sql = "select exists (select from categories where id = $1)";
    Ok(sqlx::query_scalar(sql).bind(id).fetch_one(db).await?)
}

/// The depth of a category: 1 without a parent, `None` if it does not exist. Categories never move, so the result stays
/// valid without a lock.
pub(crate) async fn depth_of_category(db: Reads<'_>, id: Uuid) -> Result<Option<i64>, InternalError> {
    let sql = "with recursive path as (
            select parent_id from categories where id = $1
            union all
            select above.parent_id from path join categories above on above.id = path.parent_id)
        select nullif(count(*), 0) from path";
    Ok(sqlx::query_scalar(sql).bind(id).fetch_one(db).await?)
}

/// Inserts a category. Returns `false` and writes nothing if the slug is taken.
pub(crate) async fn insert_category(db: Writes<'_>, category: &Category) -> Result<bool, InternalError> {
    let sql = "insert into categories (id, slug, name, description, parent_id, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (slug) do nothing";
    let done = sqlx::query(sql)
        .bind(category.id)
        .bind(&category.slug)
        .bind(&category.name)
        .bind(&category.description)
        .bind(category.parent_id)
        .bind(category.created_at)
        .bind(category.updated_at)
        .execute(db)
        .await?;
    Ok(done.rows_affected() == 1)
}

/// A page of categories, ordered by slug.
pub(crate) async fn list_categories(db: Reads<'_>, part: &Part<String>) -> Result<Vec<Category>, InternalError> {
    let sql = if part.is_backwards {
        "select id, slug, name, description, parent_id, created_at, updated_at from categories
         where $1::text is null or slug < $1
         order by slug desc limit $2 offset $3"
    } else {
        "select id, slug, name, description, parent_id, created_at, updated_at from categories
         where $1::text is null or slug > $1
         order by slug limit $2 offset $3"
    };
    Ok(sqlx::query_as(sql).bind(&part.from).bind(part.rows()).bind(part.offset()).fetch_all(db).await?)
}

/// Counts categories, up to [`COUNTED`] + 1.
pub(crate) async fn count_categories(db: Reads<'_>) -> Result<i64, InternalError> {
    let sql = "select count(*) from (select from categories limit $1) as counted";
    Ok(sqlx::query_scalar(sql).bind(COUNTED + 1).fetch_one(db).await?)
}
