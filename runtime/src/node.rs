//! A node: some domains of the system in one process. Capacity grows by starting another one; nothing has to be told.

mod children;
mod endpoints;
mod health;
mod running;

use std::{sync::Arc, time::Duration};

use contract::{Access, Query, VerificationKeys};

pub use health::{DomainHealth, Health};
pub use running::Node;

use crate::{
    auth::{KeySource, Verifier},
    client::{Call, Client},
    connect::{NatsConfig, connect},
    domain::{Domain, Registry},
    failure::Breakage,
    operation::Routes,
    stream::StreamSpec,
};

/// How a node runs.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// Where NATS is.
    pub nats: NatsConfig,
    /// Lanes of each domain.
    pub lanes: usize,
    /// How long a drain may take.
    pub drain: Duration,
    /// Who may list and redrive what could not be handled, beside the operator.
    pub dead_letter_access: Access,
}

impl NodeConfig {
    /// The defaults for a server.
    pub fn new(nats: NatsConfig) -> Self {
        Self { nats, lanes: 2, drain: Duration::from_secs(20), dead_letter_access: Access::Internal }
    }
}

/// A domain with its place in the world.
pub(crate) struct Hosted {
    pub name: &'static str,
    pub routes: Routes,
    pub database_url: String,
    pub stream: StreamSpec,
}

/// Collects domains, then starts them.
pub struct NodeBuilder {
    config: NodeConfig,
    domains: Vec<Hosted>,
}

impl NodeBuilder {
    /// A node without domains.
    pub fn new(config: NodeConfig) -> Self {
        Self { config, domains: Vec::new() }
    }

    /// Adds a domain on its own database.
    #[must_use]
    pub fn domain<D: Domain>(mut self, domain: D, database_url: String, stream: StreamSpec) -> Self {
        let mut registry = Registry::new(Arc::new(domain));
        D::register(&mut registry);
        self.domains.push(Hosted { name: D::NAME, routes: registry.routes, database_url, stream });
        self
    }

    /// Connects, makes the streams, subscribes, pulls. The tokens of callers are verified by the keys that `Q` answers.
    ///
    /// # Errors
    /// Where a server does not answer, or a domain does not start.
    pub async fn start<Q: Query<Reply = VerificationKeys> + Default>(self) -> Result<Node, Breakage> {
        Node::start(self.config, self.domains, key_source::<Q>).await
    }
}

/// Keys by request to whoever signs. Asked when a token names a key that is not known.
pub(crate) fn key_source<Q: Query<Reply = VerificationKeys> + Default>(client: Client) -> KeySource {
    Arc::new(move || {
        let client = client.clone();
        Box::pin(async move {
            client.ask(&Q::default(), &Call::default()).await.map_err(|error| match error {
                contract::CallError::Fault(fault) => fault,
                contract::CallError::Refused(_) => contract::Fault::internal(Q::DOMAIN),
            })
        })
    })
}

/// A client of the system as a NATS user, and the verifier of tokens that goes with it: what an edge needs.
///
/// # Errors
/// Where NATS does not answer.
pub async fn edge<Q: Query<Reply = VerificationKeys> + Default>(
    nats: &NatsConfig,
    user: &str,
) -> Result<(Client, Verifier), Breakage> {
    let client = Client::new(connect(nats, user, "requests").await?).await.map_err(Breakage::other)?;
    Ok((client.clone(), Verifier::new(key_source::<Q>(client))))
}
