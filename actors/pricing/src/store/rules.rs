//! The rules of quotes: one statement for all queries of a batch.

use chrono::{DateTime, Utc};
use runtime::{InternalError, Reads};
use sqlx::{FromRow, types::Json};
use subjects::pricing::{Promotion, ShippingZone, TaxRate};

use crate::engine::Rules;

#[derive(FromRow)]
struct Row {
    at: DateTime<Utc>,
    tax_rates: Json<Vec<TaxRate>>,
    zones: Json<Vec<ShippingZone>>,
    promotions: Json<Vec<Promotion>>,
}

/// The rules of these countries, the promotions of these codes, and all that may apply by themselves from now on, with
/// the time of the read by the database clock. The engine decides which of them apply.
pub(crate) async fn rules(db: Reads<'_>, countries: &[String], codes: &[String]) -> Result<Rules, InternalError> {
    let sql = "select now() as at,
        coalesce((select json_agg(r) from tax_rates r where r.country = any($1)), '[]') as tax_rates,
        coalesce((select json_agg(z) from shipping_zones z where z.countries && $1), '[]') as zones,
        coalesce((select json_agg(p) from promotions p
                  where p.code = any($2)
                     or p.code is null and p.is_active and (p.ends_at is null or p.ends_at > now())), '[]')
            as promotions";
    let row: Row = sqlx::query_as(sql).bind(countries).bind(codes).fetch_one(db).await?;
    let Row { at, tax_rates, zones, promotions } = row;
    Ok(Rules { at, tax_rates: tax_rates.0, zones: zones.0, promotions: promotions.0 })
}
