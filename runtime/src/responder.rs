//! Serves the requests of a domain or a service: one subscription in a queue group, admission control before a request
//! is read, replies in the format of the request.
//!
//! To read first: `responder/command.rs` (from a command to its lane), `responder/builtin.rs` (the requests that the
//! runtime itself answers).

mod builtin;
mod command;
mod incoming;
mod micro;
mod rejections;
mod reply;

use std::{collections::HashMap, ops::Deref, sync::Arc, time::Instant};

use async_nats::Message;
use contract::{Access, ErrorKind, ServiceError, header, subject};
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;
use uuid::Uuid;

use builtin::BuiltinContext;
pub(crate) use builtin::{BuiltinRoute, consumers_subjects};
use incoming::{IncomingRequest, is_inbox};
pub(crate) use micro::{EndpointInfo, Micro};
use rejections::Rejections;
use reply::Reply;

use crate::{
    api::{
        caller::Caller,
        context::{PermittedClient, ServiceContext},
        routes::{CommandRoute, EventRoute, QueryContext, QueryOutcome, QueryRoute, RequestMeta, TrimHistory},
    },
    database::{Database, READS},
    error::InternalError,
    guard::guarded,
    lane::Lanes,
    log::stream::Streams,
    rpc::auth::Verifier,
};

/// Concurrency limits of one domain on this node. Requests beyond them are rejected with 503 and never queued.
const QUERIES: usize = 512;
const COMMANDS: usize = 2048;

/// The handler of a subject.
pub(crate) enum Endpoint {
    Query(QueryRoute),
    Command(CommandRoute),
    Builtin(BuiltinRoute),
}

impl Endpoint {
    pub(crate) fn meta(&self) -> &RequestMeta {
        match self {
            Self::Query(route) => &route.meta,
            Self::Command(route) => &route.meta,
            Self::Builtin(route) => &route.meta,
        }
    }
}

/// The resources of a domain that a service does not have.
pub(crate) struct Backing {
    pub db: Database,
    pub streams: Streams,
    pub lanes: Lanes,
    pub events: Vec<EventRoute>,
    pub history: Option<TrimHistory>,
}

/// Serves the requests of a domain or a service.
pub(crate) struct Responder {
    pub domain: &'static str,
    pub connection: async_nats::Client,
    pub peers: PermittedClient,
    pub backing: Option<Backing>,
    pub verifier: Verifier,
    pub endpoints: HashMap<String, Endpoint>,
    pub queries: Arc<Semaphore>,
    /// Separate from `queries`, as are their connections: commands of other domains must not starve clients' reads.
    pub internal_queries: Arc<Semaphore>,
    pub commands: Arc<Semaphore>,
    pub micro: Arc<Micro>,
    /// Requests in progress. A drain waits for them.
    pub tasks: TaskTracker,
}

/// The responder of a domain, which has a [`Backing`].
struct Backed<'a> {
    responder: &'a Responder,
    backing: &'a Backing,
}

impl Deref for Backed<'_> {
    type Target = Responder;

    fn deref(&self) -> &Responder {
        self.responder
    }
}

impl Backed<'_> {
    async fn builtin(&self, route: &BuiltinRoute, incoming: &IncomingRequest, caller: Option<Caller>) -> Reply {
        let caller = match self.settle_caller(route.meta.access, caller, None) {
            Ok(caller) => caller,
            Err(service_error) => return service_error.into(),
        };
        let command_id = match incoming.command_id() {
            Ok(id) => id,
            Err(service_error) => return service_error.of(self.domain).into(),
        };
        let (domain, client, backing) = (self.domain, &self.peers.client, self.backing);
        let cx = BuiltinContext { domain, client, backing, caller, command_id };
        match (route.run)(&cx, incoming).await {
            Ok(reply) => reply,
            Err(internal_error) => self.broken(route.meta.operation, incoming, &internal_error),
        }
    }
}

