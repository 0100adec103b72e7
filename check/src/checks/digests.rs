//! The digest of every commit, by which consumers detect missing events without reading the commit.

use anyhow::Result;
use contract::Position;

use super::found;
use crate::{Sources, Suspect};

/// Per type: the count, and the xor of the low halves of the ids.
const STATEMENT: &str = "
select l.epoch, l.xid from event_log l cross join lateral (
    select coalesce(jsonb_object_agg(name, jsonb_build_object('count', count, 'xor', hashes)), '{}') as digest from (
        select name, count(*) as count,
               bit_xor(('x' || right(replace(id::text, '-', ''), 16))::bit(64)::bigint) as hashes
        from json_to_recordset(l.events) as e(id uuid, name text) group by name) by_name) made
where made.digest <> l.digest
order by l.epoch, l.xid limit $1";

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let mut suspects = Vec::new();
    for (domain, database) in sources.domains()? {
        for (epoch, xid) in found(database, STATEMENT).await? {
            let position = Position { epoch, xid };
            suspects.push(Suspect::new(format!("{domain}: commit {position}"), "its digest is not that of its events"));
        }
    }
    Ok(suspects)
}
