//! The request context: what handlers outside a lane may use. That is the caller, other domains, and in a domain its
//! database.

use std::{
    net::IpAddr,
    ops::Deref,
    time::{Duration, Instant},
};

use contract::{CallError, Coalesce, ErrorKind, Query, ServiceError};
use sqlx::PgPool;
use uuid::Uuid;

use crate::{
    api::{
        caller::Caller,
        routes::Calls,
        sql::{Reads, Writes},
    },
    rpc::client::{Call, Client},
};

/// The client of a domain or service, and the queries that it may send with it.
#[derive(Clone)]
pub(crate) struct PermittedClient {
    pub client: Client,
    pub calls: Calls,
}

/// What a handler of a service may use.
#[derive(Clone)]
pub struct ServiceContext {
    pub(crate) caller: Caller,
    pub(crate) capability: Option<Uuid>,
    pub(crate) client_address: Option<IpAddr>,
    pub(crate) peers: PermittedClient,
    pub(crate) deadline: Instant,
    pub(crate) request_id: Option<String>,
    pub(crate) traceparent: Option<String>,
}

/// What a domain's handlers outside a lane may use: all that a service may, and the domain's database.
#[derive(Clone)]
pub struct Context {
    pub(crate) request: ServiceContext,
    pub(crate) db: PgPool,
}

impl Deref for Context {
    type Target = ServiceContext;

    fn deref(&self) -> &ServiceContext {
        &self.request
    }
}

impl Context {
    /// Reads the domain's own database, outside any transaction.
    pub fn reads(&self) -> Reads<'_> {
        Reads::of_pool(&self.db)
    }

    /// Writes that must be committed before an external system is called, outside any batch. Only for what an effect
    /// records about its own progress.
    pub fn writes_before_call(&self) -> Writes<'_> {
        Writes::of_pool(&self.db)
    }

    /// The pool itself, for a simulated external system that keeps its state in tables of its own. What it writes is
    /// not part of any command.
    pub fn pool(&self) -> &PgPool {
        &self.db
    }
}

impl ServiceContext {
    /// The context of work that no request asked for.
    pub(crate) fn of_system(
        peers: PermittedClient,
        deadline: Instant,
        request_id: Option<String>,
        traceparent: Option<String>,
    ) -> Self {
        Self {
            caller: Caller::System,
            capability: None,
            client_address: None,
            peers,
            deadline,
            request_id,
            traceparent,
        }
    }

    /// The caller of the operation.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The digest of the capability in the request, which may have an access token too.
    pub fn capability(&self) -> Option<Uuid> {
        self.capability
    }

    /// The address of the client, as the gateway found it; `None` of a request that came over NATS without one.
    pub fn client_address(&self) -> Option<IpAddr> {
        self.client_address
    }

    /// The id of the request that caused this work, for log lines; `None` if no request did.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }

    /// The time left until the caller's deadline.
    pub fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Queries another domain, within the caller's deadline. The query must be registered
    /// ([`Registry::calls`](crate::Registry::calls)).
    ///
    /// # Errors
    /// The other domain's own error, or a service error.
    pub async fn ask<Q: Query>(&self, query: &Q) -> Result<Q::Reply, CallError<Q::Error>> {
        self.ask_within(query, Call::DEFAULT_DEADLINE).await
    }

    /// Queries another domain for `at_most` this long, if the handler can do without the reply.
    ///
    /// # Errors
    /// The other domain's own error, or a service error.
    pub async fn ask_within<Q: Query>(&self, query: &Q, at_most: Duration) -> Result<Q::Reply, CallError<Q::Error>> {
        self.permitted::<Q>()?;
        self.peers.client.ask(query, &self.call(at_most)).await
    }

    /// Queries another domain, within the caller's deadline, in one message with the queries of the same type that
    /// arise while earlier ones are under way.
    ///
    /// # Errors
    /// The other domain's own error, or a service error.
    pub async fn ask_together<Q: Coalesce>(&self, query: Q) -> Result<Q::Reply, CallError<Q::Error>> {
        self.permitted::<Q>()?;
        self.peers.client.ask_together(query, self.call(Call::DEFAULT_DEADLINE)).await
    }

    /// Checks that the query is registered as a call.
    fn permitted<Q: Query>(&self) -> Result<(), CallError<Q::Error>> {
        if self.peers.calls.has::<Q>() {
            return Ok(());
        }
        // The permissions of the NATS user would let it time out.
        let text = format!("`{}` is not registered as a call.", std::any::type_name::<Q>());
        Err(CallError::ServiceError(ServiceError::new(ErrorKind::Internal, "internal", text)))
    }

    fn call(&self, at_most: Duration) -> Call {
        Call {
            deadline: self.remaining().min(at_most),
            request_id: self.request_id.clone(),
            traceparent: self.traceparent.clone(),
            ..Call::default()
        }
    }
}
