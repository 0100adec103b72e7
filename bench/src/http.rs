//! The HTTP client of one simulated user: one keep-alive connection, opened on demand and reopened when lost.
//!
//! A pooling client would hide the wait for a connection; here no client waits for another.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{HOST, HeaderValue};
use hyper::{HeaderMap, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::Semaphore;

/// Well above any reply of the shop; a larger body is not read to its end.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Thousands of concurrent connects would overflow the accept queue and be delayed by the kernel's SYN retries.
static CONNECTING: Semaphore = Semaphore::const_new(128);

pub type Body = Full<Bytes>;

/// `http://host:port`, as given on the command line.
#[derive(Debug, Clone)]
pub struct Target {
    authority: String,
    host: HeaderValue,
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
        if uri.scheme_str() != Some("http") {
            return Err("only http:// is supported: use the address behind the proxy that terminates TLS".into());
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err("a base URL ends after the port: http://host:port".into());
        }
        let authority = uri.authority().ok_or("no host in it")?.as_str();
        let host = HeaderValue::from_str(authority).map_err(|error| error.to_string())?;
        let authority = if uri.port().is_some() { authority.to_owned() } else { format!("{authority}:80") };
        Ok(Self { authority, host })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.authority)
    }
}

impl Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Target {
    /// Resolves the name once, so that no client measures a resolver.
    pub async fn resolve(&self) -> anyhow::Result<Address> {
        let mut found = lookup_host(&self.authority).await.with_context(|| format!("looking up {self}"))?;
        let socket = found.next().with_context(|| format!("{self} has no address"))?;
        Ok(Address { socket, host: self.host.clone() })
    }
}

#[derive(Debug, Clone)]
pub struct Address {
    socket: SocketAddr,
    host: HeaderValue,
}

impl Address {
    pub fn loopback(port: u16) -> Self {
        let socket = SocketAddr::from(([127, 0, 0, 1], port));
        Self { socket, host: HeaderValue::from_static("127.0.0.1") }
    }
}

/// The addresses of the nodes. Client n always uses node n modulo their number.
pub async fn resolve_all(targets: &[Target]) -> anyhow::Result<Arc<[Address]>> {
    Ok(futures::future::try_join_all(targets.iter().map(Target::resolve)).await?.into())
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
    /// How long the server asks the client to wait before it tries again.
    pub retry_after: Option<Duration>,
}

/// The reason why there is no reply. It is counted by its text, which therefore has no parts that vary by request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure(pub String);

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

pub struct Client {
    address: Address,
    timeout: Duration,
    connection: Option<SendRequest<Body>>,
}

impl Client {
    pub fn new(address: Address, timeout: Duration) -> Self {
        Self { address, timeout, connection: None }
    }

    pub async fn get(&mut self, path: &str) -> Result<Answer, Failure> {
        let request = Request::get(path).body(Body::default()).map_err(|error| Failure(format!("request: {error}")))?;
        self.send(request).await
    }

    /// Sends one request and returns its reply, or the reason why there is none. Closes the connection after a failure,
    /// because the rest of its data belongs to no request.
    pub async fn send(&mut self, mut request: Request<Body>) -> Result<Answer, Failure> {
        request.headers_mut().insert(HOST, self.address.host.clone());
        let result = match tokio::time::timeout(self.timeout, self.exchange(request)).await {
            Ok(result) => result,
            Err(_) => Err(Failure(format!("no answer in {} s", self.timeout.as_secs()))),
        };
        if result.is_err() {
            self.connection = None;
        }
        result
    }

    async fn exchange(&mut self, request: Request<Body>) -> Result<Answer, Failure> {
        let mut request = request;
        // The server may have closed a kept-alive connection in the meantime. If hyper returns the request, no byte of
        // it was sent, and it is retried once on a fresh connection.
        for fresh in [false, true] {
            let sent = self.connection(fresh).await?.try_send_request(request).await;
            match sent {
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    let body = Limited::new(body, MAX_ANSWER_BYTES).collect().await;
                    let body = body.map_err(|_| Failure("the reply was incomplete".into()))?.to_bytes();
                    self.give_up_if_closing(&head.headers);
                    return Ok(Answer { status: head.status, body, retry_after: retry_after(&head.headers) });
                }
                Err(mut error) => match error.take_message() {
                    Some(unsent) if !fresh => request = unsent,
                    _ => return Err(Failure(format!("connection: {}", error.error()))),
                },
            }
        }
        Err(Failure("connection: closed twice before the request was sent".into()))
    }

    fn give_up_if_closing(&mut self, headers: &HeaderMap) {
        let closing = headers.get(hyper::header::CONNECTION).is_some_and(|value| value.as_bytes() == b"close");
        if closing {
            self.connection = None;
        }
    }

    async fn connection(&mut self, fresh: bool) -> Result<&mut SendRequest<Body>, Failure> {
        let usable = match self.connection.take() {
            Some(mut kept) if !fresh => kept.ready().await.is_ok().then_some(kept),
            _ => None,
        };
        let connection = match usable {
            Some(kept) => kept,
            None => connect(self.address.socket).await?,
        };
        Ok(self.connection.insert(connection))
    }
}

/// The seconds of `Retry-After`; its other form, a date, is not read.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(hyper::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

async fn connect(socket: SocketAddr) -> Result<SendRequest<Body>, Failure> {
    let turn = CONNECTING.acquire().await.map_err(|error| Failure(format!("connect: {error}")))?;
    let stream = TcpStream::connect(socket).await.map_err(|error| Failure(format!("connect: {}", error.kind())))?;
    drop(turn);
    stream.set_nodelay(true).map_err(|error| Failure(format!("connect: {}", error.kind())))?;
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| Failure(format!("connect: {error}")))?;
    // The task ends with its sender. Its error surfaces at the request that failed.
    tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_plain_http_without_a_path() {
        let target: Target = "http://localhost:8080".parse().expect("parses");
        assert_eq!(target.to_string(), "http://localhost:8080");
        assert_eq!("http://shop".parse::<Target>().expect("parses").to_string(), "http://shop:80");
        for wrong in ["https://localhost", "localhost:8080", "http://localhost/api", "http://localhost?x=1"] {
            assert!(wrong.parse::<Target>().is_err(), "{wrong}");
        }
    }
}
