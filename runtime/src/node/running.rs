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
    Health, Hosted, HostedService, NodeConfig,
    children::{self, Work},
    endpoints::{Endpoints, check_registrations, check_service, endpoints_of_domain, endpoints_of_service},
    health::HealthState,
};
use crate::{
    api::{
        context::PermittedClient,
        routes::{Calls, Registration, Routes},
    },
    clock::Clock,
    consume::{
        catch_up::CatchUp,
        consumer::{Consumer, PERMITS},
    },
    database::{self, Database},
    error::InternalError,
    jobs::deadlines::Deadlines,
    lane::{Depth, LaneContext, Lanes, effects::Effects},
    log::{publisher::Publisher, stream::Streams},
    node::supervise::{Child, Supervisor, SupervisorMessage, Watch},
    responder::{Backing, Micro, Responder},
    rpc::{
        auth::{TokenSources, Verifier},
        client::Client,
        connect::connect,
        revocations::Revocations,
    },
};

/// A running node.
pub struct Node {
    config: NodeConfig,
    /// The domains, then the services.
    running: Vec<Running>,
}

/// Creates the token verifiers of a node's domains and services. They share one list of revocations, which the first of
/// them keeps up to date.
struct Tokens {
    sources: fn(Client) -> TokenSources,
    capacity: usize,
    revocations: Option<Revocations>,
}

/// The token verifier of a domain or service, and the revocations if that is the one that keeps them up to date.
pub(super) struct DomainVerifier {
    pub verifier: Verifier,
    pub polled: Option<Revocations>,
}

impl Tokens {
    fn verifier(&mut self, client: &Client, clock: &Clock) -> DomainVerifier {
        let TokenSources { keys, revocations: source } = (self.sources)(client.clone());
        let is_first = self.revocations.is_none();
        let capacity = self.capacity;
        let revocations =
            self.revocations.get_or_insert_with(|| Revocations::new("node", source, capacity, clock.clone()));
        let verifier = Verifier::with(keys, revocations.clone(), clock.clone());
        DomainVerifier { verifier, polled: is_first.then(|| revocations.clone()) }
    }
}

/// A running domain or service.
struct Running {
    name: &'static str,
    supervisor: ActorRef<SupervisorMessage>,
    watch: Arc<Watch>,
    health_state: Arc<HealthState>,
    stop: CancellationToken,
    tasks: TaskTracker,
    connections: Vec<async_nats::Client>,
    /// `None` for a service.
    lanes: Option<Lanes>,
}

impl Node {
    pub(super) async fn start(
        config: NodeConfig,
        hosted: Vec<Hosted>,
        services: Vec<HostedService>,
        sources: fn(Client) -> TokenSources,
    ) -> Result<Self, InternalError> {
        let named = |name: &'static str| move |error| InternalError::other(format!("{name}: {error}"));
        for HostedService { name, registrations, .. } in &services {
            check_service(name, registrations).map_err(named(name))?;
        }
        for Hosted { name, routes, stream, .. } in &hosted {
            check_registrations(name, routes, stream.is_none()).map_err(named(name))?;
        }
        let id = Uuid::now_v7();
        let tokens = Tokens { sources, capacity: config.revocations, revocations: None };
        let mut node = Self { config, running: Vec::new() };
        match node.start_all(hosted, services, tokens, id).await {
            Ok(()) => Ok(node),
            Err((name, error)) => {
                // The domains that were started already serve requests.
                node.drain().await;
                Err(named(name)(error))
            }
        }
    }

    async fn start_all(
        &mut self,
        hosted: Vec<Hosted>,
        services: Vec<HostedService>,
        mut tokens: Tokens,
        node: Uuid,
    ) -> Result<(), (&'static str, InternalError)> {
        for hosted in hosted {
            let name = hosted.name;
            let running = Running::start_domain(&self.config, hosted, &mut tokens, node).await;
            self.running.push(running.map_err(|error| (name, error))?);
        }
        for hosted in services {
            let name = hosted.name;
            let running = Running::start_service(&self.config, hosted, &mut tokens).await;
            self.running.push(running.map_err(|error| (name, error))?);
        }
        Ok(())
    }

