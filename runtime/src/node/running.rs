//! A running node: its domains, each under a supervisor, and the way it ends.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use contract::{Access, subject};
use ractor::{Actor, ActorRef};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{Health, Hosted, NodeConfig, health::Pulse};
use crate::{
    auth::{KeySource, Verifier},
    catch_up::CatchUp,
    client::Client,
    connect::connect,
    consumer::{Consumer, PERMITS},
    database::{Database, clock},
    deadlines::Deadlines,
    effects::Effects,
    failure::{Breakage, Stored},
    lane::{Lane, LaneContext, Lanes},
    maintenance,
    operation::Routes,
    publisher::Publisher,
    responder::{Endpoint, EndpointInfo, Micro, Responder},
    stream::Streams,
    supervise::{Child, Supervisor, SupervisorMessage, Watch, task},
};

/// A running node.
pub struct Node {
    config: NodeConfig,
    domains: Vec<Running>,
}

struct Running {
    name: &'static str,
    supervisor: ActorRef<SupervisorMessage>,
    watch: Arc<Watch>,
    pulse: Arc<Pulse>,
    stop: CancellationToken,
    tasks: TaskTracker,
    lanes: Lanes,
    effects: Effects,
    publisher: Publisher,
    connections: [async_nats::Client; 2],
}

impl Node {
    pub(super) async fn start(
        config: NodeConfig,
        hosted: Vec<Hosted>,
        keys: fn(Client) -> KeySource,
    ) -> Result<Self, Breakage> {
        let id = Uuid::now_v7();
        let mut domains = Vec::new();
        for hosted in hosted {
            let name = hosted.name;
            domains.push(
                Running::start(&config, hosted, keys, id)
                    .await
                    .map_err(|breakage| Breakage::other(format!("{name}: {breakage}")))?,
            );
        }
        Ok(Self { config, domains })
    }

    /// How the node fares.
    pub fn health(&self) -> Health {
        let domains: Vec<_> = self.domains.iter().map(|domain| domain.pulse.health()).collect();
        Health { is_ready: domains.iter().all(|domain| domain.is_ready), domains }
    }

    /// Ends in order: no new work, the work in flight, answers and events sent, then the connections. Bounded.
    pub async fn drain(&self) {
        let deadline = Instant::now() + self.config.drain;
        futures::future::join_all(self.domains.iter().map(|domain| domain.drain(deadline))).await;
    }
}

impl Running {
    async fn start(
        config: &NodeConfig,
        hosted: Hosted,
        keys: fn(Client) -> KeySource,
        node: Uuid,
    ) -> Result<Self, Breakage> {
        let Hosted { name, routes, database_url, stream } = hosted;
        let lane_count = u32::try_from(config.lanes).unwrap_or(u32::MAX);
        let db = Database::open(&database_url, name, lane_count)?;
        let requests = connect(&config.nats, name, "requests").await?;
        let events = connect(&config.nats, name, "events").await?;
        let client = Client::new(requests.clone()).await.map_err(Breakage::other)?;
        let streams = Streams::new(name, events.clone(), stream);
        let (publisher, commits) = Publisher::new(name, db.clone(), streams.clone());
        let effects = Effects::new(name, db.clone(), client.clone(), routes.effects.clone());
        let context = Arc::new(LaneContext {
            domain: name,
            db: db.clone(),
            publisher: publisher.clone(),
            effects: effects.clone(),
            depth: AtomicUsize::new(0),
        });
        let lanes = Lanes::new(context, config.lanes);
        effects.finish_in(lanes.clone());
        streams.ensure_own().await;

        let (mut endpoints, infos) = endpoints(&routes);
        add_common_endpoints(name, &mut endpoints);
        let (queries, commands) = Responder::admission();
        let tasks = TaskTracker::new();
        let responder = Arc::new(Responder {
            domain: name,
            connection: requests.clone(),
            client: client.clone(),
            db: db.clone(),
            lanes: lanes.clone(),
            verifier: Verifier::new(keys(client.clone())),
            endpoints,
            events: routes.events.clone(),
            queries,
            commands,
            micro: Arc::new(Micro::new(name, env!("CARGO_PKG_VERSION"), infos)),
            tasks: tasks.clone(),
        });
        let consumers = consumers(name, &routes, &streams, &lanes);

        let stop = CancellationToken::new();
        let watch = Arc::new(Watch::default());
        let pulse = Arc::new(Pulse::new(name, watch.clone()));
        let mut children: Vec<Child> = (0..lanes.count()).map(|number| lane(&lanes, number)).collect();
        children.push(publishing(name, &publisher, commits));
        children.push(sweeping(name, &publisher, &streams, &stop));
        children.push(performing(name, &effects, &stop));
        children.push(keeping(name, &db, &stop, node));
        children.push(watching(name, &db, [requests.clone(), events.clone()], &pulse, &lanes));
        for consumer in consumers {
            children.push(consuming(&consumer, &stop));
            let catch_up =
                CatchUp { consumer, db: db.clone(), client: client.clone(), node, seen_era: AtomicI64::new(0) };
            children.push(catching_up(Arc::new(catch_up), &stop));
        }
        let deadlines = Deadlines { domain: name, db, routes: routes.deadlines, responder: responder.clone(), node };
        children.push(acting_on_deadlines(Arc::new(deadlines), &stop));
        children.push(responding(responder, &stop));

        let arguments = (name.to_owned(), children, watch.clone());
        let (supervisor, _) = Actor::spawn(None, Supervisor, arguments).await.map_err(Breakage::other)?;
        Ok(Self {
            name,
            supervisor,
            watch,
            pulse,
            stop,
            tasks,
            lanes,
            effects,
            publisher,
            connections: [requests, events],
        })
    }

