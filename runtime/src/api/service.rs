//! A service: queries without a database, lanes or events of its own. It answers from the data of other domains.

use std::{future::Future, sync::Arc};

use contract::Query;

use crate::{
    api::{
        context::ServiceContext,
        routes::{QueryRoute, Registration},
    },
    error::QueryResult,
};

/// A service: its name, and one registration line per query that it answers or sends.
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

/// Collects the queries that a service answers, and those that it sends.
pub struct ServiceRegistry<S> {
    /// `None` if the registrations alone are collected ([`Uses`](crate::Uses)).
    service: Option<Arc<S>>,
    pub(crate) queries: Vec<QueryRoute>,
    pub(crate) registrations: Vec<Registration>,
}

impl<S: Service> ServiceRegistry<S> {
    /// The registrations of a service, with its handlers if there is an instance.
    pub(crate) fn of(service: Option<Arc<S>>) -> Self {
        let mut registry = Self { service, queries: Vec::new(), registrations: Vec::new() };
        S::register(&mut registry);
        registry
    }

    /// Registers the query `Q`.
    pub fn query<Q: Query>(&mut self)
    where
        S: Serve<Q>,
    {
        self.registrations.push(Registration::request::<Q>());
        self.queries.extend(self.service.clone().map(QueryRoute::of_service::<S, Q>));
    }

    /// Sends the query `Q` to a domain, as [`Registry::calls`](crate::Registry::calls).
    pub fn calls<Q: Query>(&mut self) {
        self.registrations.push(Registration::call::<Q>());
    }
}