    /// The health of the node.
    pub fn health(&self) -> Health {
        let domains: Vec<_> = self.running.iter().map(|running| running.health_state.health()).collect();
        Health { is_ready: domains.iter().all(|domain| domain.is_ready), domains }
    }

    /// Shuts down in order: stops taking new work, finishes the work in flight, sends replies and events, then closes
    /// the connections. Takes at most [`NodeConfig::drain`].
    pub async fn drain(&self) {
        self.drain_by(Instant::now() + self.config.drain).await;
    }

    /// As [`drain`](Self::drain), with a deadline that the caller sets for its whole shutdown.
    pub async fn drain_by(&self, deadline: Instant) {
        futures::future::join_all(self.running.iter().map(|running| running.drain(deadline))).await;
    }
}

/// What a domain or service needs to serve requests.
struct ServerParts {
    name: &'static str,
    requests: async_nats::Client,
    peers: PermittedClient,
    clock: Clock,
    verifier: Arc<DomainVerifier>,
}

impl ServerParts {
    async fn new(
        config: &NodeConfig,
        name: &'static str,
        user: &'static str,
        registrations: &[Registration],
        tokens: &mut Tokens,
    ) -> Result<Self, InternalError> {
        let requests = connect(&config.nats, user, "requests").await?;
        let client = Client::new(requests.clone()).await.map_err(InternalError::other)?;
        let clock = Clock::default();
        let verifier = Arc::new(tokens.verifier(&client, &clock));
        let peers = PermittedClient { client, calls: Calls::of(registrations) };
        Ok(Self { name, requests, peers, clock, verifier })
    }

    fn responder(&self, kind: &'static str, backing: Option<Backing>, (endpoints, infos): Endpoints) -> Arc<Responder> {
        let [queries, internal_queries, commands] = Responder::admission();
        Arc::new(Responder {
            domain: self.name,
            connection: self.requests.clone(),
            peers: self.peers.clone(),
            backing,
            verifier: self.verifier.verifier.clone(),
            endpoints,
            queries,
            internal_queries,
            commands,
            micro: Arc::new(Micro::new(kind, self.name, infos)),
            tasks: TaskTracker::new(),
        })
    }
}

impl Running {
    async fn start_domain(
        config: &NodeConfig,
        hosted: Hosted,
        tokens: &mut Tokens,
        node: Uuid,
    ) -> Result<Self, InternalError> {
        let Hosted { name, routes, database_url, stream } = hosted;
        let lane_count = u32::try_from(config.lanes).unwrap_or(u32::MAX);
        let db = Database::open(&database_url, name, lane_count)?;
        let parts = ServerParts::new(config, name, name, &routes.registrations, tokens).await?;
        let clock = &parts.clock;
        // Compare the clock before the first token is verified. On failure the watcher repeats it.
        if let Err(internal_error) = clock.compare(async { Ok(database::clock(&db.internal_reads).await?) }).await {
            tracing::warn!(domain = name, error = %internal_error, "database clock could not be read");
        }
        match db.open_kept().await {
            Ok(()) => tracing::info!(domain = name, "database connected"),
            Err(error) => tracing::warn!(domain = name, %error, "read connections could not be opened"),
        }
        let events = connect(&config.nats, name, "events").await?;
        let peers = &parts.peers;
        let emits = stream.is_some();
        let streams = Streams::new(name, events.clone(), stream.unwrap_or_default());
        let (publisher, commits) = Publisher::new(name, db.clone(), streams.clone());
        let effects = Effects::new(name, db.clone(), peers.clone(), routes.effects.clone());
        let depth = Depth::default();
        let context = LaneContext { domain: name, emits, db: db.clone(), publisher, effects, depth };
        let lanes = Lanes::new(Arc::new(context), config.lanes);
        if emits {
            streams.ensure_own(&db.lanes).await;
        }

        let backing = Backing {
            db: db.clone(),
            streams: streams.clone(),
            lanes: lanes.clone(),
            events: routes.events.clone(),
            history: routes.history.clone(),
            audited_roles: config.audited_roles,
        };
        let endpoints = endpoints_of_domain(name, &routes, config.guarded_access);
        let responder = parts.responder("domain", Some(backing), endpoints);
        let consumers = consumers(name, &routes, &streams, &lanes, clock);
        let stop = CancellationToken::new();
        let watch = Arc::new(Watch::default());
        let health_state = Arc::new(HealthState::new(name, watch.clone(), clock.clone()));
        let connections = vec![parts.requests.clone(), events];
        let (maintenance_jobs, stopping) = (routes.maintenance_jobs, stop.clone());
        let work = Arc::new(Work { name, node, lanes: lanes.clone(), streams, maintenance_jobs, stop: stopping });
        let mut children: Vec<Child> = (0..lanes.count()).map(|number| children::lane(&lanes, number)).collect();
        if emits {
            children.extend([
                children::publishing(&work, commits),
                children::sweeping(&work),
                children::republishing(&work),
                children::performing(&work),
            ]);
        }
        children.extend([
            children::maintaining(&work),
            children::watching(&work, connections.clone(), &health_state),
            children::learning_of_tokens(name, &parts.verifier),
        ]);
        for consumer in consumers {
            children.push(children::consuming(&consumer, &stop));
            let (db, client) = (db.clone(), peers.client.clone());
            let catch_up = CatchUp { consumer, db, client, node, seen_epoch: AtomicI64::new(0) };
            children.push(children::catching_up(catch_up, &stop));
        }
        let deadlines = Deadlines { domain: name, db, routes: routes.deadlines, responder: responder.clone(), node };
        children.push(children::acting_on_deadlines(deadlines, &stop));
        children.push(children::responding(&responder, &stop));
        let tasks = responder.tasks.clone();
        let supervisor = supervise(name, children, &watch).await?;
        Ok(Self { name, supervisor, watch, health_state, stop, tasks, connections, lanes: Some(lanes) })
    }

