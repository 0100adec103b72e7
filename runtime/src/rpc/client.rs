//! Requests over NATS: every call has a deadline, retries are spaced, keep the id and have a budget, and a timeout
//! leaks nothing. While a domain is away, calls of it fail at once.
//!
//! To read first: `client/peer.rs` (circuit breaker and budget), `client/coalesce.rs` (queries that share a message),
//! `client/inbox.rs` (replies).

mod coalesce;
mod inbox;
mod peer;

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::{HeaderMap, client::PublishErrorKind};
use bytes::Bytes;
use contract::{CallError, Command, ErrorBody, ErrorKind, Format, Query, Request, ServiceError, header};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::rpc::client::{
    coalesce::Coalescers,
    inbox::{Attempt, Inbox},
    peer::{Peer, Peers, is_no_responders},
};

/// The options of a call.
#[derive(Clone)]
pub struct Call {
    /// How long the caller waits in all, retries included.
    pub deadline: Duration,
    /// `Bearer <access token>`.
    pub authorization: Option<String>,
    /// The secret that grants access to a resource that belongs to no account.
    pub capability: Option<String>,
    /// The address of the client on whose behalf the request is sent.
    pub client_address: Option<IpAddr>,
    /// The command's id; generated if absent. The same id has one effect and one answer.
    pub command_id: Option<Uuid>,
    /// Passed on to everything that the request causes.
    pub request_id: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

impl Call {
    /// The default deadline: longer than it takes to detect a dead node.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);
}

impl Default for Call {
    fn default() -> Self {
        Self {
            deadline: Self::DEFAULT_DEADLINE,
            authorization: None,
            capability: None,
            client_address: None,
            command_id: None,
            request_id: None,
            traceparent: None,
        }
    }
}

/// Omits the secrets.
impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { deadline, command_id, request_id, .. } = self;
        f.debug_struct("Call")
            .field("deadline", deadline)
            .field("command_id", command_id)
            .field("request_id", request_id)
            .finish_non_exhaustive()
    }
}

/// An answer to a command.
#[derive(Debug, Clone)]
pub struct Replied<T> {
    /// The answer.
    pub reply: T,
    /// Whether it was stored by an earlier run of the same command.
    pub replayed: bool,
}

/// Sends queries and commands to domains.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    inbox: Inbox,
    peers: Peers,
    coalescers: Coalescers,
}

/// The pauses after attempts that no node received. The last one is used for all further attempts.
const PAUSES: [Duration; 3] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)];

/// Timeout of the first attempt, which doubles with each one after it. A repeat that finds the first request still
/// running waits for its answer, so a retry costs little, and it reaches another node if the first is suspended.
const ATTEMPT: Duration = Duration::from_millis(1500);

/// How long a call waits for a lost connection before it fails: a server that only restarts is back by then.
const RECONNECTION: Duration = Duration::from_secs(2);

/// The interval at which the connection is checked meanwhile.
const POLL: Duration = Duration::from_millis(50);

impl Client {
    /// Creates a client. Replies go to the inbox prefix of the connection.
    ///
    /// # Errors
    /// If the inbox cannot be subscribed to.
    pub async fn new(connection: async_nats::Client) -> Result<Self, async_nats::SubscribeError> {
        let inbox = Inbox::open(connection).await?;
        let (peers, coalescers) = (Peers::default(), Coalescers::default());
        Ok(Self { shared: Arc::new(Shared { inbox, peers, coalescers }) })
    }

