//! The payment provider's records: the money that was actually charged and refunded.

use std::collections::BTreeMap;

use anyhow::Result;
use sqlx::{Connection, PgConnection};

/// The money of one order, in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Money {
    pub charges: i64,
    pub charged: i64,
    pub refunded: i64,
}

impl Money {
    pub fn kept(self) -> i64 {
        self.charged - self.refunded
    }
}

const SQL: &str = "
select intent.metadata ->> 'order_id',
       coalesce((sum(charge.number)), 0)::bigint, coalesce(sum(charge.amount), 0)::bigint,
       coalesce(sum(refund.amount), 0)::bigint
from intent
left join (select intent_id, count(*) as number, sum(amount) as amount from charge group by 1) charge
  on charge.intent_id = intent.id
left join (select intent_id, sum(amount) as amount from refund where status <> 'failed' group by 1) refund
  on refund.intent_id = intent.id
group by 1";

/// Reads the records by order id.
pub async fn read(url: &str) -> Result<BTreeMap<String, Money>> {
    let mut connection = PgConnection::connect(url).await?;
    let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(SQL).fetch_all(&mut connection).await?;
    connection.close().await?;
    Ok(rows
        .into_iter()
        .map(|(order, charges, charged, refunded)| (order, Money { charges, charged, refunded }))
        .collect())
}
