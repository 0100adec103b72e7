//! Endpoints for operators: `/metrics` and `/health/*` on a separate port, with an index page at `/`.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context, Result};
use poem::{EndpointExt, Request, Response, Route, get, handler, http::StatusCode, web::Data};
use runtime::{Metrics, Node};
use server::{Index, Options, Stage};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
};

/// The state shared by the handlers.
#[derive(Clone)]
struct Observed {
    metrics: Metrics,
    node: Option<Arc<Node>>,
    /// Whether the process is shutting down; its gateway stops before its domains.
    is_stopping: Arc<AtomicBool>,
}

/// How many connections may wait to be accepted. A client beyond them repeats its attempt after one, three and seven
/// seconds, so a burst of new connections would delay all others.
const BACKLOG: u32 = 4096;

/// Binds the port early, so that a port in use stops the start with an error that names its variable.
pub(crate) fn bind(address: SocketAddr, variable: &str) -> Result<TcpListener> {
    let listen = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().with_context(|| format!("cannot listen on {address} ({variable})"))
}

/// The gateway's socket.
pub(crate) struct HttpSocket {
    pub listener: TcpListener,
    /// Whether the socket outlives this gateway, so that the next gateway accepts the connections that this one does
    /// not.
    pub is_shared: bool,
}

/// The socket passed by the parent process (`LISTEN_FDS`, as by systemd), or else a new one. With a socket that
/// outlives its gateways, no connection fails while one gateway replaces another.
pub(crate) fn http(address: SocketAddr) -> Result<HttpSocket> {
    match listenfd::ListenFd::from_env().take_tcp_listener(0).context("LISTEN_FDS")? {
        Some(listener) => {
            listener.set_nonblocking(true)?;
            Ok(HttpSocket { listener: TcpListener::from_std(listener)?, is_shared: true })
        }
        None => Ok(HttpSocket { listener: bind(address, "SOUK_HTTP_ADDR")?, is_shared: false }),
    }
}

/// Serves until the process ends.
pub(crate) fn serve(listener: TcpListener, metrics: Metrics, node: Option<Arc<Node>>, is_stopping: Arc<AtomicBool>) {
    let routes = Route::new()
        .at("/", get(index))
        .at("/metrics", get(render_metrics))
        .at("/health/live", get(live))
        .at("/health/ready", get(ready))
        .at("/health", get(ready))
        .data(Observed { metrics, node, is_stopping });
    tokio::spawn(async move {
        let (_open, stages) = watch::channel(Stage::Open);
        if let Err(error) = server::serve(listener, routes, Options::new("metrics"), stages).await {
            tracing::error!(%error, "metrics server failed");
        }
    });
}

#[handler]
fn index(request: &Request, Data(observed): Data<&Observed>) -> Response {
    let health = observed.node.as_ref().map(|node| node.health());
    let domains: Vec<&str> = health.into_iter().flat_map(|health| health.domains).map(|domain| domain.name).collect();
    let description = match domains.as_slice() {
        [] => "A node without domains.".to_owned(),
        domains => format!("A node with {}.", domains.join(", ")),
    };
    Index::new("souk node", env!("CARGO_PKG_VERSION"), description)
        .link("metrics", "/metrics", "Metrics, for Prometheus")
        .link("health", "/health", "Whether the node and its domains are ready")
        .link("live", "/health/live", "Whether the process runs")
        .response(request)
}

#[handler]
fn render_metrics(Data(observed): Data<&Observed>) -> Response {
    Response::builder().content_type("text/plain; version=0.0.4; charset=utf-8").body(observed.metrics.render())
}

#[handler]
fn live() -> Response {
    Response::builder().content_type("application/json").body(r#"{"status":"ok"}"#)
}

#[handler]
fn ready(Data(observed): Data<&Observed>) -> Response {
    let health = observed.node.as_ref().map(|node| node.health());
    let is_stopping = observed.is_stopping.load(Ordering::Relaxed);
    let is_ready = !is_stopping && health.as_ref().is_none_or(|health| health.is_ready);
    let body = serde_json::json!({
        "status": if is_ready { "ok" } else { "unready" },
        "domains": health.map(|health| health.domains).unwrap_or_default(),
    });
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Response::builder().status(status).content_type("application/json").body(body.to_string())
}
