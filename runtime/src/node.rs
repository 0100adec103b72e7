//! A node: some domains and services of the system in one process. Capacity grows by starting more nodes, without any
//! change to the running ones.
//!
//! To read first: `node/running.rs` (start and drain), `node/supervise.rs` (restarts), `node/children.rs` (the tasks).

mod children;
mod endpoints;
mod health;
pub(crate) mod metrics;
mod running;
mod supervise;
mod uses;

use std::{sync::Arc, time::Duration};

use contract::{Access, CallError, Query, RevocationsPage, RevocationsRequest, ServiceError, VerificationKeys};

pub use health::{DomainHealth, Health};
pub use running::Node;
pub use uses::Uses;

use crate::{
    api::{
        domain::{Domain, Registry},
        routes::{QueryRoute, Registration, Routes},
        service::{Service, ServiceRegistry},
    },
    clock::Clock,
    error::InternalError,
    log::stream::StreamSpec,
    rpc::{
        auth::{TokenSources, Verifier},
        client::{Call, Client},
        connect::{NatsConfig, connect},
        revocations::{REVOCATIONS, Revocations},
    },
};

/// The configuration of a node.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The connection to NATS.
    pub nats: NatsConfig,
    /// The number of lanes of each domain.
    pub lanes: usize,
    /// The longest time a drain may take.
    pub drain: Duration,
    /// The access to dead letters (list and redrive) and to the audit log, besides the operator's. `Access::Internal`
    /// grants none.
    pub guarded_access: Access,
    /// The roles whose commands are recorded in the audit log.
    pub audited_roles: &'static [&'static str],
    /// The most revocations kept in memory. If there are more, the signer is queried about every token not in the list.
    pub revocations: usize,
}

impl NodeConfig {
    /// The default configuration for a connection to NATS.
    pub fn new(nats: NatsConfig) -> Self {
        Self {
            nats,
            lanes: 2,
            drain: Duration::from_secs(20),
            guarded_access: Access::Internal,
            audited_roles: &[],
            revocations: REVOCATIONS,
        }
    }
}

/// A domain with its database and its stream.
pub(crate) struct Hosted {
    pub name: &'static str,
    pub routes: Routes,
    pub database_url: String,
    /// `None` for a projection domain, which emits nothing.
    pub stream: Option<StreamSpec>,
}

/// A service, and the NATS user it connects as.
pub(crate) struct HostedService {
    pub name: &'static str,
    pub user: &'static str,
    pub queries: Vec<QueryRoute>,
    pub registrations: Vec<Registration>,
}

/// Collects domains and services, then starts them.
pub struct NodeBuilder {
    config: NodeConfig,
    domains: Vec<Hosted>,
    services: Vec<HostedService>,
}

impl NodeBuilder {
    /// A node without domains.
    pub fn new(config: NodeConfig) -> Self {
        Self { config, domains: Vec::new(), services: Vec::new() }
    }

    /// Adds a domain on its own database.
    #[must_use]
    pub fn domain<D: Domain>(self, domain: D, database_url: String, stream: StreamSpec) -> Self {
        self.host(domain, database_url, Some(stream))
    }

    /// Adds a projection domain on its own database: it answers queries from what it stores of the events of other
    /// domains. It has no stream, and registers no command, effect or deadline.
    #[must_use]
    pub fn projection<D: Domain>(self, domain: D, database_url: String) -> Self {
        self.host(domain, database_url, None)
    }

    fn host<D: Domain>(mut self, domain: D, database_url: String, stream: Option<StreamSpec>) -> Self {
        let routes = Registry::of(Some(Arc::new(domain))).routes;
        self.domains.push(Hosted { name: D::NAME, routes, database_url, stream });
        self
    }

    /// Adds a service that connects to NATS as `user`.
    #[must_use]
    pub fn service<S: Service>(mut self, service: S, user: &'static str) -> Self {
        let ServiceRegistry { queries, registrations, .. } = ServiceRegistry::of(Some(Arc::new(service)));
        self.services.push(HostedService { name: S::NAME, user, queries, registrations });
        self
    }

    /// Connects to the servers, creates missing streams and starts all domains and services. Callers' tokens are
    /// verified with the keys that `K` returns, and rejected if `R` lists them as revoked.
    ///
    /// # Errors
    /// If the registrations of a domain or service contradict each other, NATS does not answer, or a domain or service
    /// does not start.
    pub async fn start<K: KeysQuery, R: RevocationsQuery>(self) -> Result<Node, InternalError> {
        Node::start(self.config, self.domains, self.services, token_sources::<K, R>).await
    }

    /// As [`start`](Self::start), in a system without access tokens: every token is rejected.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub async fn start_without_tokens(self) -> Result<Node, InternalError> {
        Node::start(self.config, self.domains, self.services, no_tokens).await
    }
}

/// The query for the signer's verification keys.
pub trait KeysQuery: Query<Reply = VerificationKeys> + Default {}

impl<Q: Query<Reply = VerificationKeys> + Default> KeysQuery for Q {}

/// The query for the signer's revocations.
pub trait RevocationsQuery: Query<Reply = RevocationsPage> + From<RevocationsRequest> {}

impl<Q: Query<Reply = RevocationsPage> + From<RevocationsRequest>> RevocationsQuery for Q {}

/// The timeout of a query for revocations: long enough for a second attempt if the first one reached a dead node.
const REVOCATIONS_DEADLINE: Duration = Duration::from_secs(2);

/// Reads keys and revocations from the signer. Keys are read again when a token names an unknown key.
fn token_sources<K: KeysQuery, R: RevocationsQuery>(client: Client) -> TokenSources {
    let poller = client.clone();
    TokenSources {
        keys: Arc::new(move || {
            let client = client.clone();
            Box::pin(async move { client.ask(&K::default(), &Call::default()).await.map_err(service_error::<K>) })
        }),
        revocations: Arc::new(move |request| {
            let client = poller.clone();
            let call = Call { deadline: REVOCATIONS_DEADLINE, ..Call::default() };
            Box::pin(async move { client.ask(&R::from(request), &call).await.map_err(service_error::<R>) })
        }),
    }
}

fn no_tokens(_client: Client) -> TokenSources {
    TokenSources {
        keys: Arc::new(|| Box::pin(async { Ok(VerificationKeys::default()) })),
        revocations: Arc::new(|_| Box::pin(async { Ok(RevocationsPage::default()) })),
    }
}

fn service_error<Q: Query>(error: CallError<Q::Error>) -> ServiceError {
    match error {
        CallError::ServiceError(service_error) => service_error,
        CallError::Rejected(_) => ServiceError::internal(Q::DOMAIN),
    }
}

/// Connects an edge to NATS as `user`. Returns its client and its token verifier, which keeps up to `revocations`
/// revocations in memory.
///
/// # Errors
/// If NATS does not answer.
pub async fn edge<K: KeysQuery, R: RevocationsQuery>(
    nats: &NatsConfig,
    user: &'static str,
    revocations: usize,
) -> Result<(Client, Verifier), InternalError> {
    let client = Client::new(connect(nats, user, "requests").await?).await.map_err(InternalError::other)?;
    let (sources, clock) = (token_sources::<K, R>(client.clone()), Clock::default());
    let revocations = Revocations::new(user, sources.revocations, revocations, clock.clone());
    tokio::spawn(revocations.follow());
    let verifier = Verifier::with(sources.keys, revocations, clock);
    let learner = verifier.clone();
    tokio::spawn(async move { learner.learn_keys().await });
    Ok((client, verifier))
}
