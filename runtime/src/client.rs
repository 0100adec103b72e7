//! Requests over NATS: a deadline on every call, spaced retries with the same id, no leak on time-outs.

mod inbox;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::{HeaderMap, client::PublishErrorKind};
use bytes::Bytes;
use contract::{CallError, Command, ErrorBody, ErrorKind, Fault, Format, Query, Request, header, subject};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::client::inbox::{Attempt, Inbox};

/// What goes along with a call.
#[derive(Clone)]
pub struct Call {
    /// How long the caller waits in all, retries included.
    pub deadline: Duration,
    /// `Bearer <access token>`.
    pub authorization: Option<String>,
    /// The secret that opens what belongs to no account.
    pub capability: Option<String>,
    /// The command's id; one is made where there is none. The same id has one effect and one answer.
    pub command_id: Option<Uuid>,
    /// Follows everything the request causes.
    pub request_id: Option<String>,
    /// W3C trace context.
    pub traceparent: Option<String>,
}

impl Call {
    /// How long a call waits by default: longer than it takes to notice a dead node.
    pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);
}

impl Default for Call {
    fn default() -> Self {
        Self {
            deadline: Self::DEFAULT_DEADLINE,
            authorization: None,
            capability: None,
            command_id: None,
            request_id: None,
            traceparent: None,
        }
    }
}

/// Without the secrets.
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
    /// Whether an earlier run of the same command gave it.
    pub replayed: bool,
}

/// Asks domains.
#[derive(Clone)]
pub struct Client {
    inbox: Arc<Inbox>,
}

/// The pauses before an attempt is repeated where nobody was there to answer.
const PAUSES: [Duration; 3] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)];

/// How long one attempt waits before the request is sent again. A repeat that meets the first one still running waits
/// for its answer, so sending again costs little and finds another node where the first is frozen.
const ATTEMPT: Duration = Duration::from_millis(1500);

/// How long a call waits for a lost connection to come back before it is refused: a server that is merely restarted is
/// back by then.
const RECONNECTION: Duration = Duration::from_secs(2);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(50);

impl Client {
    /// A client on a connection of its own; its inbox prefix must be the connection's.
    ///
    /// # Errors
    /// Where the inbox cannot be subscribed.
    pub async fn new(connection: async_nats::Client) -> Result<Self, async_nats::SubscribeError> {
        Ok(Self { inbox: Inbox::open(connection).await? })
    }