impl Responder {
    fn backed(&self) -> Option<Backed<'_>> {
        Some(Backed { responder: self, backing: self.backing.as_ref()? })
    }

    /// Permits for clients' queries, internal queries and commands.
    pub(crate) fn admission() -> [Arc<Semaphore>; 3] {
        [QUERIES, QUERIES, COMMANDS].map(|most| Arc::new(Semaphore::new(most)))
    }

    /// Serves requests until `stop` is cancelled, then those that the server had already delivered.
    pub(crate) async fn run(self: Arc<Self>, stop: &CancellationToken) -> Result<(), InternalError> {
        let subjects = subject::requests_of(self.domain);
        let mut requests =
            self.connection.queue_subscribe(subjects, self.domain.to_owned()).await.map_err(InternalError::other)?;
        let mut discovery = self.connection.subscribe("$SRV.>").await.map_err(InternalError::other)?;
        self.connection.flush().await.map_err(InternalError::other)?;
        let rejections = self.clone().answer_rejections();
        let mut is_draining = false;
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled(), if !is_draining => {
                    is_draining = true;
                    // Most requests in flight are still read. A caller without a reply retries on another node.
                    requests.drain().await.map_err(InternalError::other)?;
                    discovery.unsubscribe().await.map_err(InternalError::other)?;
                }
                request = requests.next() => match request {
                    Some(message) => self.clone().admit(message, &rejections),
                    None if is_draining => return Ok(()),
                    None => return Err(InternalError::other("the subscription ended")),
                },
                Some(message) = discovery.next(), if !is_draining => {
                    self.micro.answer(&self.connection, &message).await;
                }
            }
        }
    }

    /// Admission control: a request gets a permit or is rejected with 503, without waiting.
    fn admit(self: Arc<Self>, message: Message, rejections: &Rejections) {
        // A caller chooses the reply subject, and this connection may publish events: replies go to inboxes only.
        if message.reply.as_ref().is_some_and(|reply| !is_inbox(reply)) {
            metrics::counter!("requests_with_foreign_reply_total", "domain" => self.domain).increment(1);
            return;
        }
        let endpoint = self.endpoints.get(message.subject.as_str());
        let is_command = matches!(endpoint, Some(Endpoint::Command(_)));
        let permits = match endpoint {
            Some(Endpoint::Command(_)) => &self.commands,
            Some(Endpoint::Query(route)) if route.meta.access == Access::Internal => &self.internal_queries,
            _ => &self.queries,
        };
        match permits.clone().try_acquire_owned() {
            Ok(permit) => {
                let responder = self.clone();
                self.tasks.spawn(async move { responder.answer(message, permit).await });
            }
            Err(_) => rejections.reject(&message, is_command),
        }
    }

    async fn answer(&self, message: Message, permit: OwnedSemaphorePermit) {
        let began = Instant::now();
        let subject = message.subject.clone();
        let mut incoming = IncomingRequest::read(message);
        let reply = match self.endpoints.get(subject.as_str()) {
            None => ServiceError::new(ErrorKind::NotFound, "unknown_operation", "There is no such operation.")
                .of(self.domain)
                .into(),
            Some(endpoint) => {
                let span = tracing::info_span!(
                    target: "span",
                    "request",
                    domain = self.domain,
                    operation = endpoint.meta().operation,
                    request_id = incoming.request_id
                );
                self.admitted(endpoint, &mut incoming, permit).instrument(span).await
            }
        };
        let failed = match &reply {
            Reply::Error { body, .. } => Some(body.code.clone()),
            Reply::Success { .. } => None,
        };
        self.micro.count(&subject, began.elapsed(), failed.as_deref());
        if self.endpoints.contains_key(subject.as_str()) {
            let outcome = failed.unwrap_or_else(|| "ok".into());
            metrics::histogram!("request_duration_seconds", "subject" => subject.to_string())
                .record(began.elapsed().as_secs_f64());
            metrics::counter!("requests_total", "subject" => subject.to_string(), "outcome" => outcome).increment(1);
        }
        self.send(&incoming, reply).await;
    }

    /// Identifies the caller and runs the operation.
    async fn admitted(
        &self,
        endpoint: &Endpoint,
        incoming: &mut IncomingRequest,
        permit: OwnedSemaphorePermit,
    ) -> Reply {
        match tokio::time::timeout_at(incoming.deadline.into(), self.caller(incoming, endpoint)).await {
            Err(_) => ServiceError::deadline(self.domain).into(),
            Ok(Err(error)) => error.of(self.domain).into(),
            Ok(Ok(caller)) => {
                // Beside an access token, a capability counts only where the operation accepts both.
                match endpoint.meta().access {
                    Access::RolesAndCapability(_) => {}
                    Access::RolesOrCapability(_) if caller.is_none() => {}
                    _ => incoming.capability = None,
                }
                self.run_endpoint(endpoint, incoming, caller, permit).await
            }
        }
    }

    async fn run_endpoint(
        &self,
        endpoint: &Endpoint,
        incoming: &IncomingRequest,
        caller: Option<Caller>,
        permit: OwnedSemaphorePermit,
    ) -> Reply {
        match (endpoint, self.backed()) {
            (Endpoint::Query(route), _) => self.query(route, incoming, caller).await,
            (Endpoint::Command(route), Some(backed)) => backed.command(route, incoming, caller, permit).await,
            (Endpoint::Builtin(route), Some(backed)) => backed.builtin(route, incoming, caller).await,
            // A service registers queries only.
            (_, None) => ServiceError::internal(self.domain).into(),
        }
    }

    /// The caller that the access token identifies; `None` without a token.
    async fn caller(&self, incoming: &IncomingRequest, endpoint: &Endpoint) -> Result<Option<Caller>, ServiceError> {
        incoming.check()?;
        let access = endpoint.meta().access;
        // The permissions of the NATS users reject all other callers of internal subjects.
        if access == Access::Internal {
            return Ok(Some(Caller::System));
        }
        let Some(token) = incoming.header(header::AUTHORIZATION) else { return Ok(None) };
        let identity = self.verifier.verify(token).await?;
        match access {
            Access::Roles(roles) | Access::RolesOrCapability(roles) | Access::RolesAndCapability(roles)
                if !roles.contains(&identity.role.as_str()) =>
            {
                Err(ServiceError::new(ErrorKind::Forbidden, "forbidden", "Your role does not allow this."))
            }
            _ => {
                if matches!(endpoint, Endpoint::Command(route) if route.is_sensitive) {
                    self.verifier.confirm(&identity).await?;
                }
                Ok(Some(Caller::User(identity)))
            }
        }
    }

    /// The caller by token, else by capability, else anonymous where the access is public.
    fn settle_caller(
        &self,
        access: Access,
        caller: Option<Caller>,
        capability: Option<Uuid>,
    ) -> Result<Caller, ServiceError> {
        match (caller, access, capability) {
            (Some(caller), ..) => Ok(caller),
            (None, Access::RolesOrCapability(_) | Access::RolesAndCapability(_), Some(digest)) => {
                Ok(Caller::Capability(digest))
            }
            (None, Access::Public, _) => Ok(Caller::Anonymous),
            (None, ..) => {
                let text = "An access token is needed.";
                Err(ServiceError::new(ErrorKind::Unauthenticated, "unauthenticated", text).of(self.domain))
            }
        }
    }

    fn context(&self, incoming: &IncomingRequest, caller: Caller) -> ServiceContext {
        ServiceContext {
            caller,
            capability: incoming.capability,
            client_address: incoming.client_address,
            peers: self.peers.clone(),
            deadline: incoming.deadline,
            request_id: incoming.request_id.clone(),
            traceparent: incoming.traceparent.clone(),
        }
    }

    async fn query(&self, route: &QueryRoute, incoming: &IncomingRequest, caller: Option<Caller>) -> Reply {
        let decoded = match incoming.decode(|format, body| route.decode(format, body)) {
            Ok(decoded) => decoded,
            Err(service_error) => return service_error.of(self.domain).into(),
        };
        let caller = match self.settle_caller(route.meta.access, caller, incoming.capability) {
            Ok(caller) => caller,
            Err(service_error) => return service_error.into(),
        };
        let db = self.backing.as_ref().map(|backing| match route.meta.access {
            Access::Internal => backing.db.internal_reads.clone(),
            _ if route.is_batched => backing.db.batched_reads.clone(),
            _ => backing.db.reads.clone(),
        });
        let context = QueryContext { request: self.context(incoming, caller), db };
        let answer = async {
            let mut dead = 0;
            loop {
                let answer = guarded(async { Ok(decoded.answer(&context, incoming.format).await) });
                match answer.await.unwrap_or_else(QueryOutcome::Broken) {
                    // After a restart of PostgreSQL every connection of the pool may be dead.
                    QueryOutcome::Broken(internal_error) if internal_error.is_lost_connection() && dead < READS => {
                        dead += 1;
                    }
                    answered => break answered,
                }
            }
        };
        match tokio::time::timeout_at(incoming.deadline.into(), answer).await {
            Err(_) => ServiceError::deadline(self.domain).into(),
            Ok(QueryOutcome::Reply(body)) => Reply::Success { body, replayed: false },
            Ok(QueryOutcome::Rejected(body)) => Reply::Error { body, replayed: false },
            Ok(QueryOutcome::Broken(internal_error)) => self.broken(route.meta.operation, incoming, &internal_error),
        }
    }

    fn broken(&self, operation: &str, incoming: &IncomingRequest, internal_error: &InternalError) -> Reply {
        if let Some(backing) = &self.backing {
            backing.db.health.report(internal_error);
        }
        let service_error = internal_error.service_error(self.domain);
        let request_id = &incoming.request_id;
        if service_error.kind == ErrorKind::Internal {
            tracing::error!(domain = self.domain, operation, request_id, error = %internal_error, "request failed");
        } else {
            // Overload, a passed deadline or an unavailable database: counted in the metrics, not a defect in the code.
            tracing::debug!(
                domain = self.domain,
                operation,
                request_id,
                error = %internal_error,
                kind = ?service_error.kind,
                "request not answered"
            );
        }
        service_error.into()
    }
}