    async fn start_service(
        config: &NodeConfig,
        hosted: HostedService,
        tokens: &mut Tokens,
    ) -> Result<Self, InternalError> {
        let HostedService { name, user, queries, registrations } = hosted;
        let parts = ServerParts::new(config, name, user, &registrations, tokens).await?;
        let responder = parts.responder("service", None, endpoints_of_service(&queries));
        let stop = CancellationToken::new();
        let watch = Arc::new(Watch::default());
        let health_state = Arc::new(HealthState::new(name, watch.clone(), parts.clock));
        let children = vec![
            children::watching_connection(name, parts.requests.clone(), &health_state),
            children::learning_of_tokens(name, &parts.verifier),
            children::responding(&responder, &stop),
        ];
        let (tasks, connections) = (responder.tasks.clone(), vec![parts.requests]);
        let supervisor = supervise(name, children, &watch).await?;
        Ok(Self { name, supervisor, watch, health_state, stop, tasks, connections, lanes: None })
    }

    async fn drain(&self, deadline: Instant) {
        self.watch.is_draining.store(true, Ordering::Relaxed);
        self.stop.cancel();
        let work = async {
            // Every request that arrived before the responder ended its subscription gets a reply.
            self.tasks.close();
            self.tasks.wait().await;
            if let Some(lanes) = &self.lanes {
                let LaneContext { effects, publisher, .. } = &*lanes.context;
                while !(lanes.is_empty() && effects.is_idle() && publisher.is_idle()) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                publisher.flush().await;
            }
            for connection in &self.connections {
                if let Err(error) = connection.flush().await {
                    tracing::debug!(domain = self.name, %error, "connection lost while draining");
                }
            }
        };
        if tokio::time::timeout_at(deadline.into(), work).await.is_err() {
            tracing::warn!(domain = self.name, "drain timed out, other nodes take over the remaining work");
        }
        self.supervisor.stop_children(None);
        self.supervisor.stop(None);
        for connection in &self.connections {
            if let Err(error) = connection.drain().await {
                tracing::debug!(domain = self.name, %error, "connection lost while closing");
            }
        }
    }
}

async fn supervise(
    name: &str,
    children: Vec<Child>,
    watch: &Arc<Watch>,
) -> Result<ActorRef<SupervisorMessage>, InternalError> {
    let arguments = (name.to_owned(), children, watch.clone());
    let (supervisor, _) = Actor::spawn(None, Supervisor, arguments).await.map_err(InternalError::other)?;
    Ok(supervisor)
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