    async fn drain(&self, deadline: Instant) {
        self.watch.is_draining.store(true, Ordering::Relaxed);
        self.stop.cancel();
        let work = async {
            // The server confirms the end of the subscriptions within a round trip; what it had sent is answered.
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.tasks.close();
            self.tasks.wait().await;
            while !(self.lanes.is_empty() && self.effects.is_idle() && self.publisher.is_idle()) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            self.publisher.flush().await;
            for connection in &self.connections {
                if let Err(error) = connection.flush().await {
                    tracing::debug!(domain = self.name, %error, "a connection was lost while draining");
                }
            }
        };
        if tokio::time::timeout_at(deadline.into(), work).await.is_err() {
            tracing::warn!(domain = self.name, "the drain took too long; what is open will be taken up by other nodes");
        }
        self.supervisor.stop_children(None);
        self.supervisor.stop(None);
        for connection in &self.connections {
            if let Err(error) = connection.drain().await {
                tracing::debug!(domain = self.name, %error, "a connection was lost while closing");
            }
        }
    }
}

fn endpoints(routes: &Routes) -> (HashMap<String, Endpoint>, Vec<EndpointInfo>) {
    let mut endpoints = HashMap::new();
    let mut infos = Vec::new();
    let requests = routes
        .queries
        .iter()
        .map(|route| (route.meta.clone(), Endpoint::Query(route.clone())))
        .chain(routes.commands.iter().map(|route| (route.meta.clone(), Endpoint::Command(route.clone()))));
    for (meta, endpoint) in requests {
        let domain = meta.subject.split('.').nth(1).unwrap_or_default().to_owned();
        infos.push(EndpointInfo {
            name: meta.operation.to_owned(),
            subject: meta.subject.clone(),
            queue_group: domain.clone(),
            metadata: BTreeMap::from([
                ("kind", if meta.is_command { "command" } else { "query" }.to_owned()),
                ("access", Access::describe(meta.access)),
                ("schema", format!("{}.{domain}.{}.v1", contract::SYSTEM, meta.operation)),
            ]),
        });
        endpoints.insert(meta.subject, endpoint);
    }
    (endpoints, infos)
}

/// What every domain answers beside its own operations.
fn add_common_endpoints(domain: &str, endpoints: &mut HashMap<String, Endpoint>) {
    endpoints.insert(subject::request(domain, subject::internal::LOG, true), Endpoint::Log);
    endpoints.insert(subject::request(domain, subject::internal::EVENTS, true), Endpoint::Events);
    endpoints.insert(subject::request(domain, subject::internal::DEAD_LETTERS, true), Endpoint::DeadLetters);
    endpoints.insert(subject::request(domain, subject::internal::REDRIVE, true), Endpoint::Redrive);
}

fn consumers(name: &'static str, routes: &Routes, streams: &Streams, lanes: &Lanes) -> Vec<Arc<Consumer>> {
    let mut by_source: BTreeMap<&'static str, Vec<_>> = BTreeMap::new();
    for route in &routes.events {
        by_source.entry(route.source).or_default().push(route.clone());
    }
    let permits = Arc::new(Semaphore::new(PERMITS));
    by_source
        .into_iter()
        .map(|(source, routes)| {
            Arc::new(Consumer {
                domain: name,
                source,
                routes,
                streams: streams.clone(),
                lanes: lanes.clone(),
                permits: permits.clone(),
                in_flight: Arc::default(),
                lag_ms: AtomicI64::new(0),
            })
        })
        .collect()
}

