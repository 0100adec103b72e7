//! What other domains ask on the way of every order: one indexed look-up for all lines.

use chrono::{DateTime, Utc};
use runtime::{Breakage, Stored};
use serde::Deserialize;
use sqlx::{PgPool, types::Json};
use uuid::Uuid;

/// An offer.
#[derive(Debug, Clone, Deserialize)]
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
}

/// The offers of these variants and of every variant of these products, and the time of that, by the database's clock.
pub(crate) async fn offers(
    db: &PgPool,
    variants: &[Uuid],
    products: &[Uuid],
) -> Stored<(DateTime<Utc>, Vec<OfferRow>)> {
    // One row with the time at least, so that it takes no second statement where there is no offer.
    let rows: Vec<(DateTime<Utc>, Option<Json<OfferRow>>)> = sqlx::query_as(
        "select now(), to_json(offer)
         from (select) as one left join (
             select v.id as variant_id, v.product_id, p.seller_id, v.sku, p.name as product, v.name as variant, v.price,
                    p.currency, p.is_active and x.id is null as is_active, p.version
             from variants v join products p on p.id = v.product_id
                  left join sellers x on x.id = p.seller_id and not x.may_sell
             where v.id = any($1) or v.product_id = any($2)
         ) as offer on true",
    )
    .bind(variants)
    .bind(products)
    .fetch_all(db)
    .await?;
    let at = rows.first().ok_or_else(|| Breakage::other("the clock has no row"))?.0;
    Ok((at, rows.into_iter().filter_map(|(_, offer)| offer).map(|offer| offer.0).collect()))
}
