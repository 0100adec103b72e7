//! Payments against the provider's records: no charge without an order or a refund.
//!
//! Only the simulated provider can be checked; payments itself reconciles with any other. The provider commits before
//! it replies, and a call from a node that was killed is repeated only after its lease expires. A payment with a
//! pending effect is therefore in flight. `deadlines` or `dead_letters` report one that never completes.

use anyhow::Result;
use sqlx::{FromRow, PgPool};

use super::found;
use crate::{Sources, Suspect};

const STATEMENT: &str = "
select coalesce(s.id, p.provider_transaction_id, p.id::text) as object,
       coalesce(s.order_id, p.order_id)::text as order_id,
       coalesce(case when s.status = 'succeeded' then s.amount end, 0) as charged, coalesce(s.refunded, 0) as returned,
       coalesce(p.captured, 0) as captured, coalesce(p.refunded, 0) as refunded
from sim_intent s full join (select * from payments where payment_provider = 'simulated') p
     on p.provider_transaction_id = s.id
where (coalesce(case when s.status = 'succeeded' then s.amount end, 0) <> coalesce(p.captured, 0)
       or coalesce(s.refunded, 0) <> coalesce(p.refunded, 0))
  and not exists (select 1 from effect e where e.entity = p.id and e.dead_lettered_at is null)
order by 1 limit $1";

#[derive(FromRow)]
struct Off {
    object: String,
    order_id: String,
    charged: i64,
    returned: i64,
    captured: i64,
    refunded: i64,
}

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let database = sources.database(subjects::payments::DOMAIN)?;
    if !has_memory(database).await? {
        return Ok(Vec::new());
    }
    Ok(found(database, STATEMENT).await?.into_iter().map(suspect).collect())
}

fn suspect(Off { object, order_id, charged, returned, captured, refunded }: Off) -> Suspect {
    let text = format!(
        "the provider charged {charged} and refunded {returned}, payments has booked {captured} and {refunded}"
    );
    Suspect::new(format!("order {order_id}, object {object}"), text)
}

/// Whether this database holds the records of the simulated provider.
pub(super) async fn has_memory(database: &PgPool) -> Result<bool> {
    Ok(sqlx::query_scalar("select to_regclass('sim_intent') is not null").fetch_one(database).await?)
}
