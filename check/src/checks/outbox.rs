//! Commits whose events the stream never confirmed.

use anyhow::Result;
use contract::Position;

use super::found;
use crate::{Sources, Suspect};

/// The publisher has five seconds, then a sweep takes over. A row without a commit is never published.
const STATEMENT: &str = "
select o.epoch, o.xid, l.at is null as is_orphan
from outbox o left join event_log l using (epoch, xid)
where l.at is null or l.at < now() - interval '10 seconds'
order by o.epoch, o.xid limit $1";

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let mut suspects = Vec::new();
    for (domain, database) in sources.domains()? {
        for (epoch, xid, is_orphan) in found(database, STATEMENT).await? {
            let position = Position { epoch, xid };
            let text = match is_orphan {
                true => "it waits to be published, and is not in the log",
                false => "it waits to be published",
            };
            suspects.push(Suspect::new(format!("{domain}: commit {position}"), text));
        }
    }
    Ok(suspects)
}
