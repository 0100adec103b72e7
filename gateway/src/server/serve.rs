//! Serves on a socket, and shuts down in phases without failing a request.

use std::{io, time::Duration};

use server::{Options, Stage};
use tokio::{net::TcpListener, sync::watch, time::sleep};

use crate::{
    GatewayConfig, app,
    http::error::GATEWAY,
    server::{gateway::Gateway, reads},
};

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

/// Serves on a socket until `shutdown` completes, then shuts down in the configured phases. Requests that exceed the
/// timeout are cut.
///
/// # Errors
/// If the socket cannot be used.
pub async fn serve(
    listener: TcpListener,
    config: GatewayConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (tls, phases) = (config.tls.clone(), config.shutdown);
    let gateway = Gateway::new(config);
    let options = Options { tls, timeout: phases.timeout, ..Options::new(GATEWAY) };
    let (stage, stages) = watch::channel(Stage::Open);
    let leave = async {
        shutdown.await;
        gateway.drain();
        sleep(phases.accepting).await;
        stage.send_replace(Stage::Draining);
        sleep(phases.notice.saturating_sub(phases.accepting)).await;
        stage.send_replace(Stage::Closing);
    };
    let serving = async { tokio::join!(server::serve(listener, app(gateway.clone()), options, stages), leave).0 };
    tokio::select! {
        served = serving => served,
        () = reads::follow_notices(&gateway) => Ok(()),
    }
}
