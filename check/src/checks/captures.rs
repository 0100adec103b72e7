//! One capture per order: in payments, at the provider, and in the emitted events.

use anyhow::Result;
use uuid::Uuid;

use super::{found, provider::has_memory};
use crate::{Sources, Suspect};

const BOOKED: &str = "
select order_id, count(*) as count from payments where captured > 0 group by order_id having count(*) > 1
order by order_id limit $1";

/// The records of the simulated provider.
const CHARGED: &str = "
select order_id, count(*) as count from sim_intent where status = 'succeeded' group by order_id having count(*) > 1
order by order_id limit $1";

const EMITTED: &str = "
select (e.data ->> 'order_id')::uuid as order_id, count(*) as count
from event_log l cross join lateral json_to_recordset(l.events) as e(name text, data json)
where l.digest ? 'succeeded' and e.name = 'succeeded' group by 1 having count(*) > 1 order by 1 limit $1";

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let database = sources.database(subjects::payments::DOMAIN)?;
    let mut statements = vec![(BOOKED, "payments with money"), (EMITTED, "events of its success")];
    if has_memory(database).await? {
        statements.push((CHARGED, "charges at the provider"));
    }
    let mut suspects = Vec::new();
    for (statement, what) in statements {
        for (id, count) in found::<(Uuid, i64)>(database, statement).await? {
            suspects.push(Suspect::new(format!("order {id}, {what}"), format!("there are {count}, not one")));
        }
    }
    Ok(suspects)
}
