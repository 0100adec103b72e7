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

use std::{collections::HashMap, sync::Arc, time::Instant};

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
        routes::{CommandRoute, EventRoute, QueryContext, QueryRoute, RequestMeta, TrimHistory},
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
    pub audited_roles: &'static [&'static str],
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

impl Responder {
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
        let answered = match self.endpoints.get(subject.as_str()) {
            None => Err(ServiceError::new(ErrorKind::NotFound, "unknown_operation", "There is no such operation.")),
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
        // An error that names a domain already is that of another one, which did not answer.
        let named = |error: ServiceError| if error.service.is_empty() { error.of(self.domain) } else { error };
        let reply = answered.unwrap_or_else(|error| named(error).into());
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
    ) -> Result<Reply, ServiceError> {
        let identified = tokio::time::timeout_at(incoming.deadline.into(), self.caller(incoming, endpoint)).await;
        let caller = identified.unwrap_or_else(|_| Err(ServiceError::deadline(self.domain)));
        let caller = caller.map_err(|error| error.of(self.domain))?;
        // Beside an access token, a capability counts only where the operation accepts both.
        match endpoint.meta().access {
            Access::RolesAndCapability(_) => {}
            Access::RolesOrCapability(_) if caller.is_none() => {}
            _ => incoming.capability = None,
        }
        match (endpoint, &self.backing) {
            (Endpoint::Query(route), _) => self.query(route, incoming, caller).await,
            (Endpoint::Command(route), Some(backing)) => self.command(backing, route, incoming, caller, permit).await,
            (Endpoint::Builtin(route), Some(backing)) => self.builtin(backing, route, incoming, caller).await,
            // A service registers queries only.
            (_, None) => Err(ServiceError::internal(self.domain)),
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

    async fn query(
        &self,
        route: &QueryRoute,
        incoming: &IncomingRequest,
        caller: Option<Caller>,
    ) -> Result<Reply, ServiceError> {
        let decoded = incoming.decode(|format, body| (route.decode)(format, body))?;
        let caller = settle_caller(route.meta.access, caller, incoming.capability)?;
        let db = self.backing.as_ref().map(|backing| match route.meta.access {
            Access::Internal => backing.db.internal_reads.clone(),
            _ if route.is_batched => backing.db.batched_reads.clone(),
            _ => backing.db.reads.clone(),
        });
        let context = QueryContext { request: self.context(incoming, caller), db };
        let answer = async {
            let mut dead = 0;
            loop {
                match guarded(decoded(context.clone(), incoming.format)).await {
                    // After a restart of PostgreSQL every connection of the pool may be dead.
                    Err(internal_error) if internal_error.is_lost_connection() && dead < READS => dead += 1,
                    answered => break answered,
                }
            }
        };
        match tokio::time::timeout_at(incoming.deadline.into(), answer).await {
            Err(_) => Err(ServiceError::deadline(self.domain)),
            Ok(Ok(Ok(body))) => Ok(Reply::Success { body, replayed: false }),
            Ok(Ok(Err(body))) => Ok(Reply::Error { body, replayed: false }),
            Ok(Err(internal_error)) => Err(self.broken(route.meta.operation, incoming, &internal_error)),
        }
    }

    async fn builtin(
        &self,
        backing: &Backing,
        route: &BuiltinRoute,
        incoming: &IncomingRequest,
        caller: Option<Caller>,
    ) -> Result<Reply, ServiceError> {
        let caller = settle_caller(route.meta.access, caller, None)?;
        let command_id = incoming.command_id()?;
        let (domain, client) = (self.domain, &self.peers.client);
        let cx = BuiltinContext { domain, client, backing, caller, command_id };
        match (route.run)(&cx, incoming).await {
            Ok(reply) => reply,
            Err(internal_error) => Err(self.broken(route.meta.operation, incoming, &internal_error)),
        }
    }

    /// Logs an internal error, and returns the error for the caller.
    fn broken(&self, operation: &str, incoming: &IncomingRequest, internal_error: &InternalError) -> ServiceError {
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
        service_error
    }
}

/// The caller by token, else by capability, else anonymous where the access is public.
fn settle_caller(access: Access, caller: Option<Caller>, capability: Option<Uuid>) -> Result<Caller, ServiceError> {
    match (caller, access, capability) {
        (Some(caller), ..) => Ok(caller),
        (None, Access::RolesOrCapability(_) | Access::RolesAndCapability(_), Some(digest)) => {
            Ok(Caller::Capability(digest))
        }
        (None, Access::Public, _) => Ok(Caller::Anonymous),
        (None, ..) => {
            Err(ServiceError::new(ErrorKind::Unauthenticated, "unauthenticated", "An access token is needed."))
        }
    }
}
