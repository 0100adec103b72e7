//! Serving on a socket, and phases it without failing a request.

use std::{io, time::Duration};

use server::{Options, Stage};
use tokio::{net::TcpListener, sync::watch, time::sleep};

use crate::{GatewayConfig, app, http::error::GATEWAY, server::gateway::Gateway};

/// How a gateway leaves, from the moment it is told to.
#[derive(Debug, Clone, Copy)]
pub struct Shutdown {
    /// How long new connections are still taken: nothing where another gateway takes them from the same socket, else
    /// until whoever sends them has noticed that this one is not ready any more.
    pub accepting: Duration,
    /// How long answers ask their clients to leave (`Connection: close`) before idle connections are closed: whoever
    /// sends a request now and then gets an answer to it first. Longer than `accepting`, so that a connection that was
    /// taken last has the time to bring its request.
    pub notice: Duration,
    /// How long requests in flight have after that.
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

/// Serves on a socket until `shutdown` ends, then leaves as the configuration says. What still runs at the end of its
/// patience is cut.
///
/// # Errors
/// Where the socket cannot be used.
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
    let (served, ()) = tokio::join!(server::serve(listener, app(gateway.clone()), options, stages), leave);
    served
}
