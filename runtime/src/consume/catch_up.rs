//! Catch-up: the only recovery path. Each second, for each source, one node compares the owner's log with its own
//! inbox, requests the missing events, hands them to the lanes like any delivery, and moves the cursors up. It covers a
//! killed node, a lost or wiped stream, a new event type, a database restored from a backup, and a new projection.
//!
//! docs/catch-up.md lists the rules, each with what breaks without it; comments refer to them by number (R1 to R15).

mod compare;
pub(crate) mod cursors;
mod owner;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use contract::{EventHead, Position};
use uuid::Uuid;

use crate::{
    consume::consumer::Consumer,
    database::{Database, lease},
    error::InternalError,
    log::event_log::LogRequest,
    rpc::client::Client,
};

/// Commits younger than this are left to the stream, which is faster, so that catch-up never races a healthy one.
const DELAY: Duration = Duration::from_secs(2);

/// The most that the stream's lag adds to [`DELAY`]: a stream that never recovers must not stop the repair.
const MAX_LAG_MS: i64 = 30_000;

/// The most inbox rows that one pass prunes.
const PRUNED: i64 = 20_000;

/// How long the lease is kept before it is released, so that an old node cannot keep a new type from being repaired.
const KEEP: Duration = Duration::from_secs(10);

pub(crate) struct CatchUp {
    pub consumer: Arc<Consumer>,
    pub db: Database,
    pub client: Client,
    pub node: Uuid,
    /// The newest epoch that is recorded in the database, to avoid recording it again.
    pub seen_epoch: AtomicI64,
}

/// Begins the names of the leases of a source. The event types that the holder handles follow, separated by commas.
fn lease_prefix(source: &str) -> String {
    format!("catch-up:{source}:")
}

impl CatchUp {
    /// Runs one pass if this node holds the lease. `held_since` is the time at which it acquired it.
    pub(crate) async fn pass(&self, held_since: &mut Option<Instant>) -> Result<(), InternalError> {
        let name = self.lease_name();
        if held_since.is_some_and(|at| at.elapsed() > KEEP) {
            *held_since = None;
            lease::release(&self.db.lanes, &name, self.node).await?;
            return Ok(());
        }
        if !lease::hold(&self.db.lanes, &name, self.node, Duration::from_secs(5)).await? {
            *held_since = None;
            return Ok(());
        }
        held_since.get_or_insert_with(Instant::now);
        self.compare_log().await
    }

    fn lease_name(&self) -> String {
        let mut names: Vec<&str> = self.consumer.routes.iter().map(|route| route.name).collect();
        names.sort_unstable();
        format!("{}{}", lease_prefix(self.consumer.source), names.join(","))
    }

    async fn compare_log(&self) -> Result<(), InternalError> {
        let lag = self.consumer.lag_ms.load(Ordering::Relaxed).clamp(0, MAX_LAG_MS);
        let delay_ms = i64::try_from(DELAY.as_millis()).unwrap_or(2000) + lag;
        let mut cursors = self.cursors(&mut *self.db.lanes.acquire().await?).await?;
        self.seen_epoch.store(self.written_epoch().await?, Ordering::Relaxed);
        let mut lower = cursors.values().copied().min().unwrap_or(Position::START);
        let mut after = lower;
        let mut gaps = HashSet::new();
        loop {
            let page = self.ask_log(&LogRequest { after, delay_ms }).await?;
            if let Some(trimmed) = page.trimmed.filter(|trimmed| lower < *trimmed) {
                self.leave_out_below(trimmed, &mut cursors);
                let Some(lowest) = cursors.values().copied().min() else { return Ok(()) };
                (lower, after) = (lowest, lowest);
                gaps.clear();
                continue;
            }
            let suspects = self.suspects(&page, &cursors).await?;
            let found = self.fetch(&suspects).await?;
            let Some(missing) = self.compare_and_move(&page, &cursors, (lower, after), &found, &mut gaps).await? else {
                return Ok(());
            };
            self.dispatch(missing, page.epoch).await;
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
        self.prune().await
    }

    /// Leaves out the types whose cursors lie below the trimmed position: their events are gone, so these types stop
    /// and the others continue.
    fn leave_out_below(&self, trimmed: Position, cursors: &mut HashMap<String, Position>) {
        let (domain, source) = (self.consumer.domain, self.consumer.source);
        cursors.retain(|name, cursor| {
            let is_whole = *cursor >= trimmed;
            if !is_whole {
                metrics::counter!("catch_up_stopped_total", "domain" => domain).increment(1);
                tracing::error!(
                    domain,
                    source,
                    name,
                    "log of the source trimmed above the cursor, manual action required"
                );
            }
            is_whole
        });
    }

    /// R9: hands events over like any delivery; the lane decides whether they run. Events that are already in a lane of
    /// this node are skipped.
    async fn dispatch(&self, missing: Vec<(EventHead, bytes::Bytes)>, epoch: i64) {
        let mut brought = 0_u64;
        for (head, payload) in missing {
            if self.consumer.in_flight.holds(head.id) {
                continue;
            }
            let Ok(permit) = self.consumer.permits.clone().acquire_owned().await else { return };
            brought += 1;
            self.consumer.dispatch(head, payload, epoch, true, Some(permit));
        }
        if brought > 0 {
            let (domain, source) = (self.consumer.domain, self.consumer.source);
            metrics::counter!("catch_up_events_total", "domain" => domain, "source" => source).increment(brought);
            tracing::info!(domain, source, count = brought, "catch-up delivered missing events");
        }
    }

    /// R3: one statement reads the cursor and deletes, by the row's own type; limited to [`PRUNED`] rows, so that it
    /// does not run long. Rows above every cursor are not read.
    async fn prune(&self) -> Result<(), InternalError> {
        let sql = "delete from inbox where ctid = any(array(
                 select inbox.ctid from inbox join cursor using (source, name)
                 where source = $1 and (inbox.epoch, inbox.xid) <= (cursor.epoch, cursor.xid)
                   and (inbox.epoch, inbox.xid) <= (
                       select epoch, xid from cursor where source = $1 order by epoch desc, xid desc limit 1)
                 order by inbox.epoch, inbox.xid limit $2))";
        sqlx::query(sql).bind(self.consumer.source).bind(PRUNED).execute(&self.db.lanes).await?;
        Ok(())
    }
}
