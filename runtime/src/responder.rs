//! A domain's requests: one subscription in a queue group, admission before anything waits, answers in the request's
//! own format.

mod command;
mod micro;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::{HeaderMap, Message};
use bytes::Bytes;
use contract::{Access, ErrorBody, ErrorKind, Fault, Format, header, subject};
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

pub(crate) use command::InternalCommand;
pub(crate) use micro::{EndpointInfo, Micro};

use crate::{
    auth::Verifier,
    caller::{Caller, secret_digest},
    client::Client,
    context::Context,
    database::Database,
    dead_letter::{self, DeadLettersRequest, RedriveRequest, Redriven},
    failure::{Breakage, Stored},
    lane::{EventItem, LaneMessage, Lanes},
    log,
    operation::{Answered, CommandRoute, EventRoute, QueryRoute},
};

/// Requests of a domain on this node that are answered at once. Beyond them: 503 at once, never a queue.
const QUERIES: usize = 512;
const COMMANDS: usize = 2048;

/// How long a caller is taken to wait who does not say.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);
const MAX_DEADLINE: Duration = Duration::from_secs(60);

/// What answers a subject.
pub(crate) enum Endpoint {
    Query(QueryRoute),
    Command(CommandRoute),
    Log,
    Events,
    DeadLetters,
    Redrive,
}

/// Answers a domain's requests.
pub(crate) struct Responder {
    pub domain: &'static str,
    pub connection: async_nats::Client,
    pub client: Client,
    pub db: Database,
    pub lanes: Lanes,
    pub verifier: Verifier,
    pub endpoints: HashMap<String, Endpoint>,
    pub events: Vec<EventRoute>,
    pub queries: Arc<Semaphore>,
    pub commands: Arc<Semaphore>,
    pub micro: Arc<Micro>,
    /// Requests that are being answered: what a drain waits for.
    pub tasks: TaskTracker,
}

/// A request, as far as its headers tell.
pub(crate) struct Asked {
    message: Message,
    format: Format,
    deadline: Instant,
    request_id: Option<String>,
    traceparent: Option<String>,
}

/// An answer on its way out.
pub(crate) enum Sent {
    Reply { body: Vec<u8>, replayed: bool },
    Error { body: Box<ErrorBody>, replayed: bool },
}

impl From<Fault> for Sent {
    fn from(fault: Fault) -> Self {
        Self::Error { body: Box::new(fault.body("")), replayed: false }
    }
}

impl Responder {
    pub(crate) fn admission() -> (Arc<Semaphore>, Arc<Semaphore>) {
        (Arc::new(Semaphore::new(QUERIES)), Arc::new(Semaphore::new(COMMANDS)))
    }

