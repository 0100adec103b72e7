//! A service: queries without a database, lanes or events of its own. It answers from the data of other domains.

use std::{future::Future, sync::Arc};

use contract::Query;

use crate::api::{
    context::ServiceContext,
    error::QueryResult,
    routes::{QueryRoute, Registration},
};

/// A service: its name, and one registration line per query.
pub trait Service: Send + Sync + Sized + 'static {
    /// The name in its subjects.
    const NAME: &'static str;

    /// Registers the queries of the service.
    fn register(routes: &mut ServiceRegistry<Self>);
}

/// Answers a query of a service.
pub trait Serve<Q: Query>: Service {
    /// Answers the query.
    fn serve(&self, cx: &ServiceContext, query: &Q) -> impl Future<Output = QueryResult<Q::Reply, Q::Error>> + Send;
}

/// Collects the queries of a service.
pub struct ServiceRegistry<S> {
    service: Arc<S>,
    pub(crate) queries: Vec<QueryRoute>,
    pub(crate) registrations: Vec<Registration>,
}

impl<S: Service> ServiceRegistry<S> {
    pub(crate) fn new(service: Arc<S>) -> Self {
        Self { service, queries: Vec::new(), registrations: Vec::new() }
    }

    /// Registers the query `Q`.
    pub fn query<Q: Query>(&mut self)
    where
        S: Serve<Q>,
    {
        self.registrations.push(Registration::request::<Q>());
        self.queries.push(QueryRoute::of_service::<S, Q>(self.service.clone()));
    }
}
