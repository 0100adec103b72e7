//! A running node: its domains and services, each under a supervisor, and its drain.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use ractor::{Actor, ActorRef};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    Health, Hosted, HostedService, NodeConfig, children,
    endpoints::{check_registrations, check_service, endpoints_of_domain},
    health::Pulse,
    service::RunningService,
};
use crate::{
    auth::{TokenSources, Verifier},
    catch_up::CatchUp,
    client::Client,
    clock::Clock,
    connect::connect,
    consumer::{Consumer, PERMITS},
    database::{self, Database},
    deadlines::Deadlines,
    effects::Effects,
    failure::Breakage,
    lane::{Depth, LaneContext, Lanes},
    operation::Routes,
    publisher::Publisher,
    responder::{Backing, Micro, Responder},
    revocations::Revocations,
    stream::Streams,
    supervise::{Child, Supervisor, SupervisorMessage, Watch},
};

/// A running node.
pub struct Node {
    config: NodeConfig,
    domains: Vec<Running>,
    services: Vec<RunningService>,
}

/// Creates the token verifiers of a node's domains and services. They share one list of revocations, which the first of
/// them keeps up to date.
pub(super) struct Tokens {
    sources: fn(Client) -> TokenSources,
    capacity: usize,
    revocations: Option<Revocations>,
}

/// A verifier, and the revocations if its owner is the one that keeps them up to date.
pub(super) struct OwnVerifier {
    pub verifier: Verifier,
    pub followed: Option<Revocations>,
}

impl Tokens {
    pub(super) fn verifier(&mut self, client: &Client, clock: &Clock) -> OwnVerifier {
        let TokenSources { keys, revocations: source } = (self.sources)(client.clone());
        let is_first = self.revocations.is_none();
        let capacity = self.capacity;
        let revocations =
            self.revocations.get_or_insert_with(|| Revocations::new("node", source, capacity, clock.clone()));
        let verifier = Verifier::with(keys, revocations.clone(), clock.clone());
        OwnVerifier { verifier, followed: is_first.then(|| revocations.clone()) }
    }
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
        services: Vec<HostedService>,
        sources: fn(Client) -> TokenSources,
    ) -> Result<Self, Breakage> {
        for HostedService { name, registrations, .. } in &services {
            check_service(name, registrations).map_err(|breakage| Breakage::other(format!("{name}: {breakage}")))?;
        }
        for Hosted { name, routes, .. } in &hosted {
            check_registrations(name, routes).map_err(|breakage| Breakage::other(format!("{name}: {breakage}")))?;
        }
        let id = Uuid::now_v7();
        let mut tokens = Tokens { sources, capacity: config.revocations, revocations: None };
        let mut node = Self { config, domains: Vec::new(), services: Vec::new() };
        for hosted in hosted {
            let name = hosted.name;
            match Running::start(&node.config, hosted, &mut tokens, id).await {
                Ok(running) => node.domains.push(running),
                Err(breakage) => {
                    // The domains that were started already serve requests.
                    node.drain().await;
                    return Err(Breakage::other(format!("{name}: {breakage}")));
                }
            }
        }
        for hosted in services {
            let name = hosted.name;
            match RunningService::start(&node.config, hosted, &mut tokens).await {
                Ok(running) => node.services.push(running),
                Err(breakage) => {
                    node.drain().await;
                    return Err(Breakage::other(format!("{name}: {breakage}")));
                }
            }
        }
        Ok(node)
    }

    /// The health of the node.
    pub fn health(&self) -> Health {
        let domains = self.domains.iter().map(|domain| domain.pulse.health());
        let domains: Vec<_> = domains.chain(self.services.iter().map(RunningService::health)).collect();
        Health { is_ready: domains.iter().all(|domain| domain.is_ready), domains }
    }

    /// Shuts down in order: stops taking new work, finishes the work in flight, sends replies and events, then closes
    /// the connections. Takes at most [`NodeConfig::drain`].
    pub async fn drain(&self) {
        self.drain_by(Instant::now() + self.config.drain).await;
    }

    /// As [`drain`](Self::drain), with a deadline that the caller sets for its whole shutdown.
    pub async fn drain_by(&self, deadline: Instant) {
        let domains = futures::future::join_all(self.domains.iter().map(|domain| domain.drain(deadline)));
        let services = futures::future::join_all(self.services.iter().map(|service| service.drain(deadline)));
        futures::future::join(domains, services).await;
    }
}

