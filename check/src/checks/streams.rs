//! The log against the stream, event by event.

use std::{collections::HashSet, time::Duration};

use anyhow::Result;
use chrono::{DateTime, Utc};
use contract::Position;
use futures::TryStreamExt;
use sqlx::{PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use super::MOST;
use crate::{
    Sources, Suspect,
    forks::Forks,
    stream::{self, Held, Place},
};

/// Publishing takes a moment. Its lease lasts longer, but `outbox` covers that.
const FRESH: Duration = Duration::from_secs(2);

/// Events this close to the stream's maximum age may expire during the look.
const MARGIN: Duration = Duration::from_secs(300);

/// The events of the log that the stream should hold.
const LOGGED: &str = "
select e.id, e.name, l.epoch, l.xid
from event_log l cross join lateral json_to_recordset(l.events) as e(id uuid, name text)
where l.at < $1 and l.at > $2
order by l.epoch, l.xid";

/// How long republishing may stall: if a node dies during it, until its lease expires (10 s) and the next node polls.
const REPUBLISH_PAUSE: Duration = Duration::from_secs(20);

/// The progress of republishing a lost stream: positions below are still missing.
const REPUBLISH: &str = "select epoch, xid from republish";

/// The event ids of commits at the given positions; those of trimmed commits are unknown.
const AT: &str = "
select p.epoch, p.xid, e.id,
       exists (select 1 from log_trim t where (t.epoch, t.xid) >= (p.epoch, p.xid)) as is_trimmed
from unnest($1::bigint[], $2::bigint[]) as p(epoch, xid)
left join event_log l on l.epoch = p.epoch and l.xid = p.xid
left join lateral json_to_recordset(l.events) as e(id uuid) on true";

pub(super) async fn inspect(sources: &Sources) -> Result<Vec<Suspect>> {
    let mut suspects = Vec::new();
    for (domain, database) in sources.domains()? {
        // The time first, then the stream, then the log, so that the log is the most recent.
        let now: DateTime<Utc> = sqlx::query_scalar("select clock_timestamp()").fetch_one(database).await?;
        match stream::read(sources, domain).await? {
            Some(held) => compare(domain, database, held, now, &mut suspects).await?,
            None => suspects.push(Suspect::new(format!("{domain}: stream"), "it does not exist")),
        }
    }
    Ok(suspects)
}

async fn compare(
    domain: &str,
    database: &PgPool,
    mut held: Held,
    now: DateTime<Utc>,
    suspects: &mut Vec<Suspect>,
) -> Result<()> {
    let (mut missing, mut unknown) = (Vec::new(), Vec::new());
    let republish = sqlx::query(REPUBLISH).fetch_optional(database).await?;
    let republish = republish.map(|row| position(&row)).transpose()?;
    let mut rows = sqlx::query(LOGGED).bind(now - FRESH).bind(oldest(&held, now)).fetch(database);
    while let Some(row) = rows.try_next().await? {
        let id: Uuid = row.try_get("id")?;
        if held.events.remove(&id).is_none() && missing.len() < MOST {
            let (name, position): (&str, _) = (row.try_get("name")?, position(&row)?);
            let (key, text) = (
                format!("{domain}: event {id}"),
                format!("{name} of commit {position} is in the log and not in the stream"),
            );
            missing.push(match republish.filter(|republish| position < *republish) {
                // The position in the text advances while republishing makes progress.
                Some(republish) => {
                    let text = format!("{text}, which is being republished and has reached {republish}");
                    Suspect::new(key, text).settled_after(REPUBLISH_PAUSE)
                }
                None => Suspect::new(key, text),
            });
        }
    }
    drop(rows);
    let forks = Forks::read(database).await?;
    let mut rest: Vec<(Uuid, Place)> = held.events.into_iter().collect();
    rest.sort_unstable_by_key(|(_, place)| place.sequence);
    for page in rest.chunks(1000) {
        let known = known(database, page).await?;
        unknown.extend(page.iter().filter(|(id, place)| !known.contains(&(*id, place.position))).map(|(id, place)| {
            let (sequence, position) = (place.sequence, place.position);
            let why = forks.explain(position);
            let text = format!("message {sequence} of the stream, commit {position}, is not in the log{why}");
            Suspect::new(format!("{domain}: event {id}"), text)
        }));
        if unknown.len() >= MOST {
            break;
        }
    }
    let strangers = held.strangers.into_iter().take(MOST).map(|sequence| {
        Suspect::new(format!("{domain}: message {sequence}"), "the stream's message has no headers of an event")
    });
    suspects.extend(missing.into_iter().chain(unknown).chain(strangers));
    Ok(())
}

fn position(row: &PgRow) -> Result<Position, sqlx::Error> {
    Ok(Position { epoch: row.try_get("epoch")?, xid: row.try_get("xid")? })
}

/// Events since this time must be in the stream.
fn oldest(held: &Held, now: DateTime<Utc>) -> DateTime<Utc> {
    let by_age = held.max_age.and_then(|age| now.checked_sub_signed(chrono::Duration::from_std(age).ok()?));
    let by_age = by_age.map_or(DateTime::UNIX_EPOCH, |at| at + MARGIN);
    held.full_since.map_or(by_age, |at| by_age.max(at + MARGIN))
}

/// The events of a page that the log has, with their positions. Trimmed events count as known.
async fn known(database: &PgPool, page: &[(Uuid, Place)]) -> Result<HashSet<(Uuid, Position)>> {
    let positions: HashSet<Position> = page.iter().map(|(_, place)| place.position).collect();
    let (epochs, xids): (Vec<i64>, Vec<i64>) = positions.iter().map(|p| (p.epoch, p.xid)).unzip();
    let (mut known, mut trimmed) = (HashSet::new(), HashSet::new());
    for row in sqlx::query(AT).bind(epochs).bind(xids).fetch_all(database).await? {
        let position = position(&row)?;
        if let Some(id) = row.try_get::<Option<Uuid>, _>("id")? {
            known.insert((id, position));
        } else if row.try_get("is_trimmed")? {
            trimmed.insert(position);
        }
    }
    let gone = page.iter().filter(|(_, place)| trimmed.contains(&place.position));
    known.extend(gone.map(|(id, place)| (*id, place.position)));
    Ok(known)
}
