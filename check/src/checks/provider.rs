//! The books against the provider's memory: no charge without an order or a refund.
//!
//! Only the simulated provider can be looked into; what another one has is read by payments itself.

use anyhow::Result;
use sqlx::{PgPool, Row};

use super::MOST;
use crate::{Sources, Suspect};

const STATEMENT: &str = "
select coalesce(s.id, p.provider_transaction_id, p.id::text) as object, coalesce(s.order_id, p.order_id)::text as order_id,
       coalesce(case when s.status = 'succeeded' then s.amount end, 0) as charged, coalesce(s.refunded, 0) as returned,
       coalesce(p.captured, 0) as captured, coalesce(p.refunded, 0) as refunded
from sim_intent s full join (select * from payments where payment_provider = 'simulated') p
     on p.provider_transaction_id = s.id
where coalesce(case when s.status = 'succeeded' then s.amount end, 0) <> coalesce(p.captured, 0)
   or coalesce(s.refunded, 0) <> coalesce(p.refunded, 0)
order by 1 limit $1";

pub(super) async fn look(sources: &Sources) -> Result<Vec<Suspect>> {
    let database = sources.database(subjects::payments::DOMAIN)?;
    if !has_memory(database).await? {
        return Ok(Vec::new());
    }
    let mut suspects = Vec::new();
    for row in sqlx::query(STATEMENT).bind(MOST as i64).fetch_all(database).await? {
        let number = |column: &str| row.try_get::<i64, _>(column);
        let (object, order_id): (String, String) = (row.try_get("object")?, row.try_get("order_id")?);
        suspects.push(Suspect::new(
            format!("order {order_id}, object {object}"),
            format!(
                "the provider charged {} and gave back {}, payments has booked {} and {}",
                number("charged")?,
                number("returned")?,
                number("captured")?,
                number("refunded")?
            ),
        ));
    }
    Ok(suspects)
}

/// Whether the simulated provider has its memory in this database.
pub(super) async fn has_memory(database: &PgPool) -> Result<bool> {
    Ok(sqlx::query_scalar("select to_regclass('sim_intent') is not null").fetch_one(database).await?)
}
