//! The children of the supervisor of a domain or a service, one function each.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_nats::connection::State;
use ractor::Actor;
use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{health::HealthState, running::DomainVerifier};
use crate::{
    api::routes::MaintenanceJob,
    consume::{catch_up::CatchUp, consumer::Consumer},
    database::Probe,
    error::InternalError,
    jobs::{deadlines::Deadlines, maintenance},
    lane::{Lane, LaneContext, Lanes},
    log::{publisher::Outgoing, repair::republish, stream::Streams},
    node::supervise::{Child, task},
    responder::Responder,
    rpc::revocations::Revocations,
};

/// What the children of a domain share.
pub(super) struct Work {
    pub name: &'static str,
    pub node: Uuid,
    pub lanes: Lanes,
    pub streams: Streams,
    pub maintenance_jobs: Vec<MaintenanceJob>,
    pub stop: CancellationToken,
}

impl Work {
    pub(super) fn context(&self) -> &LaneContext {
        &self.lanes.context
    }
}

/// A child that runs a loop with shared parts.
fn child<P, F>(name: String, parts: &Arc<P>, body: impl Fn(Arc<P>) -> F + Send + Sync + 'static) -> Child
where
    P: Send + Sync + 'static,
    F: Future<Output = Result<(), InternalError>> + Send + 'static,
{
    let parts = parts.clone();
    task(name, move || body(parts.clone()))
}

/// Runs a step periodically until `stop` is cancelled. A failed step is retried; of consecutive failures only the first
/// is logged as a warning.
async fn every<F>(
    stop: &CancellationToken,
    pause: Duration,
    what: String,
    mut step: impl FnMut() -> F,
) -> Result<(), InternalError>
where
    F: Future<Output = Result<(), InternalError>>,
{
    let mut was_broken = false;
    loop {
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return Ok(());
        }
        match step().await {
            Ok(()) => was_broken = false,
            Err(error) if was_broken => tracing::debug!(what, %error, "periodic job still failing"),
            Err(error) => {
                was_broken = true;
                tracing::warn!(what, %error, "periodic job failed, retrying");
            }
        }
    }
}

/// Cancels a step on shutdown: it may be long and feeds the lanes, which must become idle.
async fn until(
    stop: &CancellationToken,
    step: impl Future<Output = Result<(), InternalError>>,
) -> Result<(), InternalError> {
    stop.run_until_cancelled(step).await.unwrap_or(Ok(()))
}

pub(super) fn lane(lanes: &Lanes, number: usize) -> Child {
    let lanes = lanes.clone();
    Child {
        name: format!("{}.lane.{number}", lanes.context.domain),
        spawn: Box::new(move |supervisor| {
            let lanes = lanes.clone();
            Box::pin(async move {
                let (lane, _) = Actor::spawn_linked(None, Lane, (lanes, number), supervisor).await?;
                Ok(lane.get_cell())
            })
        }),
    }
}

pub(super) fn publishing(work: &Arc<Work>, commits: mpsc::Receiver<Outgoing>) -> Child {
    let parts = Arc::new((work.context().publisher.clone(), Mutex::new(commits)));
    child(format!("{}.publisher", work.name), &parts, |parts| async move {
        let (publisher, commits) = &*parts;
        publisher.run(&mut *commits.lock().await).await;
        Ok(())
    })
}

pub(super) fn sweeping(work: &Arc<Work>) -> Child {
    let what = format!("{}.sweep", work.name);
    child(what.clone(), work, move |work| {
        let what = what.clone();
        async move {
            let LaneContext { db, publisher, .. } = work.context();
            every(&work.stop, Duration::from_secs(1), what, || async {
                work.streams.ensure_own(&db.lanes).await;
                publisher.sweep().await
            })
            .await
        }
    })
}

/// Republishes the log to a stream that has lost messages.
pub(super) fn republishing(work: &Arc<Work>) -> Child {
    let what = format!("{}.republish", work.name);
    child(what.clone(), work, move |work| {
        let what = what.clone();
        async move {
            let LaneContext { db, publisher, .. } = work.context();
            every(&work.stop, Duration::from_secs(2), what, || async {
                while republish::step(db, &work.streams, publisher, work.node).await? {
                    tokio::time::sleep(republish::PAUSE).await;
                }
                Ok(())
            })
            .await
        }
    })
}

