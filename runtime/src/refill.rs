//! A stream that was lost is filled again from the log, for readers outside: newest first, slowly, without a person.
//! Nobody inside waits for it: catch-up brings consumers what they miss, from the log itself.

use std::time::Duration;

use contract::{Fault, Position, subject::internal};
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, PgPool, Row};
use uuid::Uuid;

use crate::{
    client::{Call, Client},
    database::Database,
    failure::Breakage,
    lease,
    log::commits_at,
    publisher::Publisher,
    stream::Streams,
};

/// Commits of one step. A step each 250 ms leaves the stream to those who publish now.
const STEP: i64 = 100;

/// The pause between two steps.
pub(crate) const PAUSE: Duration = Duration::from_millis(250);

/// What a request for a refill answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RefillStarted {
    pub is_started: bool,
}

/// An empty question.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RefillRequest {}

impl Client {
    /// Has a domain publish its log into its stream once more, as far back as the stream's age. The server's duplicate
    /// window drops little of it; consumers' inboxes drop all of it. Needs the rights of the operator.
    ///
    /// # Errors
    /// A fault, where the domain does not answer.
    pub async fn refill(&self, domain: &str) -> Result<(), Fault> {
        let call = Call::default();
        let _: RefillStarted = self.ask_internal(domain, internal::REFILL, &RefillRequest {}, &call).await?;
        Ok(())
    }
}

/// Begins a refill from the newest commit down to a floor, or to that of the one which is at work, if that is lower. An
/// empty log has nothing to fill with.
pub(crate) async fn begin(executor: impl PgExecutor<'_>, floor: Position) -> Result<RefillStarted, Breakage> {
    let begun = sqlx::query(
        "insert into refill (is_only, era, xid, floor_era, floor_xid)
         select true, era, xid + 1, $1, $2 from event_log order by era desc, xid desc limit 1
         on conflict (is_only) do update set (era, xid, floor_era, floor_xid) = (
             select excluded.era, excluded.xid, f.era, f.xid
             from (values (refill.floor_era, refill.floor_xid), (excluded.floor_era, excluded.floor_xid)) as f(era, xid)
             order by f.era, f.xid limit 1)",
    )
    .bind(floor.era)
    .bind(floor.xid)
    .execute(executor)
    .await?;
    let is_started = begun.rows_affected() == 1;
    if is_started {
        tracing::warn!("the stream is filled again from the log");
    }
    Ok(RefillStarted { is_started })
}

/// One step of a refill, if there is one and its lease is ours. Gives whether there is more to do.
pub(crate) async fn step(
    db: &Database,
    streams: &Streams,
    publisher: &Publisher,
    node: Uuid,
) -> Result<bool, Breakage> {
    let Some(Refill { below, floor, writer }) = present(&db.lanes).await? else { return Ok(false) };
    if !lease::hold(&db.lanes, "refill", node, Duration::from_secs(10)).await? {
        return Ok(false);
    }
    let rows = sqlx::query(
        // The age is looked at in the page and does not choose it: the log may be long, and has no index by time.
        "select era, xid, at > clock_timestamp() - make_interval(secs => $3) as is_young from event_log
         where (era, xid) < ($1, $2) and (era, xid) >= ($5, $6) order by era desc, xid desc limit $4",
    )
    .bind(below.era)
    .bind(below.xid)
    .bind(streams.max_age().as_secs_f64())
    .bind(STEP)
    .bind(floor.era)
    .bind(floor.xid)
    .fetch_all(&db.lanes)
    .await?;
    let mut positions = Vec::with_capacity(rows.len());
    for row in rows {
        if row.try_get("is_young")? {
            positions.push(Position { era: row.try_get("era")?, xid: row.try_get("xid")? });
        }
    }
    let Some(lowest) = positions.iter().min().copied() else {
        // Only this one: another may have begun since.
        sqlx::query("delete from refill where xmin::text = $1").bind(writer).execute(&db.lanes).await?;
        tracing::info!(domain = streams.domain(), "the stream is filled again");
        return Ok(false);
    };
    let mut commits = commits_at(&mut *db.lanes.acquire().await?, &positions).await?;
    commits.reverse();
    for commit in commits {
        if !publisher.publish_again(&commit).await {
            return Err(Breakage::other("the stream does not confirm: the refill goes on later"));
        }
    }
    crate::fail_point("refill.after_publish");
    // Or these could be lost in their turn, and nobody would know.
    publisher.mark().await?;
    crate::fail_point("refill.after_mark");
    sqlx::query("update refill set era = $1, xid = $2 where xmin::text = $3")
        .bind(lowest.era)
        .bind(lowest.xid)
        .bind(writer)
        .execute(&db.lanes)
        .await?;
    metrics::counter!("stream_refilled_commits_total", "domain" => streams.domain()).increment(positions.len() as u64);
    Ok(true)
}

/// A refill at work.
struct Refill {
    below: Position,
    floor: Position,
    /// Which transaction wrote its row: a stream that is lost a second time begins its refill anew, mostly at the very
    /// same position, and what a step had put into the first one says nothing about the second.
    writer: String,
}

async fn present(pool: &PgPool) -> Result<Option<Refill>, Breakage> {
    let row = sqlx::query("select *, xmin::text as writer from refill").fetch_optional(pool).await?;
    Ok(row
        .map(|row| {
            Ok::<_, sqlx::Error>(Refill {
                below: Position { era: row.try_get("era")?, xid: row.try_get("xid")? },
                floor: Position { era: row.try_get("floor_era")?, xid: row.try_get("floor_xid")? },
                writer: row.try_get("writer")?,
            })
        })
        .transpose()?)
}
