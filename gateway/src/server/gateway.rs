//! The configuration of a gateway and the state shared by all requests.

use std::{sync::Arc, time::Duration};

use contract::ServiceError;
use futures::future::BoxFuture;
use runtime::{Client, Identity, Verifier};
use server::{Accounts, Tls};
use tokio::sync::{Semaphore, watch};

use crate::{
    http::address::TrustedProxies,
    server::{
        admission::Admission,
        cache::ReadCache,
        client_streams::ClientStreams,
        discovery::ServiceDiscovery,
        notices::FollowedEntities,
        rates::{RateLimits, Rates},
        shared_stock::SharedStock,
    },
};

/// The maximum number of order streams; each reads its order every two seconds.
const MAX_ORDER_STREAMS: usize = 10_000;

/// The maximum number of stock streams; those of a variant share its reads, one a second at most. Anyone may open them,
/// so they take no places of order streams.
const MAX_STOCK_STREAMS: usize = 5000;

/// The maximum number of requests that wait for their order, and of those that are held because they were repeated too
/// early. Bounds on memory and connections.
const MAX_WAITS: usize = 2048;
const MAX_HOLDS: usize = 8192;

/// Verifies the value of an `Authorization` header and returns the identity of the token.
pub type VerifyToken = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Identity, ServiceError>> + Send + Sync>;

/// Completes once the token of an identity is known to be revoked.
pub type AwaitRevocation = Arc<dyn Fn(Identity) -> BoxFuture<'static, ()> + Send + Sync>;

/// What the page at `/` shows besides the gateway itself. Empty outside a local stack.
#[derive(Debug, Clone, Default)]
pub struct Local {
    /// The base of the port with metrics, such as `http://127.0.0.1:9464`.
    pub metrics: Option<String>,
    /// The demo accounts.
    pub accounts: Option<Accounts>,
}

/// The phases of a shutdown, from its start.
#[derive(Debug, Clone, Copy)]
pub struct Shutdown {
    /// How long new connections are still accepted: zero if another gateway accepts them from the same socket,
    /// otherwise until the load balancer has noticed that this gateway is not ready.
    pub accepting: Duration,
    /// How long responses carry `Connection: close` before idle connections are closed, so that a client that sends
    /// requests now and then gets one such response first. Longer than `accepting`, so that the connection accepted
    /// last has time to send its request.
    pub notice: Duration,
    /// How long requests in flight may still take after that.
    pub timeout: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self {
            accepting: Duration::from_millis(250),
            notice: Duration::from_millis(500),
            timeout: Duration::from_secs(10),
        }
    }
}

/// Configuration of a gateway.
#[derive(Clone)]
pub struct GatewayConfig {
    /// The client of the domains.
    pub client: Client,
    /// Verifies access tokens at the edge; the owning domain does it again.
    pub verify: VerifyToken,
    /// Ends the streams and waits of a caller whose token was revoked.
    pub revoked: AwaitRevocation,
    /// The largest body that is read, in bytes. [`GatewayConfig::BODY_LIMIT`] fits into one NATS message.
    pub body_limit: usize,
    /// The origins whose pages may read replies; none by default.
    pub cors_origins: Vec<String>,
    /// The proxies that name the client; none by default.
    pub trusted_proxies: TrustedProxies,
    /// The rate limits of an address and of an account.
    pub rates: RateLimits,
    /// Whether the sandbox routes are served.
    pub local_stack: bool,
    /// What the page at `/` shows of a local stack.
    pub local: Local,
    /// The certificate of HTTPS; without it the gateway serves plain HTTP, for a proxy that terminates TLS.
    pub tls: Option<Tls>,
    /// The phases of a shutdown.
    pub shutdown: Shutdown,
}

impl GatewayConfig {
    /// The client and verifier of [`runtime::edge`] with the defaults: no other origins, no sandbox.
    pub fn new(client: Client, verifier: Verifier) -> Self {
        let watcher = verifier.clone();
        let revoked: AwaitRevocation = Arc::new(move |identity| {
            let verifier = watcher.clone();
            Box::pin(async move { verifier.revoked(&identity).await })
        });
        let verify: VerifyToken = Arc::new(move |authorization| {
            let verifier = verifier.clone();
            Box::pin(async move { verifier.verify(&authorization).await })
        });
        Self {
            client,
            verify,
            revoked,
            body_limit: Self::BODY_LIMIT,
            cors_origins: Vec::new(),
            trusted_proxies: TrustedProxies::default(),
            rates: RateLimits::default(),
            local_stack: false,
            local: Local::default(),
            tls: None,
            shutdown: Shutdown::default(),
        }
    }

    /// Just below 1 MiB: a body becomes one message, which with its headers must stay below the server's bound.
    pub const BODY_LIMIT: usize = 1_000_000;
}

/// The state shared by all requests.
pub(crate) struct Gateway {
    pub(crate) client: Client,
    pub(crate) verify: VerifyToken,
    pub(crate) revoked: AwaitRevocation,
    pub(crate) body_limit: usize,
    pub(crate) cors_origins: Vec<String>,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) rates: Rates,
    pub(crate) local_stack: bool,
    pub(crate) local: Local,
    pub(crate) order_streams: Arc<Semaphore>,
    pub(crate) stock_streams: Arc<Semaphore>,
    /// Those that anyone may open.
    pub(crate) open_streams: Arc<ClientStreams>,
    /// What stock streams read.
    pub(crate) stock: SharedStock,
    pub(crate) admission: Arc<Admission>,
    pub(crate) holds: Semaphore,
    pub(crate) waits: Semaphore,
    pub(crate) discovery: ServiceDiscovery,
    pub(crate) reads: ReadCache,
    pub(crate) followed: Arc<FollowedEntities>,
    draining: watch::Sender<bool>,
}

impl Gateway {
    pub(crate) fn new(config: GatewayConfig) -> Arc<Self> {
        let GatewayConfig {
            client,
            verify,
            revoked,
            body_limit,
            cors_origins,
            trusted_proxies,
            rates,
            local_stack,
            local,
            tls: _,
            shutdown: _,
        } = config;
        let (draining, _) = watch::channel(false);
        Arc::new(Self {
            client,
            verify,
            revoked,
            body_limit,
            cors_origins,
            trusted_proxies,
            rates: Rates::new(rates),
            local_stack,
            local,
            order_streams: Arc::new(Semaphore::new(MAX_ORDER_STREAMS)),
            stock_streams: Arc::new(Semaphore::new(MAX_STOCK_STREAMS)),
            open_streams: Arc::default(),
            stock: SharedStock::default(),
            admission: Arc::default(),
            holds: Semaphore::new(MAX_HOLDS),
            waits: Semaphore::new(MAX_WAITS),
            discovery: ServiceDiscovery::default(),
            reads: ReadCache::new(),
            followed: Arc::default(),
            draining,
        })
    }

    /// Starts draining: responses ask their clients to close the connection, and waits and streams end.
    pub(crate) fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Whether the gateway is shutting down.
    pub(crate) fn is_draining(&self) -> bool {
        *self.draining.borrow()
    }

    /// Completes once the gateway is shutting down.
    pub(crate) async fn drained(&self) {
        let mut draining = self.draining.subscribe();
        // The sender lives as long as this gateway.
        drop(draining.wait_for(|draining| *draining).await);
    }
}
