//! Deletes the old part of a domain's log that every consumer has handled, and trims the history that the domain keeps
//! besides. Never automatic: the operator requests it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use contract::{Detail, DetailCode, ErrorKind, Position, ServiceError, subject::internal};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, Row};
use uuid::Uuid;

use crate::{
    api::routes::{EventRoute, TrimHistory},
    database::{lease, position},
    error::InternalError,
    log::stream::Streams,
    rpc::{
        builtin::{BuiltinRequest, Outcome, first_reply},
        client::{Call, Client},
    },
};

/// The most commits deleted, or rows of the history trimmed, in one transaction.
const SLICE: u64 = 1000;

/// The most slices in one request. The caller repeats the request until it is done, and can report progress.
const SLICES: usize = 20;

const DEADLINE: Duration = Duration::from_secs(30);

/// The lease of a trim, which is longer than any statement may take.
const LEASE: &str = "trim";
const LEASE_LENGTH: Duration = Duration::from_secs(15);

/// A request to a domain for how far it has handled the events of `source`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ConsumedRequest {
    pub source: String,
}

/// How far a domain has handled the events of another domain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consumed {
    /// The position up to which the domain has handled all event types that its running nodes consume; absent if they
    /// consume none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<Position>,
    /// Whether the domain has a projection of these events, which it can rebuild only from the complete log.
    pub is_rebuilt_from: bool,
}

/// A request to a domain to delete old commits of its log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TrimRequest {
    /// The position up to which every consumer has handled the log.
    pub up_to: Position,
    pub older_than_seconds: u64,
}

/// The result of a trim request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trimmed {
    /// The number of deleted commits.
    pub commits: u64,
    /// The number of trimmed rows of the domain's history.
    #[serde(default)]
    pub history: u64,
    /// Whether no more can be trimmed for this request. False if the caller should repeat it.
    pub is_done: bool,
}

impl Client {
    /// Returns how far `consumer` has handled the events of `source`. Requires the operator's permissions.
    ///
    /// # Errors
    /// A service error if the domain does not answer.
    pub async fn consumed(&self, consumer: &str, source: &str) -> Result<Consumed, ServiceError> {
        let request = ConsumedRequest { source: source.to_owned() };
        Ok(self.ask_builtin(consumer, &request, &Call::default()).await?.reply)
    }

    /// Makes a domain delete the commits of its log that lie at or below `up_to` and are older than `retention`: up to
    /// 20,000 per request. Then trims as many rows of its history older than `retention`, which no other domain reads.
    /// Requires the operator's permissions.
    ///
    /// # Errors
    /// A service error if `retention` is shorter than the maximum age of the domain's stream, or the domain does not
    /// answer.
    pub async fn trim(&self, domain: &str, up_to: Position, retention: Duration) -> Result<Trimmed, ServiceError> {
        let request = TrimRequest { up_to, older_than_seconds: retention.as_secs() };
        let call = Call { deadline: DEADLINE, ..Call::default() };
        Ok(self.ask_builtin(domain, &request, &call).await?.reply)
    }
}

impl BuiltinRequest for ConsumedRequest {
    type Reply = Consumed;

    const INTERNAL: &'static str = internal::CONSUMED;
}

impl BuiltinRequest for TrimRequest {
    type Reply = Trimmed;

    const INTERNAL: &'static str = internal::TRIM;
}

/// Reads how far this domain has handled the events of a source. The cursors are those of the types that it handles,
/// and of `recently_used`, which another version of the domain handles.
pub(crate) async fn consumed(
    domain: &str,
    pool: &PgPool,
    routes: &[EventRoute],
    source: &str,
    recently_used: BTreeSet<String>,
) -> Result<Consumed, InternalError> {
    let routes: Vec<&EventRoute> = routes.iter().filter(|route| route.source == source).collect();
    let mut names = recently_used;
    names.extend(routes.iter().map(|route| route.name.to_owned()));
    let rows =
        sqlx::query("select name, epoch, xid from cursor where source = $1").bind(source).fetch_all(pool).await?;
    let mut cursors: BTreeMap<String, Position> = names.into_iter().map(|name| (name, Position::START)).collect();
    for row in rows {
        let name: String = row.try_get("name")?;
        match cursors.get_mut(&name) {
            Some(cursor) => *cursor = position(&row)?,
            // Left by a version of the domain that handled the type: it would hold back every trim.
            None => tracing::info!(domain, source, name, "cursor of an unregistered event ignored"),
        }
    }
    let up_to = cursors.into_values().min();
    let is_rebuilt_from = routes.iter().any(|route| route.reset.is_some());
    Ok(Consumed { up_to, is_rebuilt_from })
}

