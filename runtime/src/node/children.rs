//! The children of the supervisor of a domain or a service, one function each.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use ractor::Actor;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{health::Pulse, running::OwnVerifier};
use crate::{
    catch_up::CatchUp,
    consumer::Consumer,
    database::{Database, Look},
    deadlines::Deadlines,
    effects::Effects,
    failure::Breakage,
    lane::{Lane, Lanes},
    maintenance,
    operation::Chore,
    publisher::Publisher,
    refill,
    responder::Responder,
    revocations::Revocations,
    stream::Streams,
    supervise::{Child, task},
};

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

pub(super) fn publishing(
    name: &str,
    publisher: &Publisher,
    commits: tokio::sync::mpsc::Receiver<crate::publisher::Outgoing>,
) -> Child {
    let publisher = publisher.clone();
    let commits = Arc::new(tokio::sync::Mutex::new(commits));
    task(format!("{name}.publisher"), move || {
        let (publisher, commits) = (publisher.clone(), commits.clone());
        async move {
            publisher.run(&mut *commits.lock().await).await;
            Ok(())
        }
    })
}

/// Runs a step periodically until `stop` is cancelled. A failed step is retried; of consecutive failures only the first
/// is logged as a warning.
async fn every<F>(stop: CancellationToken, pause: Duration, what: String, mut step: impl FnMut() -> F)
where
    F: Future<Output = Result<(), Breakage>>,
{
    let mut was_broken = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        match step().await {
            Ok(()) => was_broken = false,
            Err(breakage) if was_broken => tracing::debug!(what, %breakage, "still broken"),
            Err(breakage) => {
                was_broken = true;
                tracing::warn!(what, %breakage, "a periodic step broke; it is tried again");
            }
        }
    }
}

/// Cancels a step on shutdown: it may be long and feeds the lanes, which must become idle.
async fn until(stop: &CancellationToken, step: impl Future<Output = Result<(), Breakage>>) -> Result<(), Breakage> {
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        done = step => done,
    }
}

pub(super) fn sweeping(
    name: &'static str,
    db: &Database,
    publisher: &Publisher,
    streams: &Streams,
    stop: &CancellationToken,
) -> Child {
    let (db, publisher, streams, stop) = (db.clone(), publisher.clone(), streams.clone(), stop.clone());
    task(format!("{name}.sweep"), move || {
        let (db, publisher, streams, stop) = (db.clone(), publisher.clone(), streams.clone(), stop.clone());
        async move {
            let what = format!("{name}.sweep");
            every(stop, Duration::from_secs(1), what, || async {
                streams.ensure_own(&db.lanes).await;
                publisher.sweep().await
            })
            .await;
            Ok(())
        }
    })
}

/// Republishes the log to a stream that has lost messages.
pub(super) fn refilling(
    name: &'static str,
    db: &Database,
    publisher: &Publisher,
    streams: &Streams,
    stop: &CancellationToken,
    node: Uuid,
) -> Child {
    let (db, publisher, streams, stop) = (db.clone(), publisher.clone(), streams.clone(), stop.clone());
    task(format!("{name}.refill"), move || {
        let (db, publisher, streams, stop) = (db.clone(), publisher.clone(), streams.clone(), stop.clone());
        async move {
            every(stop, Duration::from_secs(2), format!("{name}.refill"), || async {
                while refill::step(&db, &streams, &publisher, node).await? {
                    tokio::time::sleep(refill::PAUSE).await;
                }
                Ok(())
            })
            .await;
            Ok(())
        }
    })
}

pub(super) fn performing(name: &'static str, effects: &Effects, stop: &CancellationToken) -> Child {
    let (effects, stop) = (effects.clone(), stop.clone());
    task(format!("{name}.effects"), move || {
        let (effects, stop) = (effects.clone(), stop.clone());
        async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    () = effects.asked() => {}
                    () = tokio::time::sleep(Duration::from_millis(500)) => {}
                }
                if let Err(breakage) = effects.sweep().await {
                    tracing::warn!(domain = name, %breakage, "effects could not be looked at");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            }
        }
    })
}

pub(super) fn keeping(
    name: &'static str,
    db: &Database,
    chores: &[Chore],
    effects: &Effects,
    stop: &CancellationToken,
    node: Uuid,
) -> Child {
    let (db, chores, effects, stop) = (db.clone(), chores.to_vec(), effects.clone(), stop.clone());
    task(format!("{name}.maintenance"), move || {
        let (db, chores, effects, stop) = (db.clone(), chores.clone(), effects.clone(), stop.clone());
        async move {
            let what = format!("{name}.maintenance");
            every(stop, Duration::from_secs(10), what, || maintenance::pass(name, &db, &chores, &effects, node)).await;
            maintenance::end(name, &db, node).await;
            Ok(())
        }
    })
}

