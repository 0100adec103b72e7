//! Categories.

use chrono::{DateTime, Utc};
use runtime::Stored;
use sqlx::{FromRow, PgConnection, PgPool};
use subjects::{CategoryId, catalog::Category};
use uuid::Uuid;

/// A category's row.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub(crate) struct CategoryRow {
    pub id: Uuid,
    pub slug: String,
    pub name: String,
    pub description: String,
    pub parent_id: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl CategoryRow {
    pub(crate) fn category(&self) -> Category {
        Category {
            id: CategoryId(self.id),
            slug: self.slug.clone(),
            name: self.name.clone(),
            description: self.description.clone(),
            parent_id: self.parent_id.map(CategoryId),
            created_at: self.created_at,
            updated_at: self.updated_at,
        }
    }
}

/// Whether there is such a category. None is ever deleted, so the answer holds.
pub(crate) async fn category_exists(db: &mut PgConnection, id: Uuid) -> Stored<bool> {
    Ok(sqlx::query_scalar("select exists (select from categories where id = $1)").bind(id).fetch_one(db).await?)
}

/// Makes a category; `false` where another one has its slug, and nothing was written.
pub(crate) async fn insert_category(db: &mut PgConnection, row: &CategoryRow) -> Stored<bool> {
    let done = sqlx::query(
        "insert into categories (id, slug, name, description, parent_id, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (slug) do nothing",
    )
    .bind(row.id)
    .bind(&row.slug)
    .bind(&row.name)
    .bind(&row.description)
    .bind(row.parent_id)
    .bind(row.created_at)
    .bind(row.updated_at)
    .execute(db)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Categories by slug, behind `after` or from `offset`.
pub(crate) async fn list_categories(
    db: &PgPool,
    after: Option<&str>,
    limit: i64,
    offset: i64,
) -> Stored<Vec<CategoryRow>> {
    let rows = sqlx::query_as(
        "select id, slug, name, description, parent_id, created_at, updated_at from categories
         where $1::text is null or slug > $1
         order by slug limit $2 offset $3",
    )
    .bind(after)
    .bind(limit)
    .bind(offset)
    .fetch_all(db)
    .await?;
    Ok(rows)
}

/// How many categories there are.
pub(crate) async fn count_categories(db: &PgPool) -> Stored<i64> {
    Ok(sqlx::query_scalar("select count(*) from categories").fetch_one(db).await?)
}
