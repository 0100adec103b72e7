//! Events that could not be handled and effects that could not be performed: each waits for a person.

use anyhow::Result;
use sqlx::Row;
use uuid::Uuid;

use super::MOST;
use crate::{Sources, Suspect};

const EVENTS: &str = "
select event_id, source, name, reason from dead_letter order by parked_at, event_id limit $1";

const EFFECTS: &str = "
select id, name, entity, coalesce(reason, '') as reason from effect where parked_at is not null order by number limit $1";

pub(super) async fn look(sources: &Sources) -> Result<Vec<Suspect>> {
    let mut suspects = Vec::new();
    for (domain, database) in sources.domains() {
        for row in sqlx::query(EVENTS).bind(MOST as i64).fetch_all(database).await? {
            let (id, source, name): (Uuid, &str, &str) =
                (row.try_get("event_id")?, row.try_get("source")?, row.try_get("name")?);
            let reason: &str = row.try_get("reason")?;
            suspects
                .push(Suspect::new(format!("{domain}: event {id}"), format!("{source}.{name} is parked: {reason}")));
        }
        for row in sqlx::query(EFFECTS).bind(MOST as i64).fetch_all(database).await? {
            let (id, entity, name): (Uuid, Uuid, &str) =
                (row.try_get("id")?, row.try_get("entity")?, row.try_get("name")?);
            let reason: &str = row.try_get("reason")?;
            let text = format!("{name} of {entity} is parked: {reason}");
            suspects.push(Suspect::new(format!("{domain}: effect {id}"), text));
        }
    }
    Ok(suspects)
}
