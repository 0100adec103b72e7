//! The endpoints of domains and services, by subject.

use std::collections::{BTreeMap, HashMap};

use contract::Access;

use crate::{
    api::routes::{QueryRoute, Registration, RequestMeta, Routes, defects},
    error::InternalError,
    responder::{BuiltinRoute, Endpoint, EndpointInfo},
};

/// Rejects a domain whose registrations contradict each other.
pub(super) fn check_registrations(domain: &str, routes: &Routes, is_projection: bool) -> Result<(), InternalError> {
    if is_projection && !(routes.commands.is_empty() && routes.effects.is_empty() && routes.deadlines.is_empty()) {
        return Err(InternalError::other("a projection domain registers no command, effect or deadline"));
    }
    // Those for callers are reserved even if this node does not serve them: the domain must also start with another
    // node's configuration.
    let builtin = BuiltinRoute::all(domain, Access::Public);
    reject(&defects(domain, &routes.registrations, |subject| builtin.iter().any(|route| route.meta.subject == subject)))
}

/// Rejects a service whose registrations contradict each other.
pub(super) fn check_service(name: &str, registrations: &[Registration]) -> Result<(), InternalError> {
    reject(&defects(name, registrations, |_| false))
}

fn reject(defects: &[String]) -> Result<(), InternalError> {
    if defects.is_empty() { Ok(()) } else { Err(InternalError::other(defects.join("; "))) }
}

/// The endpoints of a domain, with the built-in ones that `guarded` grants to callers.
pub(super) fn endpoints_of_domain(domain: &str, routes: &Routes, guarded: Access) -> Endpoints {
    let queries = routes.queries.iter().cloned().map(Endpoint::Query);
    let commands = routes.commands.iter().cloned().map(Endpoint::Command);
    let builtin = BuiltinRoute::all(domain, guarded).into_iter().map(Endpoint::Builtin);
    by_subject(queries.chain(commands).chain(builtin))
}

pub(super) fn endpoints_of_service(queries: &[QueryRoute]) -> Endpoints {
    by_subject(queries.iter().cloned().map(Endpoint::Query))
}

/// Endpoints by subject, and the descriptions of those that service discovery lists: all but the internal ones of the
/// runtime.
pub(super) type Endpoints = (HashMap<String, Endpoint>, Vec<EndpointInfo>);

fn by_subject(endpoints: impl Iterator<Item = Endpoint>) -> Endpoints {
    let endpoints: Vec<_> = endpoints.collect();
    let is_listed =
        |endpoint: &&Endpoint| !matches!(endpoint, Endpoint::Builtin(route) if route.meta.access == Access::Internal);
    let infos = endpoints.iter().filter(is_listed).map(|endpoint| info_of(endpoint.meta())).collect();
    (endpoints.into_iter().map(|endpoint| (endpoint.meta().subject.clone(), endpoint)).collect(), infos)
}

fn info_of(meta: &RequestMeta) -> EndpointInfo {
    let domain = meta.subject.split('.').nth(1).unwrap_or_default().to_owned();
    EndpointInfo {
        name: meta.operation.to_owned(),
        subject: meta.subject.clone(),
        metadata: BTreeMap::from([
            ("kind", if meta.is_command { "command" } else { "query" }.to_owned()),
            ("access", Access::describe(meta.access)),
            ("schema", format!("{}.{domain}.{}.v1", contract::SYSTEM, meta.operation)),
        ]),
        queue_group: domain,
    }
}