fn lane(lanes: &Lanes, number: usize) -> Child {
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

fn publishing(
    name: &str,
    publisher: &Publisher,
    commits: tokio::sync::mpsc::Receiver<crate::log::LoggedCommit>,
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

/// Runs a step again and again until told to stop. A step that breaks is told once and tried again.
async fn every<F>(stop: CancellationToken, pause: Duration, what: String, mut step: impl FnMut() -> F)
where
    F: Future<Output = Stored<()>>,
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

fn sweeping(name: &'static str, publisher: &Publisher, streams: &Streams, stop: &CancellationToken) -> Child {
    let (publisher, streams, stop) = (publisher.clone(), streams.clone(), stop.clone());
    task(format!("{name}.sweep"), move || {
        let (publisher, streams, stop) = (publisher.clone(), streams.clone(), stop.clone());
        async move {
            let what = format!("{name}.sweep");
            every(stop, Duration::from_secs(1), what, || async {
                streams.ensure_own().await;
                publisher.sweep().await
            })
            .await;
            Ok(())
        }
    })
}

fn performing(name: &'static str, effects: &Effects, stop: &CancellationToken) -> Child {
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

fn keeping(name: &'static str, db: &Database, stop: &CancellationToken, node: Uuid) -> Child {
    let (db, stop) = (db.clone(), stop.clone());
    task(format!("{name}.maintenance"), move || {
        let (db, stop) = (db.clone(), stop.clone());
        async move {
            let what = format!("{name}.maintenance");
            every(stop, Duration::from_secs(10), what, || maintenance::pass(name, &db, node)).await;
            Ok(())
        }
    })
}

/// Keeps the pulse: connections, database, clock, queue depth.
fn watching(
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
            loop {
                let connected =
                    connections.iter().all(|c| c.connection_state() == async_nats::connection::State::Connected);
                pulse.is_connected.store(connected, Ordering::Relaxed);
                let before = chrono::Utc::now();
                let answer = clock(&db.reads).await;
                pulse.has_database.store(answer.is_ok(), Ordering::Relaxed);
                if let Ok(now) = answer {
                    // The database's clock lies between before and after; what lies outside is the offset.
                    let after = chrono::Utc::now();
                    let offset = if now < before {
                        before - now
                    } else if now > after {
                        after - now
                    } else {
                        chrono::TimeDelta::zero()
                    };
                    pulse.clock_offset_ms.store(offset.num_milliseconds(), Ordering::Relaxed);
                }
                metrics::gauge!("lane_queue_depth", "domain" => name)
                    .set(lanes.context.depth.load(Ordering::Relaxed) as f64);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    })
}

fn consuming(consumer: &Arc<Consumer>, stop: &CancellationToken) -> Child {
    let (consumer, stop) = (consumer.clone(), stop.clone());
    task(format!("{}.consumer.{}", consumer.domain, consumer.source), move || {
        let (consumer, stop) = (consumer.clone(), stop.clone());
        async move {
            consumer.run(&stop).await;
            Ok(())
        }
    })
}

fn catching_up(catch_up: Arc<CatchUp>, stop: &CancellationToken) -> Child {
    let stop = stop.clone();
    let what = format!("{}.catch_up.{}", catch_up.consumer.domain, catch_up.consumer.source);
    task(what.clone(), move || {
        let (catch_up, stop, what) = (catch_up.clone(), stop.clone(), what.clone());
        async move {
            let held = tokio::sync::Mutex::new(None);
            every(stop, Duration::from_secs(1), what, || async { catch_up.pass(&mut *held.lock().await).await }).await;
            Ok(())
        }
    })
}

fn acting_on_deadlines(deadlines: Arc<Deadlines>, stop: &CancellationToken) -> Child {
    let stop = stop.clone();
    let what = format!("{}.deadlines", deadlines.domain);
    task(what.clone(), move || {
        let (deadlines, stop, what) = (deadlines.clone(), stop.clone(), what.clone());
        async move {
            every(stop, Duration::from_secs(1), what, || deadlines.pass()).await;
            Ok(())
        }
    })
}

fn responding(responder: Arc<Responder>, stop: &CancellationToken) -> Child {
    let stop = stop.clone();
    task(format!("{}.responder", responder.domain), move || {
        let (responder, stop) = (responder.clone(), stop.clone());
        async move { responder.run(&stop).await }
    })
}