pub(super) fn performing(work: &Arc<Work>) -> Child {
    child(format!("{}.effects", work.name), work, |work| async move {
        let effects = &work.context().effects;
        loop {
            tokio::select! {
                () = work.stop.cancelled() => return Ok(()),
                () = effects.woken() => {}
                () = tokio::time::sleep(Duration::from_millis(500)) => {}
            }
            if let Err(error) = effects.sweep(&work.lanes).await {
                tracing::warn!(domain = work.name, %error, "effects could not be read");
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        }
    })
}

pub(super) fn maintaining(work: &Arc<Work>) -> Child {
    let what = format!("{}.maintenance", work.name);
    child(what.clone(), work, move |work| {
        let what = what.clone();
        async move {
            let LaneContext { db, effects, .. } = work.context();
            let pass = || maintenance::pass(work.name, db, &work.maintenance_jobs, effects, work.node);
            every(&work.stop, Duration::from_secs(10), what, pass).await?;
            maintenance::end(work.name, db, work.node).await;
            Ok(())
        }
    })
}

/// Updates the health of a domain: connections, database, clock. Also measures the depth of the lanes.
pub(super) fn watching(
    work: &Arc<Work>,
    connections: Vec<async_nats::Client>,
    health_state: &Arc<HealthState>,
) -> Child {
    let parts = Arc::new((work.clone(), connections, health_state.clone()));
    child(format!("{}.watch", work.name), &parts, |parts| async move {
        let (work, connections, health_state) = &*parts;
        let LaneContext { domain, db, depth, .. } = work.context();
        let mut probe = Probe::new(db.health.clone());
        loop {
            health_state.note_connections(connections);
            let probed = health_state.clock.compare(probe.time()).await;
            let had_database = health_state.has_database.swap(probed.is_ok(), Ordering::Relaxed);
            match probed {
                Err(error) if had_database => {
                    tracing::warn!(domain, %error, "database down, failing fast");
                }
                Ok(()) if !had_database => tracing::info!(domain, "database up again"),
                _ => {}
            }
            metrics::gauge!("lane_queue_depth", "domain" => *domain).set(depth.get() as f64);
            db.health.until_next_probe().await;
        }
    })
}

/// Updates the health of a service, which has no database.
pub(super) fn watching_connection(
    name: &str,
    connection: async_nats::Client,
    health_state: &Arc<HealthState>,
) -> Child {
    let parts = Arc::new(([connection], health_state.clone()));
    child(format!("{name}.watch"), &parts, |parts| async move {
        let (connections, health_state) = &*parts;
        let mut interval = tokio::time::interval(Duration::from_secs(1));
        loop {
            interval.tick().await;
            health_state.note_connections(connections);
        }
    })
}

impl HealthState {
    fn note_connections(&self, connections: &[async_nats::Client]) {
        let is_connected = connections.iter().all(|connection| connection.connection_state() == State::Connected);
        self.is_connected.store(is_connected, Ordering::Relaxed);
    }
}

/// Reads the signer's keys and, in the first domain or service of a node, its revocations. Also runs while the node
/// drains, because requests in flight are still verified.
pub(super) fn learning_of_tokens(name: &str, verifier: &Arc<DomainVerifier>) -> Child {
    child(format!("{name}.tokens"), verifier, |tokens| async move {
        let following = async {
            match tokens.polled.as_ref().map(Revocations::follow) {
                Some(following) => following.await,
                None => std::future::pending().await,
            }
        };
        futures::future::join(tokens.verifier.learn_keys(), following).await;
        Ok(())
    })
}

pub(super) fn consuming(consumer: &Arc<Consumer>, stop: &CancellationToken) -> Child {
    let stop = stop.clone();
    child(format!("{}.consumer.{}", consumer.domain, consumer.source), consumer, move |consumer| {
        let stop = stop.clone();
        async move {
            consumer.run(&stop).await;
            Ok(())
        }
    })
}

pub(super) fn catching_up(catch_up: CatchUp, stop: &CancellationToken) -> Child {
    let stop = stop.clone();
    let what = format!("{}.catch_up.{}", catch_up.consumer.domain, catch_up.consumer.source);
    child(what.clone(), &Arc::new(catch_up), move |catch_up| {
        let (stop, what) = (stop.clone(), what.clone());
        async move {
            let held = Mutex::new(None);
            let pass = || until(&stop, async { catch_up.pass(&mut *held.lock().await).await });
            every(&stop, Duration::from_secs(1), what, pass).await
        }
    })
}

pub(super) fn acting_on_deadlines(deadlines: Deadlines, stop: &CancellationToken) -> Child {
    let stop = stop.clone();
    let what = format!("{}.deadlines", deadlines.domain);
    child(what.clone(), &Arc::new(deadlines), move |deadlines| {
        let (stop, what) = (stop.clone(), what.clone());
        async move { every(&stop, Duration::from_millis(250), what, || until(&stop, deadlines.pass())).await }
    })
}

pub(super) fn responding(responder: &Arc<Responder>, stop: &CancellationToken) -> Child {
    let stop = stop.clone();
    child(format!("{}.responder", responder.domain), responder, move |responder| {
        let stop = stop.clone();
        // Tracked like the requests it admits: a drain waits until it has read the last request.
        let tasks = responder.tasks.clone();
        async move { tasks.track_future(responder.run(&stop)).await }
    })
}