    /// Sends a query and waits for its reply.
    ///
    /// # Errors
    /// The domain's own error, or a service error.
    pub async fn ask<Q: Query>(&self, query: &Q, call: &Call) -> Result<Q::Reply, CallError<Q::Error>> {
        Ok(self.call(query, call, None).await?.reply)
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// The domain's own error, or a service error. After a timeout the command may still take effect; repeat it with
    /// the same id.
    pub async fn send<C: Command>(&self, command: &C, call: &Call) -> Result<Replied<C::Reply>, CallError<C::Error>> {
        self.call(command, call, Some(call.command_id.unwrap_or_else(Uuid::now_v7))).await
    }

    /// Whether the connection is up.
    pub fn is_connected(&self) -> bool {
        self.shared.inbox.is_connected()
    }

    /// The connection itself, for subscriptions.
    pub fn connection(&self) -> &async_nats::Client {
        self.shared.inbox.connection()
    }

    async fn call<R: Request>(
        &self,
        request: &R,
        call: &Call,
        command_id: Option<Uuid>,
    ) -> Result<Replied<R::Reply>, CallError<R::Error>> {
        let answered = self.request(R::subject(), R::DOMAIN, request, call, command_id).await?;
        answered.map_err(|error| CallError::from_body(*error))
    }

    /// Sends a request, and decodes the reply or the error in its place.
    pub(crate) async fn request<Q: Serialize, A: DeserializeOwned>(
        &self,
        subject: String,
        domain: &str,
        request: &Q,
        call: &Call,
        command_id: Option<Uuid>,
    ) -> Result<Result<Replied<A>, Box<ErrorBody>>, ServiceError> {
        let body: Bytes = Format::MessagePack.encode(request)?.into();
        let peer = self.shared.peers.of(domain);
        let answered = decode(&self.exchange(&peer, subject, domain, body, call, command_id).await?, domain);
        peer.note_answer(answered.as_ref().ok().and_then(|answered| answered.as_ref().err()).map(AsRef::as_ref));
        answered
    }

    /// Sends the request until a reply arrives or the deadline passes.
    async fn exchange(
        &self,
        peer: &Peer,
        subject: String,
        domain: &str,
        body: Bytes,
        call: &Call,
        command_id: Option<Uuid>,
    ) -> Result<async_nats::Message, ServiceError> {
        let end = Instant::now() + call.deadline;
        let left = || end.saturating_duration_since(Instant::now());
        let mut pauses = PAUSES.into_iter();
        let mut attempts = 0_u32;
        peer.note_request();
        loop {
            self.wait_for_connection(domain, end).await?;
            if left().is_zero() {
                return Err(ServiceError::deadline(domain));
            }
            peer.admit()?;
            let headers = headers(call, command_id, left());
            // The first attempts are short; none exceeds the time that is left.
            let timeout = (ATTEMPT * 2_u32.pow(attempts.min(8))).min(left());
            attempts += 1;
            let reply = match self.shared.inbox.request(subject.clone(), headers, body.clone(), timeout).await {
                Attempt::Answered(reply) => Some(reply),
                Attempt::Unanswered(_) if left().is_zero() => continue,
                Attempt::Unanswered(pending) => {
                    if peer.may_retry() {
                        continue;
                    }
                    Some(pending.reply(left()).await.ok_or_else(|| ServiceError::deadline(domain))?)
                }
                Attempt::NotSent(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    let text = "The request is too large to be forwarded.";
                    return Err(ServiceError::new(ErrorKind::TooLarge, "request_too_large", text).of(domain));
                }
                // A failed send returns at once: without the pause the loop would spin until the deadline.
                Attempt::NotSent(error) => {
                    tracing::debug!(domain, request_id = call.request_id, %error, "request not sent");
                    None
                }
            };
            match reply {
                Some(reply) if is_no_responders(&reply) => peer.note_absence(),
                Some(reply) => return Ok(reply),
                None => {}
            }
            let pause = pauses.next().unwrap_or(PAUSES[2]);
            if left() <= pause || !peer.may_retry() {
                return Err(ServiceError::unavailable(domain));
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Waits for the connection, for at most [`RECONNECTION`]. A request sent while it is down would be queued and
    /// answered after its caller has stopped waiting.
    async fn wait_for_connection(&self, domain: &str, end: Instant) -> Result<(), ServiceError> {
        let end = end.min(Instant::now() + RECONNECTION);
        while !self.is_connected() {
            if Instant::now() >= end {
                return Err(ServiceError::unavailable(domain));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

fn headers(call: &Call, command_id: Option<Uuid>, left: Duration) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, Format::MessagePack.content_type());
    headers.insert(header::DEADLINE_MS, left.as_millis().to_string());
    if let Some(id) = command_id {
        headers.insert(header::COMMAND_ID, id.to_string());
    }
    if let Some(address) = call.client_address {
        headers.insert(header::CLIENT_ADDRESS, address.to_string());
    }
    let optional = [
        (header::AUTHORIZATION, &call.authorization),
        (header::CAPABILITY, &call.capability),
        (header::REQUEST_ID, &call.request_id),
        (header::TRACEPARENT, &call.traceparent),
    ];
    for (name, value) in optional {
        // A line break would end the header and start another one.
        if let Some(value) = value.as_deref().filter(|text| !text.contains(['\r', '\n'])) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Decodes a reply, or the error in its place.
fn decode<A: DeserializeOwned>(
    reply: &async_nats::Message,
    domain: &str,
) -> Result<Result<Replied<A>, Box<ErrorBody>>, ServiceError> {
    let get = |name: &str| reply.headers.as_ref().and_then(|h| h.get(name)).map(async_nats::HeaderValue::as_str);
    let unreadable = |_| {
        ServiceError::new(ErrorKind::Internal, "internal", "The reply of the service could not be read.").of(domain)
    };
    let format = Format::detect(get(header::CONTENT_TYPE), &reply.payload).map_err(unreadable)?;
    if get(header::SERVICE_ERROR_CODE).is_some() {
        return Ok(Err(Box::new(format.decode(&reply.payload).map_err(unreadable)?)));
    }
    let value = format.decode(&reply.payload).map_err(unreadable)?;
    Ok(Ok(Replied { reply: value, replayed: get(header::REPLAYED).is_some() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_in_a_log_has_no_secret() {
        let secret = || Some("hush".to_owned());
        let call = Call { authorization: secret(), capability: secret(), ..Call::default() };
        assert!(!format!("{call:?}").contains("hush"));
    }
}
