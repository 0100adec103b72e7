//! Serving on a socket, and leaving it without failing a request.

use std::{io, time::Duration};

use poem::{
    Server,
    http::uri::Scheme,
    listener::Acceptor,
    web::{LocalAddr, RemoteAddr},
};
use tokio::net::TcpListener;

use crate::{
    GatewayConfig, app,
    gateway::Gateway,
    tls::{Stream, Tls},
};

/// How long requests in flight have to end.
const DRAIN: Duration = Duration::from_secs(10);
/// How long clients are asked to leave before their idle connections are closed under them.
const NOTICE: Duration = Duration::from_millis(500);
/// A connection without a byte for so long is closed; longer than any request may take.
const IDLE: Duration = Duration::from_secs(75);
/// The pause after the socket gave no connection, mostly for want of file descriptors.
const BREATH: Duration = Duration::from_millis(50);

/// Answers on a socket until `shutdown` ends. Then every answer carries `Connection: close`, streams end, and after ten
/// seconds at most the rest is cut.
///
/// # Errors
/// Where the socket cannot be used.
pub async fn serve(
    listener: TcpListener,
    config: GatewayConfig,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()> {
    let tls = config.tls.clone();
    let gateway = Gateway::new(config);
    let address = LocalAddr(listener.local_addr()?.into());
    let leaving = async {
        shutdown.await;
        gateway.drain();
        tokio::time::sleep(NOTICE).await;
    };
    Server::new_with_acceptor(Socket { listener, address, tls })
        .name("gateway")
        .idle_timeout(IDLE)
        .run_with_graceful_shutdown(app(gateway.clone()), leaving, Some(DRAIN))
        .await
}

/// Like poem's own, but small answers are sent at once, and a socket in trouble is not asked in a tight loop.
struct Socket {
    listener: TcpListener,
    address: LocalAddr,
    tls: Option<Tls>,
}

impl Acceptor for Socket {
    type Io = Stream;

    fn local_addr(&self) -> Vec<LocalAddr> {
        vec![self.address.clone()]
    }

    async fn accept(&mut self) -> io::Result<(Stream, LocalAddr, RemoteAddr, Scheme)> {
        match self.listener.accept().await {
            Ok((stream, from)) => {
                stream.set_nodelay(true)?;
                let (stream, scheme) = match &self.tls {
                    Some(tls) => (tls.accept(stream), Scheme::HTTPS),
                    None => (Stream::Plain(stream), Scheme::HTTP),
                };
                Ok((stream, self.address.clone(), RemoteAddr(from.into()), scheme))
            }
            Err(error) => {
                tokio::time::sleep(BREATH).await;
                Err(error)
            }
        }
    }
}