impl Running {
    async fn start(config: &NodeConfig, hosted: Hosted, tokens: &mut Tokens, node: Uuid) -> Result<Self, Breakage> {
        let Hosted { name, routes, database_url, stream } = hosted;
        let lane_count = u32::try_from(config.lanes).unwrap_or(u32::MAX);
        let db = Database::open(&database_url, name, lane_count)?;
        let clock = Clock::default();
        // Compare the clock before the first token is verified. On failure the watcher repeats it.
        if let Err(breakage) = clock.compare(async { Ok(database::clock(&db.internal_reads).await?) }).await {
            tracing::warn!(domain = name, %breakage, "the database's clock could not be read");
        }
        if let Err(error) = db.open_kept().await {
            tracing::warn!(domain = name, %error, "connections for reads could not be opened");
        }
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
            depth: Depth::default(),
        });
        let lanes = Lanes::new(context, config.lanes);
        effects.finish_in(lanes.clone());
        streams.ensure_own(&db.lanes).await;

        let (endpoints, infos) = endpoints_of_domain(name, &routes, config.dead_letter_access);
        let verifier = tokens.verifier(&client, &clock);
        let [queries, internal_queries, commands] = Responder::admission();
        let tasks = TaskTracker::new();
        let responder = Arc::new(Responder {
            domain: name,
            connection: requests.clone(),
            client: client.clone(),
            backing: Some(Backing {
                db: db.clone(),
                streams: streams.clone(),
                lanes: lanes.clone(),
                events: routes.events.clone(),
            }),
            verifier: verifier.verifier.clone(),
            endpoints,
            queries,
            internal_queries,
            commands,
            micro: Arc::new(Micro::new("domain", name, infos)),
            tasks: tasks.clone(),
        });
        let consumers = consumers(name, &routes, &streams, &lanes, &clock);

        let stop = CancellationToken::new();
        let watch = Arc::new(Watch::default());
        let pulse = Arc::new(Pulse::new(name, watch.clone(), clock));
        let mut children: Vec<Child> = (0..lanes.count()).map(|number| children::lane(&lanes, number)).collect();
        children.push(children::publishing(name, &publisher, commits));
        children.push(children::sweeping(name, &db, &publisher, &streams, &stop));
        children.push(children::refilling(name, &db, &publisher, &streams, &stop, node));
        children.push(children::performing(name, &effects, &stop));
        children.push(children::keeping(name, &db, &routes.chores, &effects, &stop, node));
        children.push(children::watching(name, &db, [requests.clone(), events.clone()], &pulse, &lanes));
        children.push(children::learning_of_tokens(name, &verifier));
        for consumer in consumers {
            children.push(children::consuming(&consumer, &stop));
            let catch_up =
                CatchUp { consumer, db: db.clone(), client: client.clone(), node, seen_era: AtomicI64::new(0) };
            children.push(children::catching_up(Arc::new(catch_up), &stop));
        }
        let deadlines = Deadlines { domain: name, db, routes: routes.deadlines, responder: responder.clone(), node };
        children.push(children::acting_on_deadlines(Arc::new(deadlines), &stop));
        children.push(children::responding(responder, &stop));

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
            // Every request that arrived before the responder ended its subscription gets a reply.
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

fn consumers(
    name: &'static str,
    routes: &Routes,
    streams: &Streams,
    lanes: &Lanes,
    clock: &Clock,
) -> Vec<Arc<Consumer>> {
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
                clock: clock.clone(),
            })
        })
        .collect()
}
