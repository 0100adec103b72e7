//! Events that could not be handled and effects that could not be performed. Each needs an operator.

use anyhow::Result;
use sqlx::FromRow;
use uuid::Uuid;

use super::found;
use crate::{Sources, Suspect};

const STATEMENT: &str = "
select kind, id, case kind when 'event' then source || '.' || name else name || ' of ' || entity end as what, reason
from dead_lettered order by dead_lettered_at, id limit $1";

#[derive(FromRow)]
struct DeadLetterRow {
    kind: String,
    id: Uuid,
    what: String,
    reason: String,
}

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let mut suspects = Vec::new();
    for (domain, database) in sources.domains()? {
        for DeadLetterRow { kind, id, what, reason } in found(database, STATEMENT).await? {
            suspects.push(Suspect::new(format!("{domain}: {kind} {id}"), format!("{what} is dead-lettered: {reason}")));
        }
    }
    Ok(suspects)
}
