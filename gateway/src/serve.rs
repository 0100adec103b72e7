//! Serving on a socket, and leaving it without failing a request.

use std::{io, time::Duration};

use poem::{
    Server,
    http::uri::Scheme,
    listener::Acceptor,
    web::{LocalAddr, RemoteAddr},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};

use crate::{
    GatewayConfig, app,
    gateway::Gateway,
    tls::{Stream, Tls},
};

/// A connection without a byte for so long is closed; longer than any request may take.
const IDLE: Duration = Duration::from_secs(75);
/// The pause after the socket gave no connection, mostly for want of file descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// How a gateway leaves, from the moment it is told to.
#[derive(Debug, Clone, Copy)]
pub struct Leaving {
    /// How long new connections are still taken: nothing where another gateway takes them from the same socket, else
    /// until whoever sends them has noticed that this one is not ready any more.
    pub accepting: Duration,
    /// How long answers ask their clients to leave (`Connection: close`) before idle connections are closed: whoever
    /// sends a request now and then gets an answer to it first. Longer than `accepting`, so that a connection that was
    /// taken last has the time to bring its request.
    pub notice: Duration,
    /// How long requests in flight have after that.
    pub patience: Duration,
}

impl Default for Leaving {
    fn default() -> Self {
        Self {
            accepting: Duration::from_millis(250),
            notice: Duration::from_millis(500),
            patience: Duration::from_secs(10),
        }
    }
}

/// Answers on a socket until `shutdown` ends, then leaves as the configuration says. What still runs at the end of its
/// patience is cut.
///
/// # Errors
/// Where the socket cannot be used.
pub async fn serve(
    listener: TcpListener,
    config: GatewayConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let (tls, leaving) = (config.tls.clone(), config.leaving);
    let gateway = Gateway::new(config);
    let address = LocalAddr(listener.local_addr()?.into());
    let (close, closed) = watch::channel(false);
    let told = async {
        shutdown.await;
        gateway.drain();
        sleep(leaving.accepting).await;
        close.send_replace(true);
        sleep(leaving.notice.saturating_sub(leaving.accepting)).await;
    };
    Server::new_with_acceptor(Socket { listener: Some(listener), address, tls, closed })
        .name("gateway")
        .idle_timeout(IDLE)
        .run_with_graceful_shutdown(app(gateway.clone()), told, Some(leaving.patience))
        .await
}

/// Like poem's own, but small answers are sent at once, a socket in trouble is not asked in a tight loop, and the
/// connections it gave live on after it takes no more.
struct Socket {
    listener: Option<TcpListener>,
    address: LocalAddr,
    tls: Option<Tls>,
    closed: watch::Receiver<bool>,
}

impl Socket {
    /// The next connection; none once the socket is closed, whose newcomers are refused or another gateway's then.
    async fn next(&mut self) -> io::Result<(TcpStream, std::net::SocketAddr)> {
        if let Some(listener) = &self.listener {
            tokio::select! {
                biased;
                _ = self.closed.wait_for(|closed| *closed) => {}
                accepted = listener.accept() => return accepted,
            }
        }
        self.listener = None;
        std::future::pending().await
    }
}

impl Acceptor for Socket {
    type Io = Stream;

    fn local_addr(&self) -> Vec<LocalAddr> {
        vec![self.address.clone()]
    }

    async fn accept(&mut self) -> io::Result<(Stream, LocalAddr, RemoteAddr, Scheme)> {
        match self.next().await {
            Ok((stream, from)) => {
                stream.set_nodelay(true)?;
                let (stream, scheme) = match &self.tls {
                    Some(tls) => (tls.accept(stream), Scheme::HTTPS),
                    None => (Stream::Plain(stream), Scheme::HTTP),
                };
                Ok((stream, self.address.clone(), RemoteAddr(from.into()), scheme))
            }
            Err(error) => {
                sleep(BREATH).await;
                Err(error)
            }
        }
    }
}
