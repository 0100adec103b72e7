//! Effects: calls of external systems, performed at least once after the commit that left them. Those of one entity run
//! one at a time, in commit order; none runs beyond its lease. A result is claimed by deleting the effect's row.

mod unregistered;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    api::{
        context::{Context, PermittedClient, ServiceContext},
        routes::{EffectRoute, EffectRow},
    },
    database::Database,
    error::InternalError,
    guard::guarded,
    lane::{EffectItem, LaneMessage, Lanes},
};

pub(crate) use unregistered::{DUE_FOR, EXAMINED, unregistered};

/// The most effects of a domain that are performed on this node at once.
const WINDOW: usize = 512;

/// Timeout of one call of an external system. Shorter than the lease (15 s), which begins with the commit or the sweep.
const TIMEOUT: Duration = Duration::from_secs(10);

/// An effect that could not start within this time of its lease is released for a later sweep.
const START_WITHIN: Duration = Duration::from_secs(4);

/// Attempts before an effect is dead-lettered: it then blocks only its own entity, until an operator redrives it. With
/// pauses that grow to five minutes, the attempts last about a day, so that an outage of an external system needs no
/// operator.
const ATTEMPTS: i32 = 300;

/// The longest pause between two attempts, in seconds.
const LONGEST_PAUSE: f64 = 300.0;

/// Consecutive runs that never finished, before an effect is dead-lettered without another run: it may be what crashes
/// the nodes.
const UNFINISHED: i32 = 20;

/// Runs a domain's effects.
pub(crate) struct Effects {
    domain: &'static str,
    db: Database,
    peers: PermittedClient,
    routes: Vec<EffectRoute>,
    names: Vec<&'static str>,
    window: Arc<Semaphore>,
    wake: Notify,
    /// More effects are due than the window has room for.
    is_crowded: AtomicBool,
    /// Unregistered names that have been logged.
    reported: Mutex<BTreeSet<String>>,
}

impl Effects {
    pub(crate) fn new(
        domain: &'static str,
        db: Database,
        peers: PermittedClient,
        routes: Vec<EffectRoute>,
    ) -> Arc<Self> {
        Arc::new(Self {
            domain,
            db,
            peers,
            names: routes.iter().map(|route| route.name).collect(),
            routes,
            window: Arc::new(Semaphore::new(WINDOW)),
            wake: Notify::new(),
            is_crowded: AtomicBool::new(false),
            reported: Mutex::default(),
        })
    }

    /// Starts effects whose lease this node holds; their results go to `lanes`. `began` is a lower bound for the start
    /// of the leases: it is taken before the statement that takes them, because the process may be suspended in
    /// between. Effects that find no room or start too late are released at once.
    pub(crate) fn start(self: &Arc<Self>, lanes: &Lanes, rows: Vec<EffectRow>, began: Instant) {
        let mut without_room = Vec::new();
        for row in rows {
            let Ok(permit) = self.window.clone().try_acquire_owned() else {
                without_room.push((row.id, row.attempts));
                continue;
            };
            let (effects, lanes) = (self.clone(), lanes.clone());
            tokio::spawn(async move {
                if began.elapsed() < START_WITHIN {
                    effects.perform(&lanes, row, permit).await;
                } else {
                    effects.give_back(vec![(row.id, row.attempts)]).await;
                    effects.has_room_after(permit);
                }
            });
        }
        if !without_room.is_empty() {
            self.is_crowded.store(true, Ordering::Relaxed);
            let effects = self.clone();
            tokio::spawn(async move { effects.give_back(without_room).await });
        }
    }

    /// Ends the leases of effects that did not start, and takes back the attempts that were counted with them. Only
    /// leases that this node still holds are ended: while the process was suspended, another node may have claimed the
    /// effect, with one more attempt.
    async fn give_back(&self, taken: Vec<(Uuid, i32)>) {
        let (ids, attempts): (Vec<Uuid>, Vec<i32>) = taken.into_iter().unzip();
        let sql =
            "update effect set lease_until = clock_timestamp() - interval '1 second', attempts = effect.attempts - 1,
                 unfinished = greatest(unfinished - 1, 0)
             from unnest($1::uuid[], $2::int[]) as taken(id, attempts)
             where effect.id = taken.id and effect.attempts = taken.attempts and dead_lettered_at is null";
        let given = sqlx::query(sql).bind(ids).bind(attempts).execute(&self.db.lanes).await;
        if let Err(error) = given {
            tracing::warn!(domain = self.domain, %error, "leases of unstarted effects could not be released");
        }
    }

    /// Requests a sweep if effects wait for room in the window.
    pub(crate) fn has_room(&self) {
        if self.is_crowded.swap(false, Ordering::Relaxed) {
            self.wake_up();
        }
    }

    fn has_room_after(&self, permit: OwnedSemaphorePermit) {
        drop(permit);
        self.has_room();
    }

    /// Requests a sweep: an effect may have become the first of its entity.
    pub(crate) fn wake_up(&self) {
        self.wake.notify_one();
    }

