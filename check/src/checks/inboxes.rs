//! The inbox and cursors of every consumer, against the logs that they refer to.
//!
//! At or below a cursor, every event of its type was handled and the inbox rows are pruned. Above it, an event is
//! handled if it has an inbox row. Therefore no cursor lies beyond its log, no event above a cursor stays unhandled for
//! long, and no inbox row refers to an event that its log does not have (a restored source loses events; its consumers
//! must drop them as well).
//!
//! A handled type gets a cursor as soon as its log has any event that catch-up looks at, even of another type. Without
//! a cursor, nothing shows that its events were handled.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use anyhow::Result;
use contract::Position;
use futures::TryStreamExt;
use sqlx::{PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use super::MOST;
use crate::{Sources, Suspect, forks::Forks, stream};

/// Events compared at once, which bounds memory whatever the size of the log and the inbox.
const PAGE: usize = 1000;

/// The sources that a consumer has cursors or inbox rows for.
const SOURCES: &str = "select source from cursor union select source from inbox";

/// The end of the log: no position at or above it has been assigned, and later reads can only yield higher ones.
/// Catch-up looks at a commit after 2 s plus the stream's lag, which is capped at 30 s: after a minute it has done so.
const END: &str = "
select coalesce((select max(epoch) from epoch), 0) as epoch,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint as xid,
       exists (select 1 from event_log where at < now() - interval '60 seconds') as was_looked_at";

/// Events of the log above the cursors of their types, old enough to have been delivered.
const ABOVE: &str = "
select l.epoch, l.xid, e.id, e.name
from event_log l cross join lateral json_to_recordset(l.events) as e(id uuid, name text)
join unnest($3::text[], $4::bigint[], $5::bigint[]) as c(name, epoch, xid) on c.name = e.name
where (l.epoch, l.xid) > ($1, $2) and (l.epoch, l.xid) > (c.epoch, c.xid)
  and l.at < now() - interval '3 seconds'
order by l.epoch, l.xid";

/// The unhandled ones of the given events, with the cursors of their types. One statement, and so one snapshot: pruning
/// between reads of the cursor and of the inbox would look like a loss.
const UNHANDLED: &str = "
select e.id, e.name, e.epoch, e.xid, c.epoch as cursor_epoch, c.xid as cursor_xid
from unnest($2::uuid[], $3::text[], $4::bigint[], $5::bigint[]) as e(id, name, epoch, xid)
join cursor c on c.source = $1 and c.name = e.name and (e.epoch, e.xid) > (c.epoch, c.xid)
where not exists (select 1 from inbox i where i.source = $1 and i.event_id = e.id)
order by e.epoch, e.xid, e.id";

/// The events that a consumer has handled above its cursors.
const IN_INBOX: &str = "select epoch, xid, event_id as id from inbox where source = $1 order by epoch, xid, event_id";

/// Events at the given positions.
const AT: &str = "
select l.epoch, l.xid, e.id from unnest($1::bigint[], $2::bigint[]) as p(epoch, xid)
join event_log l on l.epoch = p.epoch and l.xid = p.xid
cross join lateral json_to_recordset(l.events) as e(id uuid)";

/// The highest trimmed position, if any.
const TRIMMED: &str = "select epoch, xid from log_trim order by epoch desc, xid desc limit 1";

/// A consumer and one of its sources.
struct Pair<'a> {
    consumer: &'a str,
    database: &'a PgPool,
    source: &'a str,
    log: &'a PgPool,
}

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let mut suspects = Vec::new();
    // The handled types, by consumer and source.
    let mut handled: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (source, _) in sources.domains()? {
        for (consumer, types) in stream::handled(sources, source).await? {
            handled.entry(consumer).or_default().insert(source.to_owned(), types);
        }
    }
    for (consumer, database) in sources.domains()? {
        let mut of_source = handled.remove(consumer).unwrap_or_default();
        for source in sqlx::query_scalar(SOURCES).fetch_all(database).await? {
            of_source.entry(source).or_default();
        }
        for (source, types) in &of_source {
            match sources.database(source) {
                Ok(log) => suspects.extend(Pair { consumer, database, source, log }.inspect(types).await?),
                Err(_) => suspects.push(Suspect::new(format!("{consumer} on {source}"), "there is no such domain")),
            }
        }
    }
    Ok(suspects)
}

