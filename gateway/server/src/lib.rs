//! Serves a poem endpoint over HTTP/1.1, plain or with TLS, and bounds everything a connection may hold: the time for a
//! handshake, a request head, a body and a response, the time it may idle, and the number of connections.
//!
//! poem's own server sets none of these bounds.
//!
//! To read first: `connection.rs` (how the [`Limits`] are enforced), `meter.rs` (the state of a connection), `body.rs`.

mod body;
mod connection;
mod index;
mod meter;
mod stream;
mod tls;

use std::{io, sync::Arc, time::Duration};

use poem::{
    Endpoint,
    http::uri::Scheme,
    web::{LocalAddr, RemoteAddr},
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::{
    net::TcpListener,
    sync::watch,
    task::unconstrained,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use index::{Accounts, Index};
pub use tls::Tls;

/// The pause before the next accept while there is no room for a connection.
const BACKOFF: Duration = Duration::from_millis(50);
/// File descriptors that connections leave to the rest of the process.
const RESERVED_DESCRIPTORS: u64 = 256;

/// What a connection may hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// A request head, from its first byte; a TLS handshake likewise.
    pub head: Duration,
    /// Between two requests, and before the first byte of a connection.
    pub idle: Duration,
    /// A request body, from the end of the head.
    pub body: Duration,
    /// A response of known length, from its first byte.
    pub response: Duration,
    /// A write without progress.
    pub stall: Duration,
    /// The number of connections. At the bound, those without a request in progress are closed.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let room = usize::try_from(descriptors.saturating_sub(RESERVED_DESCRIPTORS)).unwrap_or(usize::MAX);
        Self {
            head: Duration::from_secs(10),
            idle: Duration::from_secs(75),
            body: Duration::from_secs(10),
            response: Duration::from_secs(60),
            stall: Duration::from_secs(30),
            connections: room.clamp(64, 20_000),
        }
    }
}

/// Raises the number of file descriptors this process may open to what the system allows it.
pub fn raise_descriptor_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(%error, "limit of file descriptors could not be raised");
    }
}

/// The stage of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// New connections are accepted.
    Open,
    /// No new connection is accepted; those that exist are served.
    Draining,
    /// Connections without a request in progress are closed, the others after their response.
    Closing,
}

/// Data of a response that rejects its request. The next request of the connection has it too, so that the endpoint
/// recognizes a repeat that comes too early.
#[derive(Debug, Clone, Copy)]
pub struct Rejected {
    /// Identifies the request.
    pub request: u64,
    /// The end of its `Retry-After`.
    pub until: Instant,
}

/// How an endpoint is served.
pub struct Options {
    /// The listener's name in metrics and logs.
    pub name: &'static str,
    /// The certificate of HTTPS; without it the server speaks HTTP.
    pub tls: Option<Tls>,
    /// What a connection may hold.
    pub limits: Limits,
    /// How long requests may still take once the stage is `Closing`; then they are cut.
    pub timeout: Duration,
}

impl Options {
    /// Plain HTTP with the default limits.
    pub fn new(name: &'static str) -> Self {
        Self { name, tls: None, limits: Limits::default(), timeout: Duration::from_secs(10) }
    }
}

/// What all connections of a listener share.
struct Shared<E> {
    endpoint: E,
    options: Options,
    local: LocalAddr,
    scheme: Scheme,
    signals: watch::Sender<Signals>,
}

/// The state that a listener shares with its connections.
#[derive(Debug, Clone, Copy)]
struct Signals {
    stage: Stage,
    /// Counts how often the bound on connections was reached.
    full: u64,
}

/// Serves until the stage is `Closing` and the connections have ended.
///
/// # Errors
/// If the socket cannot be used.
pub async fn serve<E: Endpoint + 'static>(
    listener: TcpListener,
    endpoint: E,
    options: Options,
    mut stage: watch::Receiver<Stage>,
) -> io::Result<()> {
    let local = LocalAddr(listener.local_addr()?.into());
    let scheme = if options.tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
    let (signals, _) = watch::channel(Signals { stage: Stage::Open, full: 0 });
    let shared = Arc::new(Shared { endpoint, options, local, scheme, signals });
    let (connections, cut) = (TaskTracker::new(), CancellationToken::new());
    tokio::select! {
        biased;
        () = reached(&mut stage, Stage::Draining) => {}
        () = accept(&listener, &shared, &connections, &cut) => {}
    }
    drop(listener);
    reached(&mut stage, Stage::Closing).await;
    shared.signals.send_modify(|signals| signals.stage = Stage::Closing);
    connections.close();
    if timeout(shared.options.timeout, connections.wait()).await.is_err() {
        tracing::warn!(listener = shared.options.name, left = connections.len(), "connections cut at shutdown timeout");
        cut.cancel();
        connections.wait().await;
    }
    Ok(())
}

/// Without a sender the stage no longer changes.
async fn reached(stage: &mut watch::Receiver<Stage>, wanted: Stage) {
    if stage.wait_for(|stage| *stage >= wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn accept<E: Endpoint + 'static>(
    listener: &TcpListener,
    shared: &Arc<Shared<E>>,
    connections: &TaskTracker,
    cut: &CancellationToken,
) {
    let open = metrics::gauge!("http_connections", "listener" => shared.options.name);
    loop {
        if connections.len() >= shared.options.limits.connections {
            make_room(shared).await;
            continue;
        }
        // All that wait are accepted in one turn of this task: among thousands of tasks its turns are rare, and a
        // connection that finds the backlog full is repeated after a second, then three.
        let (stream, from) = match unconstrained(listener.accept()).await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Usually no file descriptor is left.
                tracing::warn!(listener = shared.options.name, %error, "connection could not be accepted");
                make_room(shared).await;
                continue;
            }
        };
        let (shared, cut) = (shared.clone(), cut.clone());
        let counted = Counted::new(open.clone());
        connections.spawn(async move {
            let _counted = counted;
            let served = connection::serve(stream, RemoteAddr(from.into()), &shared);
            cut.run_until_cancelled(served).await;
        });
    }
}

/// RAII guard: counts one connection in a gauge until dropped.
struct Counted(metrics::Gauge);

impl Counted {
    fn new(gauge: metrics::Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

async fn make_room<E>(shared: &Shared<E>) {
    shared.signals.send_modify(|signals| signals.full += 1);
    sleep(BACKOFF).await;
}