    /// Whether this node can perform effects of this name.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.names.contains(&name)
    }

    /// The names of the effects that this node can perform.
    pub(crate) fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// Waits until a sweep is requested.
    pub(crate) async fn woken(&self) {
        self.wake.notified().await;
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.window.available_permits() == WINDOW
    }

    /// Claims and starts effects whose lease has ended and that are the first of their entity.
    pub(crate) async fn sweep(self: &Arc<Self>, lanes: &Lanes) -> Result<(), InternalError> {
        let free = i64::try_from(self.window.available_permits()).unwrap_or(0);
        if self.routes.is_empty() {
            return Ok(());
        }
        if free == 0 {
            self.is_crowded.store(true, Ordering::Relaxed);
            return Ok(());
        }
        self.dead_letter_unfinished().await?;
        let began = Instant::now();
        let sql = "update effect set lease_until = clock_timestamp() + interval '15 seconds', attempts = attempts + 1,
                 unfinished = unfinished + 1
             where id = any(array(
                 select e.id from effect e
                 where e.dead_lettered_at is null and greatest(e.lease_until, e.next_at) < now() and e.name = any($1)
                   and not exists (select 1 from effect o where o.entity = e.entity and o.number < e.number)
                 order by greatest(e.lease_until, e.next_at), e.number limit $2 for update skip locked))
             returning id, name, entity, cause, body, attempts";
        let rows: Vec<EffectRow> = sqlx::query_as(sql).bind(&self.names).bind(free).fetch_all(&self.db.lanes).await?;
        if i64::try_from(rows.len()).is_ok_and(|taken| taken == free) {
            self.is_crowded.store(true, Ordering::Relaxed);
        }
        self.start(lanes, rows, began);
        Ok(())
    }

    async fn dead_letter_unfinished(&self) -> Result<(), InternalError> {
        let sql = "update effect set dead_lettered_at = clock_timestamp(), reason = 'no run of the effect has finished'
             where dead_lettered_at is null and unfinished > 1 and unfinished >= $1 and lease_until < now()
             returning id";
        let dead_lettered: Vec<Uuid> = sqlx::query_scalar(sql).bind(UNFINISHED).fetch_all(&self.db.lanes).await?;
        for id in dead_lettered {
            metrics::counter!("effects_dead_lettered_total", "domain" => self.domain).increment(1);
            tracing::error!(
                domain = self.domain,
                effect_id = %id,
                "effect dead-lettered without a run, manual action required"
            );
        }
        Ok(())
    }

    async fn perform(&self, lanes: &Lanes, row: EffectRow, permit: OwnedSemaphorePermit) {
        let Some(route) = self.routes.iter().find(|route| route.name == row.name) else { return };
        let began = Instant::now();
        let (request_id, traceparent) = (row.cause.request_id.clone(), row.cause.traceparent.clone());
        let deadline = Instant::now() + TIMEOUT;
        let request = ServiceContext::of_system(self.peers.clone(), deadline, request_id, traceparent);
        let context = Context { request, db: self.db.internal_reads.clone() };
        let span = tracing::info_span!(
            target: "span",
            "effect",
            domain = self.domain,
            effect = route.name,
            effect_id = %row.id,
            entity = %row.entity,
            request_id = row.cause.request_id
        );
        crate::fail_point("effect.before_perform");
        let performing = guarded((route.perform)(&context, &row)).instrument(span);
        let effect_result = tokio::time::timeout(TIMEOUT, performing).await;
        crate::fail_point("effect.after_perform");
        let result = effect_result.unwrap_or_else(|_| Err(InternalError::other("the effect exceeded its timeout")));
        let outcome = if result.is_ok() { "ok" } else { "failed" };
        metrics::histogram!(
            "effect_duration_seconds",
            "domain" => self.domain,
            "effect" => route.name,
            "outcome" => outcome
        )
        .record(began.elapsed().as_secs_f64());
        match result {
            Ok(effect_result) => {
                tracing::debug!(
                    domain = self.domain,
                    effect = route.name,
                    effect_id = %row.id,
                    entity = %row.entity,
                    request_id = row.cause.request_id,
                    latency_ms = began.elapsed().as_secs_f64() * 1000.0,
                    "effect performed"
                );
                let entity = row.entity;
                let item = EffectItem { route: route.clone(), row, effect_result, _permit: permit };
                lanes.cast(entity, LaneMessage::Effect(Box::new(item)));
            }
            Err(error) => {
                self.failed(&row, &error).await;
                self.has_room_after(permit);
            }
        }
    }

    /// Records a failure: schedules another attempt after a growing pause, or dead-letters the effect after the last
    /// one.
    pub(crate) async fn failed(&self, row: &EffectRow, internal_error: &InternalError) {
        let (id, attempts, request_id) = (row.id, row.attempts, &row.cause.request_id);
        let is_last = attempts >= ATTEMPTS;
        let pause = (0.25 * 2_f64.powi(attempts.clamp(0, 20))).min(LONGEST_PAUSE);
        tracing::warn!(
            domain = self.domain,
            effect = row.name,
            effect_id = %id,
            entity = %row.entity,
            request_id,
            attempts,
            error = %internal_error,
            is_last,
            "effect failed"
        );
        // Only for the attempt that the row counts: a late failure must not end a newer attempt or a redrive.
        let sql =
            "update effect set lease_until = clock_timestamp() - interval '1 second', reason = $2, unfinished = 0,
                 next_at = clock_timestamp() + make_interval(secs => $3),
                 dead_lettered_at = case when $4 then clock_timestamp() end
             where id = $1 and attempts = $5 and dead_lettered_at is null";
        let written = sqlx::query(sql)
            .bind(id)
            .bind(internal_error.to_string())
            .bind(pause)
            .bind(is_last)
            .bind(attempts)
            .execute(&self.db.lanes)
            .await;
        match written {
            Ok(done) if is_last && done.rows_affected() == 1 => {
                metrics::counter!("effects_dead_lettered_total", "domain" => self.domain).increment(1);
                tracing::error!(
                    domain = self.domain,
                    effect = row.name,
                    effect_id = %id,
                    entity = %row.entity,
                    request_id,
                    error = %internal_error,
                    "effect dead-lettered, manual action required"
                );
            }
            Ok(_) => {}
            // The effect is retried after its lease has ended.
            Err(error) => {
                tracing::warn!(
                    domain = self.domain,
                    effect_id = %id,
                    request_id,
                    %error,
                    "effect failure could not be recorded"
                );
            }
        }
    }
}