/// Deletes commits in slices, then the history of the domain. A service error if the log would be shorter than the
/// stream, or another trim is running.
pub(crate) async fn run(
    pool: &PgPool,
    streams: &Streams,
    history: Option<&TrimHistory>,
    request: &TrimRequest,
) -> Outcome<Trimmed> {
    let (oldest, retention) = (streams.max_age(), Duration::from_secs(request.older_than_seconds));
    if retention < oldest {
        // Every event in the stream must also be in the log.
        let text = "The log must be kept for as long as the stream keeps events.";
        let detail = Detail::new("older_than_seconds", DetailCode::Range, "is less than the stream's age");
        let error = ServiceError::new(ErrorKind::Invalid, "retention_too_short", text);
        return Ok(Err(error.about(detail.with("min", oldest.as_secs()))));
    }
    let turn = Turn { pool, holder: Uuid::now_v7() };
    if !turn.hold().await? {
        let text = "Another trim of this log is running. Try again.";
        return Ok(Err(ServiceError::new(ErrorKind::Conflict, "trim_in_progress", text)));
    }
    let mut trimmed = Trimmed::default();
    (trimmed.commits, trimmed.is_done) = turn.in_slices(|| slice(pool, request.up_to, retention)).await?;
    if let Some(trim) = history.filter(|_| trimmed.is_done) {
        (trimmed.history, trimmed.is_done) = turn.in_slices(|| trim(pool.clone(), retention, SLICE)).await?;
    }
    lease::release(pool, LEASE, turn.holder).await?;
    let Trimmed { commits, history, is_done } = trimmed;
    tracing::info!(commits, history, is_done, "log trimmed");
    first_reply(trimmed)
}

/// One trim runs at a time: slices that overlap would wait for each other's rows.
struct Turn<'a> {
    pool: &'a PgPool,
    holder: Uuid,
}

impl Turn<'_> {
    /// Takes or renews the turn.
    async fn hold(&self) -> Result<bool, InternalError> {
        lease::hold(self.pool, LEASE, self.holder, LEASE_LENGTH).await
    }

    /// Runs up to [`SLICES`] slices, while the turn lasts. Returns the sum of their sizes, and whether the last one was
    /// short.
    async fn in_slices<F>(&self, mut slice: impl FnMut() -> F) -> Result<(u64, bool), InternalError>
    where
        F: Future<Output = Result<u64, InternalError>>,
    {
        let mut trimmed = 0;
        for _ in 0..SLICES {
            if !self.hold().await? {
                break;
            }
            let size = slice().await?;
            trimmed += size;
            if size < SLICE {
                return Ok((trimmed, true));
            }
        }
        Ok((trimmed, false))
    }
}

/// Deletes the first commits, up to one that is too recent, not yet published or not yet handled everywhere, and
/// records the last deleted position in the same transaction.
async fn slice(pool: &PgPool, up_to: Position, retention: Duration) -> Result<u64, InternalError> {
    let mut transaction = pool.begin().await?;
    let sql = "select l.epoch, l.xid, l.at < now() - make_interval(secs => $3) and o.xid is null as may_go
         from event_log l left join outbox o on o.epoch = l.epoch and o.xid = l.xid
         where (l.epoch, l.xid) <= ($1, $2) order by l.epoch, l.xid limit $4";
    let rows = sqlx::query(sql)
        .bind(up_to.epoch)
        .bind(up_to.xid)
        .bind(retention.as_secs_f64())
        .bind(SLICE.cast_signed())
        .fetch_all(&mut *transaction)
        .await?;
    let mut last = None;
    for row in rows {
        if !row.try_get::<bool, _>("may_go")? {
            break;
        }
        last = Some(position(&row)?);
    }
    let Some(last) = last else { return Ok(0) };
    let deleted = sqlx::query("delete from event_log where (epoch, xid) <= ($1, $2)")
        .bind(last.epoch)
        .bind(last.xid)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("delete from log_trim").execute(&mut *transaction).await?;
    sqlx::query("insert into log_trim (epoch, xid) values ($1, $2)")
        .bind(last.epoch)
        .bind(last.xid)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(deleted.rows_affected())
}
