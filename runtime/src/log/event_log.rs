//! The event log: one row per commit, and the queries by which consumers read it.

mod events;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contract::{EventHead, Position, subject};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool, Row, types::Json};
use uuid::Uuid;

use crate::{
    api::tx::EmittedEvent,
    database::{begin_epoch, position},
    error::InternalError,
    rpc::builtin::BuiltinRequest,
};

pub(crate) use events::EventsRequest;

/// Count and xor of the low halves of the ids of one type in one commit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Digest {
    pub count: i64,
    pub xor: i64,
}

impl Digest {
    /// The digest of these events.
    pub(crate) fn of(ids: impl Iterator<Item = Uuid>) -> Self {
        let mut digest = Self::default();
        ids.for_each(|id| digest.add(id));
        digest
    }

    pub(crate) fn add(&mut self, id: Uuid) {
        self.count += 1;
        self.xor ^= id_hash(id);
    }
}

/// The low half of an event's id, from which digests are computed.
pub(crate) fn id_hash(id: Uuid) -> i64 {
    let (_, low) = id.as_u64_pair();
    i64::from_ne_bytes(low.to_ne_bytes())
}

/// A commit of the log with its events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LoggedCommit {
    pub position: Position,
    pub at: DateTime<Utc>,
    pub events: Vec<EmittedEvent>,
}

/// A request to the owner for the commits above a position.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LogRequest {
    pub after: Position,
    /// Commits younger than this are left out.
    pub delay_ms: i64,
}

impl BuiltinRequest for LogRequest {
    type Reply = LogPage;

    const INTERNAL: &'static str = subject::internal::LOG;
    const IS_FOR_CONSUMERS: bool = true;
}

/// One commit, without its events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LogRow {
    pub position: Position,
    pub digest: BTreeMap<String, Digest>,
}

/// Commits in order of their positions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LogPage {
    /// The owner's epoch.
    pub epoch: i64,
    /// Every commit between `after` and here is settled and contained in `rows`.
    pub horizon: Position,
    /// The commits that are older than the delay, including those above the horizon.
    pub rows: Vec<LogRow>,
    /// The position up to which the log was trimmed. A cursor below it would have to skip events.
    pub trimmed: Option<Position>,
    /// The position after which the next page begins, if there is one.
    pub next: Option<Position>,
}

/// The most rows of a page, so that a page fits into one message.
const PAGE: i64 = 1000;

/// Reads a page. R4: the horizon is read before the rows; otherwise a late commit with a low id would be skipped. R5:
/// it is lowered to below every commit that this page leaves out.
pub(crate) async fn page(pool: &PgPool, request: &LogRequest) -> Result<LogPage, InternalError> {
    let mut connection = pool.acquire().await?;
    // The epoch of the running server. Right after a restore, the newest one in the table belongs to an earlier start.
    begin_epoch(&mut connection).await?;
    let sql = "select (select epoch from epoch where started = pg_postmaster_start_time()) as epoch,
                pg_snapshot_xmin(pg_current_snapshot())::text::bigint as xmin";
    let row = sqlx::query(sql).fetch_one(&mut *connection).await?;
    let (epoch, xmin): (i64, i64) = (row.try_get("epoch")?, row.try_get("xmin")?);
    let mut horizon = Position { epoch, xid: xmin - 1 };
    let sql = "select epoch, xid, digest, at > clock_timestamp() - make_interval(secs => $3::float8 / 1000) as young
         from event_log where (epoch, xid) > ($1, $2) order by epoch, xid limit $4";
    let rows = sqlx::query(sql)
        .bind(request.after.epoch)
        .bind(request.after.xid)
        .bind(request.delay_ms)
        .bind(PAGE)
        .fetch_all(&mut *connection)
        .await?;
    let is_cut = rows.len() == usize::try_from(PAGE).unwrap_or(usize::MAX);
    let mut next = None;
    let mut last_old = request.after;
    let mut old = Vec::with_capacity(rows.len());
    for row in rows {
        let position = position(&row)?;
        next = Some(position);
        if row.try_get("young")? {
            horizon = horizon.min(position.just_below());
        } else {
            let Json(digest) = row.try_get("digest")?;
            last_old = position;
            old.push(LogRow { position, digest });
        }
    }
    // Transactions above the last commit may have ended without committing. A server that crashes may assign their ids
    // again; only the ids of commits are certain to survive.
    horizon = horizon.min(last_old);
    let trimmed = sqlx::query("select epoch, xid from log_trim order by epoch desc, xid desc limit 1")
        .fetch_optional(&mut *connection)
        .await?
        .map(|row| position(&row))
        .transpose()?;
    Ok(LogPage { epoch, horizon, rows: old, trimmed, next: next.filter(|_| is_cut) })
}

/// Reads commits by position.
pub(crate) async fn commits_at(
    connection: &mut PgConnection,
    positions: &[Position],
) -> Result<Vec<LoggedCommit>, InternalError> {
    let (epochs, xids): (Vec<i64>, Vec<i64>) = positions.iter().map(|p| (p.epoch, p.xid)).unzip();
    let sql = "select l.epoch, l.xid, l.at, l.events::text as events from event_log l
         join unnest($1::bigint[], $2::bigint[]) as p(epoch, xid) using (epoch, xid) order by l.epoch, l.xid";
    let rows = sqlx::query(sql).bind(epochs).bind(xids).fetch_all(connection).await?;
    rows.into_iter()
        .map(|row| {
            let events: String = row.try_get("events")?;
            Ok(LoggedCommit {
                position: position(&row)?,
                at: row.try_get("at")?,
                events: serde_json::from_str(&events).map_err(InternalError::other)?,
            })
        })
        .collect()
}

/// The head of a logged event.
pub(crate) fn head<'a>(
    source: &'a str,
    position: Position,
    at: DateTime<Utc>,
    event: &'a EmittedEvent,
) -> EventHead<&'a str> {
    EventHead {
        id: event.id,
        source,
        name: &event.name,
        entity: event.entity,
        version: event.version,
        at,
        position,
        cause: event.cause,
        request_id: event.request_id.as_deref(),
        traceparent: event.traceparent.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_hash_is_what_the_database_would_compute() {
        let id: Uuid = "0198aaaa-bbbb-7ccc-8123-456789abcdef".parse().unwrap();
        assert_eq!(
            id_hash(id),
            i64::from_str_radix("8123456789abcdef", 16)
                .unwrap_or_else(|_| { i64::from_ne_bytes(0x8123_4567_89ab_cdef_u64.to_ne_bytes()) })
        );
    }
}
