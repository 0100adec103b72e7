//! A projection is made anew: a domain forgets what another one told it, and catch-up brings all of it once more, from
//! the other's log. For projections only: what acts on events must never hear one twice.

use std::{collections::BTreeSet, time::Duration};

use contract::{Detail, DetailCode, ErrorKind, Fault, Position, subject::internal};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::{
    client::{Call, Client},
    failure::{Blame, Breakage},
    log::{LogPage, LogRequest},
    operation::EventRoute,
    tx::Tx,
};

/// How often it is tried where a lane, a backup or a check holds the tables longer than it waits.
const ATTEMPTS: u32 = 5;

/// The pause between two tries, in which the lanes work off what waited.
const PAUSE: Duration = Duration::from_millis(500);

/// How long the operator waits.
const DEADLINE: Duration = Duration::from_secs(30);

/// Which projection is made anew.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RebuildRequest {
    /// The domain that told it.
    pub source: String,
}

/// What a request to make a projection anew answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RebuildStarted {
    /// The types of events that come again.
    pub names: Vec<String>,
}

impl Client {
    /// Has a domain forget what `source` told it, and hear all of it again. Gives the types of events that come again,
    /// within seconds to minutes, from the log of `source`. Needs the rights of the operator.
    ///
    /// # Errors
    /// A fault: where the domain acts on what it hears instead of only showing it, where the log of `source` was
    /// trimmed, or where either does not answer.
    pub async fn rebuild(&self, domain: &str, source: &str) -> Result<Vec<String>, Fault> {
        let request = RebuildRequest { source: source.to_owned() };
        let call = Call { deadline: DEADLINE, ..Call::default() };
        let started: RebuildStarted = self.ask_internal(domain, internal::REBUILD, &request, &call).await?;
        Ok(started.names)
    }
}

/// Forgets what a source told, so that catch-up brings it again; or says why that cannot be.
pub(crate) async fn begin(
    domain: &'static str,
    pool: &PgPool,
    client: &Client,
    routes: &[EventRoute],
    request: &RebuildRequest,
) -> Result<Result<RebuildStarted, Fault>, Breakage> {
    let source = &request.source;
    let routes: Vec<&EventRoute> = routes.iter().filter(|route| route.source == *source).collect();
    if routes.is_empty() {
        let text = format!("{domain} hears nothing of {source}.");
        return Ok(Err(refused(ErrorKind::NotFound, "unknown_source", text, "nothing is registered for it")));
    }
    let acting: Vec<_> = routes.iter().filter(|route| route.projection.is_none()).map(|route| route.name).collect();
    if !acting.is_empty() {
        let text =
            format!("{domain} acts on what {source} tells, so it must hear nothing twice: it cannot be rebuilt.");
        let detail = format!("no projection: {}", acting.join(", "));
        return Ok(Err(refused(ErrorKind::Conflict, "not_a_projection", text, detail)));
    }
    // A trimmed log could not bring what is forgotten, and catch-up would stop for ever below its first position.
    let question = LogRequest { after: Position::START, delay_ms: 0 };
    let page: LogPage = client.ask_internal(source, internal::LOG, &question, &Call::default()).await?;
    if let Some(trimmed) = page.trimmed {
        let text = format!("The log of {source} was trimmed: what {domain} forgot would not come again.");
        return Ok(Err(refused(ErrorKind::Conflict, "log_trimmed", text, format!("its first commits, to {trimmed}"))));
    }
    let mut attempt = 1;
    loop {
        match forget(pool, source, &routes).await {
            Ok(()) => break,
            Err(breakage) if attempt < ATTEMPTS && breakage.blame() != Blame::Data => {
                tracing::debug!(domain, source, %breakage, "a projection is not forgotten yet");
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(breakage) => return Err(breakage),
        }
    }
    let names: BTreeSet<String> = routes.iter().map(|route| route.name.to_owned()).collect();
    tracing::warn!(domain, source, ?names, "a projection is made anew from the log");
    Ok(Ok(RebuildStarted { names: names.into_iter().collect() }))
}

fn refused(kind: ErrorKind, code: &str, text: String, detail: impl Into<String>) -> Fault {
    let detail_code = if kind == ErrorKind::NotFound { DetailCode::NotFound } else { DetailCode::Conflict };
    Fault::new(kind, code, text).about(Detail::new("source", detail_code, detail))
}

/// The projection, its inbox rows and its cursors go in one transaction, and nobody may be in the middle of anything that
/// relies on one of them:
///
/// - A lane has read `cursor` before it handles an event (R1), so a lock that shuts out readers waits until it is
///   finished, and what it wrote is forgotten with the rest. One that comes to its reading later does all its work in
///   the time afterwards, its inbox row among it.
/// - A catch-up that has read a cursor might move it up from where it was. It has read it in the transaction that
///   moves (R2), so the same lock waits for it; the next one finds the cursor fallen and gives up.
/// - A redrive asks no cursor (R11). It is finished before the lock on `dead_letter` is granted, or finds its row gone.
/// - The locks are taken in the order in which lanes take theirs.
///
/// The newest era that was seen stays (R14): the stream may still hold what a restore has ended.
async fn forget(pool: &PgPool, source: &str, routes: &[&EventRoute]) -> Result<(), Breakage> {
    let mut transaction = pool.begin().await?;
    // Lanes wait for as long as this does: rather try again. What is forgotten may be large, though.
    sqlx::raw_sql("set local lock_timeout = '1s'; set local statement_timeout = '20s'")
        .execute(&mut *transaction)
        .await?;
    sqlx::raw_sql("lock table cursor in access exclusive mode; lock table dead_letter in share row exclusive mode")
        .execute(&mut *transaction)
        .await?;
    let now = sqlx::query_scalar("select now()").fetch_one(&mut *transaction).await?;
    let mut tx = Tx::new(&mut transaction, now, &[]);
    for projection in routes.iter().filter_map(|route| route.projection.as_ref()) {
        projection.forget(&mut tx).await?;
    }
    if !tx.events.is_empty() {
        return Err(Breakage::other("a projection told something while it forgot"));
    }
    // What was parked comes again as well, and is parked anew where it still fails.
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
