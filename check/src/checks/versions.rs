//! Event versions per entity: consecutive, from the oldest event kept to the current version of the entity.

use anyhow::Result;
use sqlx::PgPool;
use uuid::Uuid;

use super::found;
use crate::{Sources, Suspect};

/// If the log was never trimmed, every entity starts with version 1.
const COUNTED: &str = "
select e.entity, count(*) as count, count(distinct e.version) as versions, min(e.version) as first,
       max(e.version) as last
from event_log l cross join lateral json_to_recordset(l.events) as e(entity uuid, version bigint)
group by e.entity
having count(*) <> count(distinct e.version) or count(*) <> max(e.version) - min(e.version) + 1
    or (min(e.version) <> 1 and not exists (select 1 from log_trim))
order by e.entity limit $1";

/// Rows whose version differs from that of the entity's last event, or from 0 if there is none.
macro_rules! entity_of {
    ($table:literal, $id:literal) => {
        concat!(
            "select t.",
            $id,
            " as id, t.version, coalesce(e.last, 0) as last_event from ",
            $table,
            " t left join (
                 select e.entity, max(e.version) as last
                 from event_log l cross join lateral json_to_recordset(l.events) as e(entity uuid, version bigint)
                 group by e.entity) e on e.entity = t.",
            $id,
            "
             where t.version <> coalesce(e.last, 0) and (e.last is not null or not exists (select 1 from log_trim))
             order by 1 limit $1"
        )
    };
}

/// Tables whose rows count their own events, by domain.
const ENTITIES: &[(&str, &str, &str)] = &[
    (subjects::identity::DOMAIN, "user", entity_of!("users", "id")),
    (subjects::catalog::DOMAIN, "product", entity_of!("products", "id")),
    (subjects::inventory::DOMAIN, "variant", entity_of!("stock", "variant_id")),
    (subjects::inventory::DOMAIN, "reservation of order", entity_of!("reservation", "order_id")),
    (subjects::orders::DOMAIN, "order", entity_of!("orders", "id")),
    (subjects::payments::DOMAIN, "payment", entity_of!("payments", "id")),
];

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let mut suspects = Vec::new();
    for (domain, database) in sources.domains()? {
        suspects.extend(counted(domain, database).await?);
    }
    for (domain, what, statement) in ENTITIES {
        for (id, version, last) in found::<(Uuid, i64, i64)>(sources.database(domain)?, statement).await? {
            suspects.push(Suspect::new(
                format!("{domain}: {what} {id}"),
                format!("it is at version {version}, and its last event is {last}"),
            ));
        }
    }
    Ok(suspects)
}

async fn counted(domain: &str, database: &PgPool) -> Result<Vec<Suspect>> {
    let mut suspects = Vec::new();
    let found: Vec<(Uuid, i64, i64, i64, i64)> = found(database, COUNTED).await?;
    for (id, count, versions, first, last) in found {
        let text = format!("{count} events with {versions} versions from {first} to {last}");
        suspects.push(Suspect::new(format!("{domain}: events of {id}"), text));
    }
    Ok(suspects)
}
