//! Products and their variants.

use chrono::{DateTime, Utc};
use runtime::{InternalError, Locks, Reads, Version, Writes, columns};
use serde::Deserialize;
use sqlx::{FromRow, Postgres, postgres::PgArguments, query::Query, types::Json};
use subjects::{Currency, catalog::Attributes};
use uuid::Uuid;

/// A product's row, with its category's name and whether its seller may sell.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct ProductRow {
    pub id: Uuid,
    pub seller_id: Uuid,
    pub category_id: Option<Uuid>,
    pub category: Option<String>,
    pub slug: String,
    pub name: String,
    pub description: String,
    /// Of all prices of the product.
    pub currency: Currency,
    pub price: i64,
    pub compare_price: Option<i64>,
    pub cost_price: Option<i64>,
    pub attributes: Json<Attributes>,
    pub is_active: bool,
    pub is_featured: bool,
    pub seller_may_sell: bool,
    pub version: Version,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

impl ProductRow {
    /// Whether the product is for sale, and so visible to the public. The same rule in SQL: `p.is_active and x.id is
    /// null`.
    pub(crate) fn is_for_sale(&self) -> bool {
        self.is_active && self.seller_may_sell
    }

    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self {
            id: Uuid::now_v7(),
            seller_id: Uuid::now_v7(),
            category_id: None,
            category: None,
            slug: "linen-shirt".into(),
            name: "Linen Shirt".into(),
            description: String::new(),
            currency: Currency::USD,
            price: 4999,
            compare_price: None,
            cost_price: None,
            attributes: Json(Attributes::new()),
            is_active: true,
            is_featured: false,
            seller_may_sell: true,
            version: Version::default(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }
}

/// A variant's row, with its stock as last reported by inventory.
#[derive(Debug, Clone, PartialEq, Eq, FromRow, Deserialize)]
pub struct VariantRow {
    pub id: Uuid,
    pub product_id: Uuid,
    pub sku: String,
    pub name: String,
    pub price: i64,
    pub attributes: Json<Attributes>,
    pub available: i64,
}

/// The columns of a [`ProductRow`], from `products p` and [`product_joins`].
macro_rules! product_columns {
    () => {
        "p.id, p.seller_id, p.category_id, c.name as category, p.slug, p.name, p.description, p.currency, p.price,
         p.compare_price, p.cost_price, p.attributes, p.is_active, p.is_featured, x.id is null as seller_may_sell,
         p.version, p.created_at, p.updated_at "
    };
}

/// The tables joined to `products p`: its category `c`, and its seller `x` if the seller may not sell.
macro_rules! product_joins {
    () => {
        "left join categories c on c.id = p.category_id left join sellers x on x.id = p.seller_id and not x.may_sell "
    };
}
pub(super) use {product_columns, product_joins};

/// Selects variants `v` as [`VariantRow`], with their positions.
macro_rules! variant_rows {
    () => {
        "select v.id, v.product_id, v.position, v.sku, v.name, v.price, v.attributes,
                coalesce(s.available, 0) as available
         from variants v left join variant_stock s on s.variant_id = v.id "
    };
}

/// A product with its variants in order.
#[derive(Debug, Clone, FromRow)]
pub struct FullProduct {
    #[sqlx(flatten)]
    pub product: ProductRow,
    #[sqlx(json)]
    pub variants: Vec<VariantRow>,
}

/// Finds products by id or slug, with their variants.
pub(crate) async fn products(db: Reads<'_>, ids: &[Uuid], slugs: &[&str]) -> Result<Vec<FullProduct>, InternalError> {
    let sql = concat!(
        "select ",
        product_columns!(),
        ", coalesce((select json_agg(variant order by variant.position) from (",
        variant_rows!(),
        "where v.product_id = p.id) as variant), '[]') as variants
         from products p ",
        product_joins!(),
        "where p.id = any($1) or p.slug = any($2)"
    );
    Ok(sqlx::query_as(sql).bind(ids).bind(slugs).fetch_all(db).await?)
}

/// Reads a product that this transaction has written.
pub(crate) async fn written_product(db: Reads<'_>, id: Uuid) -> Result<FullProduct, InternalError> {
    let found = products(db, &[id], &[]).await?.pop();
    found.ok_or_else(|| InternalError::other("a product that was just written is gone"))
}

/// Locks a product for update.
pub(crate) async fn lock_product(db: Locks<'_>, id: Uuid) -> Result<Option<ProductRow>, InternalError> {
    let sql = concat!(
        "select ",
        product_columns!(),
        "from products p ",
        product_joins!(),
        "where p.id = $1 for no key update of p"
    );
    Ok(sqlx::query_as(sql).bind(id).fetch_optional(db).await?)
}

/// The variants of products, in the order of each product.
pub(crate) async fn variants_of(db: Reads<'_>, products: &[Uuid]) -> Result<Vec<VariantRow>, InternalError> {
    let sql = concat!(variant_rows!(), "where v.product_id = any($1) order by v.product_id, v.position");
    Ok(sqlx::query_as(sql).bind(products).fetch_all(db).await?)
}

/// The slug and SKUs of a new product that are already taken.
#[derive(Debug, Default, FromRow)]
pub(crate) struct Taken {
    pub slug: bool,
    pub skus: Vec<String>,
}

/// Finds out whether the slug and which of the SKUs are taken.
pub(crate) async fn taken(db: Reads<'_>, slug: &str, skus: &[String]) -> Result<Taken, InternalError> {
    let sql = "select exists (select from products where slug = $1) as slug,
               array(select sku from variants where sku = any($2)) as skus";
    Ok(sqlx::query_as(sql).bind(slug).bind(skus).fetch_one(db).await?)
}

/// Whether another product has this slug.
pub(crate) async fn slug_is_taken(db: Reads<'_>, slug: &str, product: Uuid) -> Result<bool, InternalError> {
    let sql = "select exists (select from products where slug = $1 and id <> $2)";
    Ok(sqlx::query_scalar(sql).bind(slug).bind(product).fetch_one(db).await?)
}

type PgQuery<'q> = Query<'q, Postgres, PgArguments>;

/// Binds the columns that a change writes, the first thirteen parameters of an insert and of an update.
fn bind_product<'q>(query: PgQuery<'q>, row: &'q ProductRow) -> PgQuery<'q> {
    query
        .bind(row.id)
        .bind(row.category_id)
        .bind(&row.slug)
        .bind(&row.name)
        .bind(&row.description)
        .bind(row.price)
        .bind(row.compare_price)
        .bind(row.cost_price)
        .bind(&row.attributes)
        .bind(row.is_active)
        .bind(row.is_featured)
        .bind(row.version)
        .bind(row.updated_at)
}

/// Inserts a product. Returns `false` and writes nothing if the slug is taken.
pub(crate) async fn insert_product(db: Writes<'_>, row: &ProductRow) -> Result<bool, InternalError> {
    let sql = "insert into products (id, category_id, slug, name, description, price, compare_price, cost_price,
                              attributes, is_active, is_featured, version, updated_at, seller_id, currency, created_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        on conflict (slug) do nothing";
    let query = bind_product(sqlx::query(sql), row).bind(row.seller_id).bind(row.currency).bind(row.created_at);
    Ok(query.execute(db).await?.rows_affected() == 1)
}

/// Inserts the variants of a product in order. Returns `false` if a SKU was taken in the meantime.
pub(crate) async fn insert_variants(
    db: Writes<'_>,
    product: Uuid,
    rows: &[VariantRow],
    now: DateTime<Utc>,
) -> Result<bool, InternalError> {
    // Sorted by SKU, so that concurrent inserts of the same SKUs wait in one order and do not deadlock.
    let sql = "insert into variants (id, product_id, position, sku, name, price, attributes, created_at, updated_at)
        select id, $1, (position - 1)::integer, sku, name, price, attributes, $7, $7
        from unnest($2::uuid[], $3::text[], $4::text[], $5::bigint[], $6::jsonb[])
             with ordinality as made (id, sku, name, price, attributes, position)
        order by sku
        on conflict (sku) do nothing";
    let query = columns!(sqlx::query(sql).bind(product), rows, row;
        row.id, row.sku.as_str(), row.name.as_str(), row.price, Json(&row.attributes.0));
    let done = query.bind(now).execute(db).await?;
    Ok(usize::try_from(done.rows_affected()).ok() == Some(rows.len()))
}

/// Updates the mutable columns of a product.
pub(crate) async fn update_product(db: Writes<'_>, row: &ProductRow) -> Result<(), InternalError> {
    let sql = "update products
        set category_id = $2, slug = $3, name = $4, description = $5, price = $6, compare_price = $7, cost_price = $8,
            attributes = $9, is_active = $10, is_featured = $11, version = $12, updated_at = $13
        where id = $1";
    bind_product(sqlx::query(sql), row).execute(db).await?;
    Ok(())
}

/// Updates the variants that had the product's old price or name.
pub(crate) async fn update_variants(db: Writes<'_>, old: &ProductRow, new: &ProductRow) -> Result<(), InternalError> {
    let sql = "update variants
        set price = case when price = $2 then $3 else price end,
            name = case when name = $4 then $5 else name end,
            updated_at = $6
        where product_id = $1 and (price = $2 or name = $4)";
    sqlx::query(sql)
        .bind(old.id)
        .bind(old.price)
        .bind(new.price)
        .bind(&old.name)
        .bind(&new.name)
        .bind(new.updated_at)
        .execute(db)
        .await?;
    Ok(())
}