    /// Answers until told to stop, then takes what the server had sent already.
    pub(crate) async fn run(self: Arc<Self>, stop: &CancellationToken) -> Result<(), Breakage> {
        let subjects = subject::requests_of(self.domain);
        let mut requests =
            self.connection.queue_subscribe(subjects, self.domain.to_owned()).await.map_err(Breakage::other)?;
        let mut discovery = self.connection.subscribe("$SRV.>").await.map_err(Breakage::other)?;
        self.connection.flush().await.map_err(Breakage::other)?;
        let mut is_draining = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !is_draining => {
                    is_draining = true;
                    // The subscription ends once the server has confirmed it: nothing on the wire is lost.
                    requests.drain().await.map_err(Breakage::other)?;
                    discovery.unsubscribe().await.map_err(Breakage::other)?;
                }
                request = requests.next() => match request {
                    Some(message) => self.clone().admit(message),
                    None if is_draining => return Ok(()),
                    None => return Err(Breakage::other("the subscription ended")),
                },
                Some(message) = discovery.next(), if !is_draining => {
                    self.micro.answer(&self.connection, &message).await;
                }
            }
        }
    }

    /// Admission: a permit, or 503 at once.
    fn admit(self: Arc<Self>, message: Message) {
        // Whoever asks may name any reply subject, and we may publish events: answers go to inboxes only.
        if message.reply.as_ref().is_some_and(|reply| !is_inbox(reply)) {
            metrics::counter!("requests_with_foreign_reply_total", "domain" => self.domain).increment(1);
            return;
        }
        let endpoint = self.endpoints.get(message.subject.as_str());
        let (lane, kind) = match endpoint {
            Some(Endpoint::Command(_)) => (&self.commands, "command"),
            _ => (&self.queries, "query"),
        };
        match lane.clone().try_acquire_owned() {
            Ok(permit) => {
                let responder = self.clone();
                self.tasks.spawn(async move { responder.answer(message, permit).await });
            }
            Err(_) => {
                metrics::counter!("admission_rejected_total", "domain" => self.domain, "kind" => kind).increment(1);
                let responder = self.clone();
                let text = "The service has more work than it can do. Try again.";
                let fault = Fault::new(ErrorKind::Unavailable, "overloaded", text).of(self.domain);
                self.tasks.spawn(async move {
                    let asked = Asked::read(message);
                    responder.send(&asked, fault.into()).await;
                });
            }
        }
    }

    async fn answer(&self, message: Message, permit: OwnedSemaphorePermit) {
        let began = Instant::now();
        let subject = message.subject.clone();
        let asked = Asked::read(message);
        let sent = match self.endpoints.get(subject.as_str()) {
            None => Fault::new(ErrorKind::NotFound, "unknown_operation", "There is no such operation.")
                .of(self.domain)
                .into(),
            Some(endpoint) => match self.caller(&asked, endpoint).await {
                Err(fault) => fault.of(self.domain).into(),
                Ok(caller) => self.run_endpoint(endpoint, &asked, caller, permit).await,
            },
        };
        let failed = match &sent {
            Sent::Error { body, .. } => Some(body.code.clone()),
            Sent::Reply { .. } => None,
        };
        self.micro.count(&subject, began.elapsed(), failed.as_deref());
        if self.endpoints.contains_key(subject.as_str()) {
            let outcome = failed.unwrap_or_else(|| "ok".into());
            metrics::histogram!("request_duration_seconds", "subject" => subject.to_string())
                .record(began.elapsed().as_secs_f64());
            metrics::counter!("requests_total", "subject" => subject.to_string(), "outcome" => outcome).increment(1);
        }
        self.send(&asked, sent).await;
    }

    async fn run_endpoint(
        &self,
        endpoint: &Endpoint,
        asked: &Asked,
        caller: Option<Caller>,
        permit: OwnedSemaphorePermit,
    ) -> Sent {
        match endpoint {
            Endpoint::Query(route) => self.query(route, asked, caller).await,
            Endpoint::Command(route) => self.command(route, asked, caller, permit).await,
            Endpoint::Log => {
                self.read_log(asked, |pool, request| async move { log::page(&pool, &request).await }).await
            }
            Endpoint::Events => {
                self.read_log(asked, |pool, request| async move { log::events(&pool, &request).await }).await
            }
            Endpoint::DeadLetters => {
                let list =
                    |pool, request: DeadLettersRequest| async move { dead_letter::list(&pool, request.limit).await };
                self.read_log(asked, list).await
            }
            Endpoint::Redrive => {
                self.read_log(asked, |pool, request: RedriveRequest| self.redrive(pool, request.event_id)).await
            }
        }
    }

    /// Who asks, by token. `None` where the message itself may tell more.
    async fn caller(&self, asked: &Asked, endpoint: &Endpoint) -> Result<Option<Caller>, Fault> {
        let access = match endpoint {
            Endpoint::Query(route) => route.meta.access,
            Endpoint::Command(route) => route.meta.access,
            Endpoint::Log | Endpoint::Events | Endpoint::DeadLetters | Endpoint::Redrive => Access::Internal,
        };
        // Internal subjects are refused to everyone else by the rights of the NATS users.
        if access == Access::Internal {
            return Ok(Some(Caller::System));
        }
        let Some(token) = asked.header(header::AUTHORIZATION) else { return Ok(None) };
        let identity = self.verifier.verify(token).await?;
        match access {
            Access::Roles(roles) | Access::RolesOrCapability(roles) if !roles.contains(&identity.role.as_str()) => {
                Err(Fault::new(ErrorKind::Forbidden, "forbidden", "Your role does not allow this."))
            }
            _ => Ok(Some(Caller::User(identity))),
        }
    }

    /// The caller in full: a token's, else the secret's in the message, else nobody.
    fn settle_caller(&self, access: Access, caller: Option<Caller>, capability: Option<&str>) -> Result<Caller, Fault> {
        match (caller, access, capability) {
            (Some(caller), ..) => Ok(caller),
            (None, Access::RolesOrCapability(_), Some(secret)) if !secret.is_empty() => {
                Ok(Caller::Capability(secret_digest(secret)))
            }
            (None, Access::Public, _) => Ok(Caller::Anonymous),
            (None, ..) => {
                let text = "An access token is needed.";
                Err(Fault::new(ErrorKind::Unauthenticated, "unauthenticated", text).of(self.domain))
            }
        }
    }

    fn context(&self, asked: &Asked, caller: Caller) -> Context {
        Context {
            caller,
            db: self.db.reads.clone(),
            client: self.client.clone(),
            deadline: asked.deadline,
            request_id: asked.request_id.clone(),
            traceparent: asked.traceparent.clone(),
        }
    }

    async fn query(&self, route: &QueryRoute, asked: &Asked, caller: Option<Caller>) -> Sent {
        let decoded = match asked.decode(|format, body| route.handler.decode(format, body)) {
            Ok(decoded) => decoded,
            Err(fault) => return fault.of(self.domain).into(),
        };
        let caller = match self.settle_caller(route.meta.access, caller, decoded.capability.as_deref()) {
            Ok(caller) => caller,
            Err(fault) => return fault.into(),
        };
        let context = self.context(asked, caller);
        let answer = route.handler.answer(&context, &decoded, asked.format);
        match tokio::time::timeout_at(asked.deadline.into(), answer).await {
            Err(_) => Fault::deadline(self.domain).into(),
            Ok(Answered::Reply(body)) => Sent::Reply { body, replayed: false },
            Ok(Answered::Refused(body)) => Sent::Error { body, replayed: false },
            Ok(Answered::Broken(breakage)) => self.broken(route.meta.operation, &breakage),
        }
    }

    async fn read_log<Q, A, F>(&self, asked: &Asked, read: impl FnOnce(sqlx::PgPool, Q) -> F) -> Sent
    where
        Q: serde::de::DeserializeOwned,
        A: serde::Serialize,
        F: Future<Output = Result<A, Breakage>>,
    {
        let request = match asked.decode(Format::decode) {
            Ok(request) => request,
            Err(fault) => return fault.of(self.domain).into(),
        };
        let answer = read(self.db.lanes.clone(), request).await;
        match answer.and_then(|answer| asked.format.encode(&answer).map_err(Breakage::other)) {
            Ok(body) => Sent::Reply { body, replayed: false },
            Err(breakage) => self.broken("log", &breakage),
        }
    }

    /// Hands a parked event to its lane once more, past inbox and cursor.
    async fn redrive(&self, pool: sqlx::PgPool, event_id: Uuid) -> Stored<Redriven> {
        let Some((head, payload)) = dead_letter::read(&pool, event_id).await? else {
            return Ok(Redriven { is_handed_over: false });
        };
        let route =
            self.events.iter().find(|route| (route.source, route.name) == (head.source.as_str(), head.name.as_str()));
        let Some(route) = route else { return Ok(Redriven { is_handed_over: false }) };
        let decoded = route.handler.decode(&head, &payload);
        let (message, entity) = match decoded {
            Ok((message, entity)) => (Ok(message), entity),
            Err(error) => (Err(format!("it could not be read: {error}")), head.id),
        };
        let item = EventItem {
            route: route.clone(),
            known_in_era: i64::MAX,
            head,
            entity,
            payload: payload.into(),
            message,
            is_repeat: false,
            is_redrive: true,
            _in_flight: None,
            _permit: None,
        };
        self.lanes.cast(entity, LaneMessage::Event(Box::new(item)));
        Ok(Redriven { is_handed_over: true })
    }

    fn broken(&self, operation: &str, breakage: &Breakage) -> Sent {
        let fault = breakage.fault(self.domain);
        if fault.kind == ErrorKind::Internal {
            tracing::error!(domain = self.domain, operation, %breakage, "a request broke");
        } else {
            // Shed, late, or without a database: counted, and nothing to mend in the code.
            tracing::debug!(domain = self.domain, operation, %breakage, kind = ?fault.kind, "a request was not answered");
        }
        fault.into()
    }

    async fn send(&self, asked: &Asked, sent: Sent) {
        let Some(reply_to) = asked.message.reply.clone() else { return };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, asked.format.content_type());
        if let Some(request_id) = &asked.request_id {
            headers.insert(header::REQUEST_ID, request_id.as_str());
        }
        let (Sent::Reply { replayed, .. } | Sent::Error { replayed, .. }) = &sent;
        if *replayed {
            headers.insert(header::REPLAYED, "true");
        }
        let body = match sent {
            Sent::Reply { body, .. } => body,
            Sent::Error { mut body, .. } => {
                headers.insert(header::SERVICE_ERROR, body.code.as_str());
                headers.insert(header::SERVICE_ERROR_CODE, body.kind.status().to_string());
                body.request_id = asked.request_id.clone().unwrap_or_default();
                asked.format.encode(&*body).unwrap_or_default()
            }
        };
        crate::fail_point("responder.before_answer");
        // A send can hang while the connection is down; nobody would get the answer then anyway.
        let send = self.connection.publish_with_headers(reply_to, headers, Bytes::from(body));
        if !matches!(tokio::time::timeout(Duration::from_secs(5), send).await, Ok(Ok(()))) {
            tracing::warn!(domain = self.domain, "an answer could not be sent");
        }
    }
}

