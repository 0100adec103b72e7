//! What other domains ask on the way of every order: one indexed look-up for all lines.

use chrono::{DateTime, Utc};
use runtime::Stored;
use sqlx::{FromRow, PgPool};
use uuid::Uuid;

/// An offer, and when it was read.
#[derive(Debug, Clone, FromRow)]
pub(crate) struct OfferRow {
    pub variant_id: Uuid,
    pub product_id: Uuid,
    pub seller_id: Uuid,
    pub sku: String,
    pub product: String,
    pub variant: String,
    pub price: i64,
    pub currency: String,
    /// Whether it can be bought: the product is active, and its seller may sell.
    pub is_active: bool,
    pub version: i64,
    pub at: DateTime<Utc>,
}

macro_rules! offers {
    () => {
        "select v.id as variant_id, v.product_id, p.seller_id, v.sku, p.name as product, v.name as variant, v.price,
                p.currency, p.is_active and x.id is null as is_active, p.version, now() as at
         from variants v join products p on p.id = v.product_id
              left join sellers x on x.id = p.seller_id and not x.may_sell
         where "
    };
}

/// The offers of these variants.
pub(crate) async fn offers_of_variants(db: &PgPool, ids: &[Uuid]) -> Stored<Vec<OfferRow>> {
    Ok(sqlx::query_as(concat!(offers!(), "v.id = any($1)")).bind(ids).fetch_all(db).await?)
}

/// The offers of every variant of these products.
pub(crate) async fn offers_of_products(db: &PgPool, ids: &[Uuid]) -> Stored<Vec<OfferRow>> {
    Ok(sqlx::query_as(concat!(offers!(), "v.product_id = any($1)")).bind(ids).fetch_all(db).await?)
}

/// The database's clock, where no row told it.
pub(crate) async fn clock(db: &PgPool) -> Stored<DateTime<Utc>> {
    Ok(sqlx::query_scalar("select now()").fetch_one(db).await?)
}