impl Pair<'_> {
    fn suspect(&self, what: impl std::fmt::Display, text: impl Into<String>) -> Suspect {
        Suspect::new(format!("{} on {}: {what}", self.consumer, self.source), text)
    }

    async fn inspect(&self, types: &BTreeSet<String>) -> Result<Vec<Suspect>> {
        let rows = sqlx::query("select name, epoch, xid from cursor where source = $1").bind(self.source);
        let rows = rows.fetch_all(self.database).await?;
        let cursors = rows.iter().map(|row| Ok((row.try_get("name")?, position(row)?)));
        let cursors: BTreeMap<String, Position> = cursors.collect::<Result<_, sqlx::Error>>()?;
        let trimmed = sqlx::query(TRIMMED).fetch_optional(self.log).await?.map(|row| position(&row)).transpose()?;

        let mut suspects = self.check_cursors(&cursors, types, trimmed).await?;
        suspects.extend(self.not_handled(&cursors).await?);
        suspects.extend(self.not_logged(trimmed).await?);
        Ok(suspects)
    }

    async fn check_cursors(
        &self,
        cursors: &BTreeMap<String, Position>,
        types: &BTreeSet<String>,
        trimmed: Option<Position>,
    ) -> Result<Vec<Suspect>> {
        let end = sqlx::query(END).fetch_one(self.log).await?;
        let (end, was_inspected) = (position(&end)?, end.try_get("was_looked_at")?);
        let mut suspects = Vec::new();
        for (name, cursor) in cursors {
            let what = format!("cursor of {name}");
            if *cursor >= end {
                suspects.push(self.suspect(what, format!("it is {cursor}, beyond the end of the log")));
            } else if trimmed.is_some_and(|trimmed| *cursor < trimmed) {
                suspects.push(self.suspect(what, format!("it is {cursor}, and the log was trimmed above it")));
            }
        }
        if was_inspected {
            let without = types.iter().filter(|name| !cursors.contains_key(*name));
            let text = "there is none, though its durable brings the type: no consumer catches up on it";
            suspects.extend(without.map(|name| self.suspect(format!("cursor of {name}"), text)));
        }
        Ok(suspects)
    }

    /// Reads the log before the inbox, so that an event handled in between is not a suspect.
    async fn not_handled(&self, cursors: &BTreeMap<String, Position>) -> Result<Vec<Suspect>> {
        let mut suspects = Vec::new();
        let Some(lowest) = cursors.values().min() else { return Ok(suspects) };
        let names: Vec<&str> = cursors.keys().map(String::as_str).collect();
        let (epochs, xids): (Vec<i64>, Vec<i64>) = cursors.values().map(|cursor| (cursor.epoch, cursor.xid)).unzip();
        let above = sqlx::query(ABOVE).bind(lowest.epoch).bind(lowest.xid).bind(names).bind(epochs).bind(xids);
        let mut pages = above.fetch(self.log).try_chunks(PAGE);
        while let Some(page) = pages.try_next().await? {
            let rows = sqlx::query(UNHANDLED)
                .bind(self.source)
                .bind(column::<Uuid>(&page, "id")?)
                .bind(column::<String>(&page, "name")?)
                .bind(column::<i64>(&page, "epoch")?)
                .bind(column::<i64>(&page, "xid")?)
                .fetch_all(self.database)
                .await?;
            for row in rows {
                let (id, name, position): (Uuid, &str, _) = (row.try_get("id")?, row.try_get("name")?, position(&row)?);
                let cursor = Position { epoch: row.try_get("cursor_epoch")?, xid: row.try_get("cursor_xid")? };
                // While a backlog is processed the cursor advances, which changes the text.
                let text = format!("{name} of commit {position} is above its cursor {cursor} and was not handled");
                suspects.push(self.suspect(format!("event {id}"), text));
            }
            if suspects.len() >= MOST {
                break;
            }
        }
        suspects.truncate(MOST);
        Ok(suspects)
    }

    async fn not_logged(&self, trimmed: Option<Position>) -> Result<Vec<Suspect>> {
        let (mut suspects, forks) = (Vec::new(), Forks::read(self.log).await?);
        let mut pages = sqlx::query(IN_INBOX).bind(self.source).fetch(self.database).try_chunks(PAGE);
        while let Some(page) = pages.try_next().await? {
            let handled = page.iter().map(event).collect::<Result<Vec<_>, _>>()?;
            let known = at(self.log, &handled).await?;
            for (position, id) in handled.into_iter().filter(|one| !known.contains(one)) {
                if trimmed.is_none_or(|trimmed| position > trimmed) {
                    let why = forks.explain(position);
                    let text = format!("it was handled as of commit {position}, and is not in the log{why}");
                    suspects.push(self.suspect(format!("event {id}"), text));
                }
            }
            if suspects.len() >= MOST {
                break;
            }
        }
        suspects.truncate(MOST);
        Ok(suspects)
    }
}

fn position(row: &PgRow) -> Result<Position, sqlx::Error> {
    Ok(Position { epoch: row.try_get("epoch")?, xid: row.try_get("xid")? })
}

fn event(row: &PgRow) -> Result<(Position, Uuid), sqlx::Error> {
    Ok((position(row)?, row.try_get("id")?))
}

/// One column of the rows.
fn column<T>(rows: &[PgRow], name: &str) -> Result<Vec<T>, sqlx::Error>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    rows.iter().map(|row| row.try_get(name)).collect()
}

async fn at(log: &PgPool, handled: &[(Position, Uuid)]) -> Result<HashSet<(Position, Uuid)>> {
    let positions: HashSet<Position> = handled.iter().map(|(position, _)| *position).collect();
    let (epochs, xids): (Vec<i64>, Vec<i64>) = positions.iter().map(|p| (p.epoch, p.xid)).unzip();
    let rows = sqlx::query(AT).bind(epochs).bind(xids).fetch_all(log).await?;
    Ok(rows.iter().map(event).collect::<Result<_, _>>()?)
}