/// Updates the health of a domain: connections, database, clock. Also measures the depth of the lanes.
pub(super) fn watching(
    name: &'static str,
    db: &Database,
    connections: [async_nats::Client; 2],
    pulse: &Arc<Pulse>,
    lanes: &Lanes,
) -> Child {
    let (db, pulse, lanes) = (db.clone(), pulse.clone(), lanes.clone());
    task(format!("{name}.watch"), move || {
        let (db, pulse, lanes, connections) = (db.clone(), pulse.clone(), lanes.clone(), connections.clone());
        async move {
            let mut look = Look::new(db.presence.clone());
            loop {
                let connected =
                    connections.iter().all(|c| c.connection_state() == async_nats::connection::State::Connected);
                pulse.is_connected.store(connected, Ordering::Relaxed);
                let looked = pulse.clock.compare(look.time()).await;
                let had_database = pulse.has_database.swap(looked.is_ok(), Ordering::Relaxed);
                match looked {
                    Err(breakage) if had_database => {
                        tracing::warn!(domain = name, %breakage, "the database does not answer: nobody waits for it");
                    }
                    Ok(()) if !had_database => tracing::info!(domain = name, "the database answers again"),
                    _ => {}
                }
                metrics::gauge!("lane_queue_depth", "domain" => name).set(lanes.context.depth.get() as f64);
                db.presence.until_due().await;
            }
        }
    })
}

/// Updates the health of a service, which has no database.
pub(super) fn watching_connection(name: &'static str, connection: &async_nats::Client, pulse: &Arc<Pulse>) -> Child {
    let (connection, pulse) = (connection.clone(), pulse.clone());
    task(format!("{name}.watch"), move || {
        let (connection, pulse) = (connection.clone(), pulse.clone());
        async move {
            let mut interval = tokio::time::interval(Duration::from_secs(1));
            loop {
                interval.tick().await;
                let connected = connection.connection_state() == async_nats::connection::State::Connected;
                pulse.is_connected.store(connected, Ordering::Relaxed);
            }
        }
    })
}

/// Reads the signer's keys and, in the first domain or service of a node, its revocations. Also runs while the node
/// drains, because requests in flight are still verified.
pub(super) fn learning_of_tokens(name: &str, verifier: &OwnVerifier) -> Child {
    let (verifier, followed) = (verifier.verifier.clone(), verifier.followed.clone());
    task(format!("{name}.tokens"), move || {
        let (verifier, following) = (verifier.clone(), followed.as_ref().map(Revocations::follow));
        async move {
            let following = async {
                match following {
                    Some(following) => following.await,
                    None => std::future::pending().await,
                }
            };
            futures::future::join(verifier.learn_keys(), following).await;
            Ok(())
        }
    })
}

pub(super) fn consuming(consumer: &Arc<Consumer>, stop: &CancellationToken) -> Child {
    let (consumer, stop) = (consumer.clone(), stop.clone());
    task(format!("{}.consumer.{}", consumer.domain, consumer.source), move || {
        let (consumer, stop) = (consumer.clone(), stop.clone());
        async move {
            consumer.run(&stop).await;
            Ok(())
        }
    })
}

pub(super) fn catching_up(catch_up: Arc<CatchUp>, stop: &CancellationToken) -> Child {
    let stop = stop.clone();
    let what = format!("{}.catch_up.{}", catch_up.consumer.domain, catch_up.consumer.source);
    task(what.clone(), move || {
        let (catch_up, stop, what) = (catch_up.clone(), stop.clone(), what.clone());
        async move {
            let held = tokio::sync::Mutex::new(None);
            every(stop.clone(), Duration::from_secs(1), what, || {
                until(&stop, async { catch_up.pass(&mut *held.lock().await).await })
            })
            .await;
            Ok(())
        }
    })
}

pub(super) fn acting_on_deadlines(deadlines: Arc<Deadlines>, stop: &CancellationToken) -> Child {
    let stop = stop.clone();
    let what = format!("{}.deadlines", deadlines.domain);
    task(what.clone(), move || {
        let (deadlines, stop, what) = (deadlines.clone(), stop.clone(), what.clone());
        async move {
            every(stop.clone(), Duration::from_millis(250), what, || until(&stop, deadlines.pass())).await;
            Ok(())
        }
    })
}

pub(super) fn responding(responder: Arc<Responder>, stop: &CancellationToken) -> Child {
    let stop = stop.clone();
    task(format!("{}.responder", responder.domain), move || {
        let (responder, stop) = (responder.clone(), stop.clone());
        // Tracked like the requests it admits: a drain waits until it has read the last request.
        let tasks = responder.tasks.clone();
        async move { tasks.track_future(responder.run(&stop)).await }
    })
}
