//! Rebuilds a projection: the domain resets it, and catch-up reads all events of the source domain again, from its log.
//! For projections only: reactions with other consequences must not handle an event twice.

use std::{collections::BTreeSet, time::Duration};

use contract::{Detail, DetailCode, ErrorKind, Position, ServiceError, subject::internal};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::{
    api::{routes::EventRoute, tx::Tx},
    error::{InternalError, RetryClass},
    log::event_log::LogRequest,
    rpc::{
        builtin::{BuiltinRequest, Outcome, first_reply},
        client::{Call, Client},
    },
};

/// The number of attempts if a lane, a backup or a check holds the tables longer than the lock timeout.
const ATTEMPTS: u32 = 5;

/// The pause between two attempts, in which the lanes process what was blocked.
const PAUSE: Duration = Duration::from_millis(500);

/// The timeout of the operator's request.
const DEADLINE: Duration = Duration::from_secs(30);

/// Selects the projection to rebuild.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RebuildRequest {
    /// The domain whose events it stores.
    pub source: String,
}

/// The reply to a request to rebuild a projection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RebuildStarted {
    /// The types of events that are handled again.
    pub names: Vec<String>,
}

impl Client {
    /// Makes a domain reset its projection of the events of `source` and rebuild it. Returns the types of events that
    /// are handled again, within seconds to minutes, from the log of `source`. Requires the operator's permissions.
    ///
    /// # Errors
    /// A service error if the domain handles no events of `source` or reacts to any of them beyond a projection, if the
    /// log of `source` was trimmed, or if either domain does not answer.
    pub async fn rebuild(&self, domain: &str, source: &str) -> Result<Vec<String>, ServiceError> {
        let request = RebuildRequest { source: source.to_owned() };
        let call = Call { deadline: DEADLINE, ..Call::default() };
        Ok(self.ask_builtin(domain, &request, &call).await?.reply.names)
    }
}

impl BuiltinRequest for RebuildRequest {
    type Reply = RebuildStarted;

    const INTERNAL: &'static str = internal::REBUILD;
}

/// Resets the projection of a source, so that catch-up rebuilds it. A service error if that is not possible.
pub(crate) async fn begin(
    domain: &str,
    pool: &PgPool,
    routes: &[EventRoute],
    client: &Client,
    source: &str,
) -> Outcome<RebuildStarted> {
    let routes: Vec<&EventRoute> = routes.iter().filter(|route| route.source == source).collect();
    if routes.is_empty() {
        let text = format!("{domain} does not consume events of {source}.");
        return Ok(Err(rejected(ErrorKind::NotFound, "unknown_source", text, "no handler is registered for it")));
    }
    let acting: Vec<_> = routes.iter().filter(|route| route.reset.is_none()).map(|route| route.name).collect();
    if !acting.is_empty() {
        let text = format!("{domain} emits events or effects for events of {source}, so it cannot be rebuilt.");
        let detail = format!("not a projection: {}", acting.join(", "));
        return Ok(Err(rejected(ErrorKind::Conflict, "not_a_projection", text, detail)));
    }
    // A trimmed log could not restore what is reset, and catch-up would stop for good below its first position.
    let question = LogRequest { after: Position::START, delay_ms: 0 };
    let page = client.ask_builtin(source, &question, &Call::default()).await?.reply;
    if let Some(trimmed) = page.trimmed {
        let text = format!("The log of {source} was trimmed, so {domain} could not be restored from it.");
        return Ok(Err(rejected(ErrorKind::Conflict, "log_trimmed", text, format!("it was trimmed up to {trimmed}"))));
    }
    let mut attempt = 1;
    loop {
        match reset(pool, source, &routes).await {
            Ok(()) => break,
            Err(error) if attempt < ATTEMPTS && error.retry_class() != RetryClass::Data => {
                tracing::debug!(domain, source, %error, "projection not reset yet");
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
    let names: BTreeSet<String> = routes.iter().map(|route| route.name.to_owned()).collect();
    tracing::warn!(domain, source, ?names, "projection reset, rebuilding from the log");
    first_reply(RebuildStarted { names: names.into_iter().collect() })
}

fn rejected(kind: ErrorKind, code: &str, text: String, detail: impl Into<String>) -> ServiceError {
    let detail_code = if kind == ErrorKind::NotFound { DetailCode::NotFound } else { DetailCode::Conflict };
    ServiceError::new(kind, code, text).about(Detail::new("source", detail_code, detail))
}

/// Deletes the projection, its inbox rows and its cursors in one transaction. No concurrent transaction may rely on any
/// of them:
///
/// - A lane reads `cursor` before it handles an event (R1), so a lock that excludes readers waits until the lane has
///   committed, and its writes are deleted with the rest. A lane that reads `cursor` later does all its work
///   afterwards, including its inbox row.
/// - A catch-up that has read a cursor might advance it from there. It reads the cursor in the transaction that
///   advances it (R2), so the same lock waits for that transaction; the next catch-up finds the cursor lowered and
///   gives up.
/// - A redrive does not read a cursor (R11). It commits before the lock on `dead_letter` is granted, or finds its row
///   deleted.
/// - The locks are taken in the same order as in lanes.
///
/// The newest epoch seen is kept (R14): the stream may still hold events of an epoch that a restore has ended.
async fn reset(pool: &PgPool, source: &str, routes: &[&EventRoute]) -> Result<(), InternalError> {
    let mut transaction = pool.begin().await?;
    // Lanes are blocked while this waits for a lock, so time out early and retry. The deletes themselves may be large.
    sqlx::raw_sql("set local lock_timeout = '1s'; set local statement_timeout = '20s'")
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql("lock table cursor in access exclusive mode; lock table dead_letter in share row exclusive mode")
        .execute(&mut *transaction)
        .await?;
    let now = sqlx::query_scalar("select now()").fetch_one(&mut *transaction).await?;
    let mut tx = Tx::new(&mut transaction, now, &[]);
    for reset in routes.iter().filter_map(|route| route.reset.as_ref()) {
        reset(&mut tx).await?;
        tx.flush().await?;
    }
    if !tx.events.is_empty() {
        return Err(InternalError::other("a projection emitted an event during its reset"));
    }
    // Dead-lettered events are handled again too, and dead-lettered again if they still fail.
    for delete in [
        "delete from inbox where source = $1 and name = any($2)",
        "delete from dead_letter where source = $1 and name = any($2)",
        "delete from cursor where source = $1 and name = any($2)",
    ] {
        let names: Vec<&str> = routes.iter().map(|route| route.name).collect();
        sqlx::query(delete).bind(source).bind(names).execute(&mut *transaction).await?;
    }
    sqlx::query("delete from attempt where source = $1").bind(source).execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}
