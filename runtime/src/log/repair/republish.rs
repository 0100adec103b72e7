//! Republishes the log to a stream that has lost messages, for readers outside the system: newest first, throttled, and
//! started automatically. The system's own consumers do not depend on it: catch-up reads from the log what they miss.

use std::time::Duration;

use contract::{Position, ServiceError, subject::internal};
use serde::{Deserialize, Serialize};
use sqlx::{PgExecutor, PgPool, Row};
use uuid::Uuid;

use crate::{
    database::{Database, lease, position},
    error::InternalError,
    log::{event_log::commits_at, publisher::Publisher, stream::Streams},
    rpc::{
        builtin::BuiltinRequest,
        client::{Call, Client},
    },
};

/// Commits per step. A pause of 250 ms between steps leaves capacity for current publishers.
const STEP: i64 = 100;

/// The pause between two steps.
pub(crate) const PAUSE: Duration = Duration::from_millis(250);

/// The reply to a request for a republish.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RepublishStarted {
    pub is_started: bool,
}

/// An empty request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RepublishRequest {}

impl Client {
    /// Makes a domain republish its log to its stream, as far back as the stream's maximum age. The stream stores the
    /// messages again; the inboxes of consumers drop all of them as duplicates. Requires the operator's permissions.
    ///
    /// # Errors
    /// A service error if the domain does not answer.
    pub async fn republish(&self, domain: &str) -> Result<(), ServiceError> {
        self.ask_builtin(domain, &RepublishRequest {}, &Call::default()).await?;
        Ok(())
    }
}

impl BuiltinRequest for RepublishRequest {
    type Reply = RepublishStarted;

    const INTERNAL: &'static str = internal::REPUBLISH;
}

/// Starts a republish from the newest commit down to a low watermark, or down to that of the republish in progress if
/// that is lower. Starts nothing if the log is empty.
pub(crate) async fn begin(
    executor: impl PgExecutor<'_>,
    low_watermark: Position,
) -> Result<RepublishStarted, InternalError> {
    let sql = "insert into republish (is_only, epoch, xid, low_watermark_epoch, low_watermark_xid)
         select true, epoch, xid + 1, $1, $2 from event_log order by epoch desc, xid desc limit 1
         on conflict (is_only) do update set (epoch, xid, low_watermark_epoch, low_watermark_xid) = (
             select excluded.epoch, excluded.xid, f.epoch, f.xid
             from (values (republish.low_watermark_epoch, republish.low_watermark_xid),
                          (excluded.low_watermark_epoch, excluded.low_watermark_xid)) as f(epoch, xid)
             order by f.epoch, f.xid limit 1)";
    let begun = sqlx::query(sql).bind(low_watermark.epoch).bind(low_watermark.xid).execute(executor).await?;
    let is_started = begun.rows_affected() == 1;
    if is_started {
        tracing::warn!("republishing the log into the stream");
    }
    Ok(RepublishStarted { is_started })
}

/// Runs one step of the republish in progress, if this node holds its lease. Returns whether there is more to do.
pub(crate) async fn step(
    db: &Database,
    streams: &Streams,
    publisher: &Publisher,
    node: Uuid,
) -> Result<bool, InternalError> {
    let Some(Republish { below, low_watermark, writer }) = present(&db.lanes).await? else { return Ok(false) };
    if !lease::hold(&db.lanes, "republish", node, Duration::from_secs(10)).await? {
        return Ok(false);
    }
    let rows = sqlx::query(
        // The age does not select the page but is computed for its rows: the log may be long and has no index on time.
        "select epoch, xid, at > clock_timestamp() - make_interval(secs => $3) as is_young from event_log
         where (epoch, xid) < ($1, $2) and (epoch, xid) >= ($5, $6) order by epoch desc, xid desc limit $4",
    )
    .bind(below.epoch)
    .bind(below.xid)
    .bind(streams.max_age().as_secs_f64())
    .bind(STEP)
    .bind(low_watermark.epoch)
    .bind(low_watermark.xid)
    .fetch_all(&db.lanes)
    .await?;
    let mut positions = Vec::with_capacity(rows.len());
    for row in rows {
        if row.try_get("is_young")? {
            positions.push(position(&row)?);
        }
    }
    let Some(lowest) = positions.iter().min().copied() else {
        // Delete only the row that was read: another republish may have started since.
        sqlx::query("delete from republish where xmin::text = $1").bind(writer).execute(&db.lanes).await?;
        tracing::info!(domain = streams.domain, "republish finished");
        return Ok(false);
    };
    let mut commits = commits_at(&mut *db.lanes.acquire().await?, &positions).await?;
    commits.reverse();
    for commit in commits {
        if !publisher.publish_again(&commit).await {
            return Err(InternalError::other("the stream does not confirm: the republish continues later"));
        }
    }
    crate::fail_point("republish.after_publish");
    // Without a checkpoint, a loss of the republished messages would go undetected.
    publisher.write_checkpoint().await?;
    crate::fail_point("republish.after_checkpoint");
    sqlx::query("update republish set epoch = $1, xid = $2 where xmin::text = $3")
        .bind(lowest.epoch)
        .bind(lowest.xid)
        .bind(writer)
        .execute(&db.lanes)
        .await?;
    metrics::counter!("stream_republished_commits_total", "domain" => streams.domain).increment(positions.len() as u64);
    Ok(true)
}

/// A republish in progress.
struct Republish {
    below: Position,
    low_watermark: Position,
    /// The transaction that wrote the row. A stream that is lost a second time starts its republish anew, often at the
    /// same position, and the progress of a step in the first republish must not count for the second.
    writer: String,
}

async fn present(pool: &PgPool) -> Result<Option<Republish>, InternalError> {
    let row = sqlx::query("select *, xmin::text as writer from republish").fetch_optional(pool).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Republish {
        below: position(&row)?,
        low_watermark: Position { epoch: row.try_get("low_watermark_epoch")?, xid: row.try_get("low_watermark_xid")? },
        writer: row.try_get("writer")?,
    }))
}