    /// Asks a query.
    ///
    /// # Errors
    /// The domain's own error, or a fault.
    pub async fn ask<Q: Query>(&self, query: &Q, call: &Call) -> Result<Q::Reply, CallError<Q::Error>> {
        Ok(self.call(query, call, None).await?.reply)
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// The domain's own error, or a fault. After a deadline the command may still take effect; repeat it by its id.
    pub async fn send<C: Command>(&self, command: &C, call: &Call) -> Result<Replied<C::Reply>, CallError<C::Error>> {
        self.call(command, call, Some(call.command_id.unwrap_or_else(Uuid::now_v7))).await
    }

    /// Whether the connection stands.
    pub fn is_connected(&self) -> bool {
        self.inbox.is_connected()
    }

    /// The connection itself, for subscriptions.
    pub fn connection(&self) -> &async_nats::Client {
        self.inbox.connection()
    }

    /// Asks what every domain answers to those who consume its events.
    pub(crate) async fn ask_internal<Q: Serialize, A: DeserializeOwned>(
        &self,
        domain: &str,
        operation: &str,
        query: &Q,
        call: &Call,
    ) -> Result<A, Fault> {
        Ok(self.ask_common(subject::request(domain, operation, true), domain, query, call, None).await?.reply)
    }

    /// Asks what every domain answers beside its own operations.
    pub(crate) async fn ask_common<Q: Serialize, A: DeserializeOwned>(
        &self,
        subject: String,
        domain: &str,
        query: &Q,
        call: &Call,
        command_id: Option<Uuid>,
    ) -> Result<Replied<A>, Fault> {
        let body: Bytes = Format::MessagePack.encode(query)?.into();
        let reply = self.exchange(subject, domain, body, call, command_id).await?;
        decode::<A>(&reply, domain)?.map_err(|error| {
            let ErrorBody { kind, code, message, details, .. } = *error;
            Fault { kind, code, message, details, service: domain.to_owned() }
        })
    }

    async fn call<R: Request>(
        &self,
        request: &R,
        call: &Call,
        command_id: Option<Uuid>,
    ) -> Result<Replied<R::Reply>, CallError<R::Error>> {
        let body: Bytes = Format::MessagePack.encode(request).map_err(Fault::from)?.into();
        let reply = self.exchange(R::subject(), R::DOMAIN, body, call, command_id).await?;
        decode::<R::Reply>(&reply, R::DOMAIN)?.map_err(|error| CallError::from_body(*error))
    }

    /// Sends until somebody answers, or the deadline ends.
    async fn exchange(
        &self,
        subject: String,
        domain: &str,
        body: Bytes,
        call: &Call,
        command_id: Option<Uuid>,
    ) -> Result<async_nats::Message, Fault> {
        let end = Instant::now() + call.deadline;
        let mut pauses = PAUSES.into_iter();
        let mut attempts = 0_u32;
        loop {
            self.wait_for_connection(domain, end).await?;
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Fault::deadline(domain));
            }
            let headers = headers(call, command_id, left);
            // The first attempts are short, the last one takes what is left.
            let patience = (ATTEMPT * 2_u32.pow(attempts.min(8))).min(left);
            attempts += 1;
            match self.inbox.request(subject.clone(), headers, body.clone(), patience).await {
                Attempt::Answered(reply) if is_no_responders(&reply) => {}
                Attempt::Answered(reply) => return Ok(reply),
                Attempt::Unanswered => {
                    metrics::counter!("request_retries_total", "domain" => domain.to_owned()).increment(1);
                    continue;
                }
                Attempt::NotSent(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                    let text = "The request is too large to be passed on.";
                    return Err(Fault::new(ErrorKind::TooLarge, "request_too_large", text).of(domain));
                }
                // It fails at once, so the next attempt waits, or this would spin until the deadline.
                Attempt::NotSent(error) => tracing::debug!(domain, %error, "a request was not sent"),
            }
            let pause = pauses.next().unwrap_or(PAUSES[2]);
            if end.saturating_duration_since(Instant::now()) <= pause {
                return Err(Fault::unavailable(domain));
            }
            metrics::counter!("request_retries_total", "domain" => domain.to_owned()).increment(1);
            tokio::time::sleep(pause).await;
        }
    }

    /// Nothing is sent while the connection is down: it would queue up, to be answered to nobody later.
    async fn wait_for_connection(&self, domain: &str, end: Instant) -> Result<(), Fault> {
        let end = end.min(Instant::now() + RECONNECTION);
        while !self.is_connected() {
            if Instant::now() >= end {
                return Err(Fault::unavailable(domain));
            }
            tokio::time::sleep(LOOK).await;
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
    let optional = [
        (header::AUTHORIZATION, &call.authorization),
        (header::CAPABILITY, &call.capability),
        (header::REQUEST_ID, &call.request_id),
        (header::TRACEPARENT, &call.traceparent),
    ];
    for (name, value) in optional {
        // A line break would end the header and begin another one.
        if let Some(value) = value.as_deref().filter(|text| !text.contains(['\r', '\n'])) {
            headers.insert(name, value);
        }
    }
    headers
}

fn is_no_responders(reply: &async_nats::Message) -> bool {
    reply.status == Some(async_nats::StatusCode::NO_RESPONDERS)
}

/// A reply, or the error in its place.
fn decode<A: DeserializeOwned>(
    reply: &async_nats::Message,
    domain: &str,
) -> Result<Result<Replied<A>, Box<ErrorBody>>, Fault> {
    let get = |name: &str| reply.headers.as_ref().and_then(|h| h.get(name)).map(async_nats::HeaderValue::as_str);
    let unreadable =
        |_| Fault::new(ErrorKind::Internal, "internal", "The service's answer could not be read.").of(domain);
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
