//! What a domain or service uses of other domains, read from its registrations without an instance of it.

use std::collections::BTreeSet;

use crate::{
    api::{
        domain::{Domain, Registry},
        routes::Registration,
        service::{Service, ServiceRegistry},
    },
    responder::consumers_subjects,
};

/// What a domain or service uses of other domains, by its registrations. The rights of its NATS user are made from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uses {
    /// The name of the domain or service.
    pub name: &'static str,
    /// The subjects of the requests that it sends: its calls, and what catch-up asks the owners of events. Those of a
    /// verifier of access tokens are not among them: they depend on the system ([`start`](crate::NodeBuilder::start)).
    pub requests: BTreeSet<String>,
    /// The domains whose events it consumes.
    pub sources: BTreeSet<&'static str>,
}

impl Uses {
    /// What a domain uses.
    pub fn of<D: Domain>() -> Self {
        Self::by(D::NAME, &Registry::<D>::of(None).routes.registrations)
    }

    /// What a service uses.
    pub fn of_service<S: Service>() -> Self {
        Self::by(S::NAME, &ServiceRegistry::<S>::of(None).registrations)
    }

    fn by(name: &'static str, registrations: &[Registration]) -> Self {
        let sources: BTreeSet<_> = registrations.iter().filter_map(Registration::source).collect();
        let calls = registrations.iter().filter_map(Registration::called).map(str::to_owned);
        let requests = calls.chain(sources.iter().flat_map(|source| consumers_subjects(source))).collect();
        Self { name, requests, sources }
    }
}
