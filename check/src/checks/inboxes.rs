//! Every consumer's inbox and cursors, against the log they speak of.
//!
//! At or below a cursor every event of its type was handled, and the inbox rows are pruned. Above it an event is handled
//! if it has an inbox row. So: no cursor lies beyond its log, no event above a cursor is left unhandled for long, and no
//! inbox row speaks of an event that its log does not have (a restored source forgets; its consumers must too).

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;
use contract::Position;
use futures::TryStreamExt;
use sqlx::{PgPool, Row};
use uuid::Uuid;

use super::MOST;
use crate::{Sources, Suspect, forks::Forks};

/// Where a log ends: no position beyond it was ever given. What is read later can only lie higher.
const END: &str = "
select coalesce((select max(era) from era), 0) as era,
       pg_snapshot_xmax(pg_current_snapshot())::text::bigint as xid";

/// Events of the log above a position, of some types, old enough to have been brought.
const ABOVE: &str = "
select l.era, l.xid, e.id, e.name
from event_log l cross join lateral json_to_recordset(l.events) as e(id uuid, name text)
where (l.era, l.xid) > ($1, $2) and l.at < clock_timestamp() - interval '3 seconds' and e.name = any($3)
order by l.era, l.xid";

/// Events at some positions.
const AT: &str = "
select l.era, l.xid, e.id from unnest($1::bigint[], $2::bigint[]) as p(era, xid)
join event_log l on l.era = p.era and l.xid = p.xid
cross join lateral json_to_recordset(l.events) as e(id uuid)";

/// The highest position that was trimmed, if any was.
const TRIMMED: &str = "select era, xid from log_trim order by era desc, xid desc limit 1";

/// What a consumer has of a source, in one snapshot.
struct Consumer {
    cursors: BTreeMap<String, Position>,
    handled: Vec<(Position, Uuid)>,
}

pub(super) async fn look(sources: &Sources) -> Result<Vec<Suspect>> {
    let mut suspects = Vec::new();
    for (domain, database) in sources.domains() {
        let named: Vec<String> =
            sqlx::query_scalar("select source from cursor union select source from inbox order by 1")
                .fetch_all(database)
                .await?;
        for source in named {
            match sources.database(&source) {
                Ok(log) => one(domain, database, &source, log, &mut suspects).await?,
                Err(_) => suspects.push(Suspect::new(format!("{domain} on {source}"), "there is no such domain")),
            }
        }
    }
    suspects.truncate(MOST);
    Ok(suspects)
}

async fn one(domain: &str, database: &PgPool, source: &str, log: &PgPool, suspects: &mut Vec<Suspect>) -> Result<()> {
    // The log before the inbox: what is handled meanwhile is no suspect.
    let lowest = read(database, source).await?.cursors;
    let logged = above(log, &lowest).await?;
    let consumer = read(database, source).await?;
    let end = position(&sqlx::query(END).fetch_one(log).await?)?;
    let trimmed = sqlx::query(TRIMMED).fetch_optional(log).await?.map(|row| position(&row)).transpose()?;

    for (name, cursor) in &consumer.cursors {
        let key = format!("{domain} on {source}: cursor of {name}");
        if *cursor >= end {
            suspects.push(Suspect::new(key, format!("it is {cursor}, beyond the end of the log")));
        } else if trimmed.is_some_and(|trimmed| *cursor < trimmed) {
            suspects.push(Suspect::new(key, format!("it is {cursor}, and the log was trimmed above it")));
        }
    }
    let handled: HashSet<(Position, Uuid)> = consumer.handled.iter().copied().collect();
    for (position, id, name) in logged {
        let is_open = consumer.cursors.get(&name).is_some_and(|cursor| position > *cursor);
        if is_open && !handled.contains(&(position, id)) {
            let text = format!("{name} of commit {position} is above its cursor and was not handled");
            suspects.push(Suspect::new(format!("{domain} on {source}: event {id}"), text));
        }
    }
    let forks = Forks::read(log).await?;
    for page in consumer.handled.chunks(1000) {
        let known = at(log, page).await?;
        for (position, id) in page.iter().filter(|one| !known.contains(one)) {
            if trimmed.is_none_or(|trimmed| *position > trimmed) {
                let why = forks.explain(*position);
                let text = format!("it was handled as of commit {position}, and is not in the log{why}");
                suspects.push(Suspect::new(format!("{domain} on {source}: event {id}"), text));
            }
        }
    }
    Ok(())
}

fn position(row: &sqlx::postgres::PgRow) -> Result<Position, sqlx::Error> {
    Ok(Position { era: row.try_get("era")?, xid: row.try_get("xid")? })
}

/// Cursors and inbox of one snapshot: a prune between two statements would look like a loss.
async fn read(database: &PgPool, source: &str) -> Result<Consumer> {
    let mut transaction = database.begin_with("begin isolation level repeatable read read only").await?;
    let mut cursors = BTreeMap::new();
    let rows = sqlx::query("select name, era, xid from cursor where source = $1")
        .bind(source)
        .fetch_all(&mut *transaction)
        .await?;
    for row in rows {
        cursors.insert(row.try_get("name")?, position(&row)?);
    }
    let rows = sqlx::query("select era, xid, event_id from inbox where source = $1 order by era, xid, event_id")
        .bind(source)
        .fetch_all(&mut *transaction)
        .await?;
    let handled =
        rows.iter().map(|row| Ok((position(row)?, row.try_get("event_id")?))).collect::<Result<_, sqlx::Error>>()?;
    transaction.rollback().await?;
    Ok(Consumer { cursors, handled })
}

/// Logged events above the lowest of the cursors, of the types that have one.
async fn above(log: &PgPool, cursors: &BTreeMap<String, Position>) -> Result<Vec<(Position, Uuid, String)>> {
    let Some(lowest) = cursors.values().min() else { return Ok(Vec::new()) };
    let names: Vec<&str> = cursors.keys().map(String::as_str).collect();
    let mut rows = sqlx::query(ABOVE).bind(lowest.era).bind(lowest.xid).bind(names).fetch(log);
    let mut events = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let name: String = row.try_get("name")?;
        // Types that have come far are not held for the one that has not.
        if cursors.get(&name).is_some_and(|cursor| position(&row).is_ok_and(|at| at > *cursor)) {
            events.push((position(&row)?, row.try_get("id")?, name));
        }
    }
    Ok(events)
}

async fn at(log: &PgPool, handled: &[(Position, Uuid)]) -> Result<HashSet<(Position, Uuid)>> {
    let positions: HashSet<Position> = handled.iter().map(|(position, _)| *position).collect();
    let (eras, xids): (Vec<i64>, Vec<i64>) = positions.iter().map(|p| (p.era, p.xid)).unzip();
    let rows = sqlx::query(AT).bind(eras).bind(xids).fetch_all(log).await?;
    Ok(rows.iter().map(|row| Ok((position(row)?, row.try_get("id")?))).collect::<Result<_, sqlx::Error>>()?)
}
