//! Offers, which other domains query for every order: one indexed look-up for all lines.

use chrono::{DateTime, Utc};
use runtime::{InternalError, Reads};
use sqlx::{FromRow, Row};
use subjects::catalog::Offer;
use uuid::Uuid;

/// An offer, named as the variant alone.
#[derive(Debug, FromRow)]
pub(crate) struct OfferRow {
    /// The product's name.
    pub product: String,
    #[sqlx(flatten)]
    pub offer: Offer,
}

/// The offers of these variants and of all variants of these products, with the time of the read by the database clock.
pub(crate) async fn offers(
    db: Reads<'_>,
    variants: &[Uuid],
    products: &[Uuid],
) -> Result<(DateTime<Utc>, Vec<OfferRow>), InternalError> {
    // The left join yields the time even without offers, which saves a second statement.
    let sql = "select now() as at, offer.*
        from (select) as one left join (
            select v.id as variant_id, v.product_id, p.category_id, p.seller_id, v.sku,
                   p.name as product, v.name, v.price as amount, p.currency, p.is_active and x.id is null as is_active,
                   p.version
            from variants v join products p on p.id = v.product_id
                 left join sellers x on x.id = p.seller_id and not x.may_sell
            where v.id = any($1) or v.product_id = any($2)
        ) as offer on true";
    let rows = sqlx::query(sql).bind(variants).bind(products).fetch_all(db).await?;
    let at = rows.first().ok_or_else(|| InternalError::other("the clock has no row"))?.try_get("at")?;
    let mut offers = Vec::with_capacity(rows.len());
    for row in &rows {
        if row.try_get::<Option<Uuid>, _>("variant_id")?.is_some() {
            offers.push(OfferRow::from_row(row)?);
        }
    }
    Ok((at, offers))
}