impl Asked {
    fn read(message: Message) -> Self {
        let get = |name: &str| message.headers.as_ref().and_then(|h| h.get(name)).map(|v| v.as_str().to_owned());
        let patience = get(header::DEADLINE_MS)
            .and_then(|text| text.parse().ok())
            .map_or(DEFAULT_DEADLINE, |ms: u64| Duration::from_millis(ms).min(MAX_DEADLINE));
        let declared = get(header::CONTENT_TYPE);
        // What is not a format of ours is refused when it is read; the refusal itself is JSON.
        let format = Format::detect(declared.as_deref(), &message.payload).unwrap_or(Format::Json);
        let request_id = get(header::REQUEST_ID).filter(|id| id.len() <= 128);
        let traceparent = get(header::TRACEPARENT).filter(|text| text.len() <= 128);
        Self { format, deadline: Instant::now() + patience, request_id, traceparent, message }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.message.headers.as_ref()?.get(name).map(async_nats::HeaderValue::as_str)
    }

    fn decode<T>(&self, decode: impl FnOnce(Format, &[u8]) -> Result<T, contract::DecodeError>) -> Result<T, Fault> {
        let format = Format::detect(self.header(header::CONTENT_TYPE), &self.message.payload)?;
        Ok(decode(format, &self.message.payload)?)
    }
}

/// Inboxes of any user: `_INBOX.>` or `_INBOX_<user>.>`.
fn is_inbox(subject: &str) -> bool {
    let token = subject.split('.').next().unwrap_or_default();
    token == "_INBOX" || token.starts_with("_INBOX_")
}

#[cfg(test)]
mod tests {
    use super::is_inbox;

    #[test]
    fn answers_go_to_inboxes_only() {
        assert!(is_inbox("_INBOX.abc.1") && is_inbox("_INBOX_orders.abc.1"));
        for subject in ["evt.orders.placed.7", "$JS.API.STREAM.PURGE.ORDERS", "_INBOXES.x", "req.orders.get"] {
            assert!(!is_inbox(subject), "{subject}");
        }
    }
}
