//! The endpoints of domains and services, by subject.

use std::collections::{BTreeMap, HashMap};

use contract::{Access, subject};

use crate::{
    failure::Breakage,
    operation::{QueryRoute, Registration, RequestMeta, Routes, defects},
    responder::{Endpoint, EndpointInfo},
};

/// Rejects a domain whose registrations contradict each other.
pub(super) fn check_registrations(domain: &str, routes: &Routes) -> Result<(), Breakage> {
    let mut common = HashMap::new();
    add_common_endpoints(domain, &mut common);
    // Reserved even if this node does not serve them: the domain must also start with another node's configuration.
    add_guarded_endpoints(domain, Access::Public, &mut common, &mut Vec::new());
    let defects = defects(domain, &routes.registrations, |subject| common.contains_key(subject));
    if defects.is_empty() { Ok(()) } else { Err(Breakage::other(defects.join("; "))) }
}

pub(super) fn endpoints(routes: &Routes) -> (HashMap<String, Endpoint>, Vec<EndpointInfo>) {
    let mut endpoints = HashMap::new();
    let mut infos = Vec::new();
    let requests = routes
        .queries
        .iter()
        .map(|route| (route.meta.clone(), Endpoint::Query(route.clone())))
        .chain(routes.commands.iter().map(|route| (route.meta.clone(), Endpoint::Command(route.clone()))));
    for (meta, endpoint) in requests {
        infos.push(info_of(&meta));
        endpoints.insert(meta.subject, endpoint);
    }
    (endpoints, infos)
}

pub(super) fn endpoints_of_queries(queries: &[QueryRoute]) -> (HashMap<String, Endpoint>, Vec<EndpointInfo>) {
    let infos = queries.iter().map(|route| info_of(&route.meta)).collect();
    let endpoints = queries.iter().map(|route| (route.meta.subject.clone(), Endpoint::Query(route.clone())));
    (endpoints.collect(), infos)
}

/// Rejects a service whose registrations contradict each other.
pub(super) fn check_service(name: &str, registrations: &[Registration]) -> Result<(), Breakage> {
    let defects = defects(name, registrations, |_| false);
    if defects.is_empty() { Ok(()) } else { Err(Breakage::other(defects.join("; "))) }
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

/// Adds the operations that every domain serves besides its own.
pub(super) fn add_common_endpoints(domain: &str, endpoints: &mut HashMap<String, Endpoint>) {
    endpoints.insert(subject::request(domain, subject::internal::LOG, true), Endpoint::Log);
    endpoints.insert(subject::request(domain, subject::internal::EVENTS, true), Endpoint::Events);
    endpoints.insert(
        subject::request(domain, subject::internal::DEAD_LETTERS, true),
        Endpoint::DeadLetters(Access::Internal),
    );
    endpoints.insert(subject::request(domain, subject::internal::REDRIVE, true), Endpoint::Redrive(Access::Internal));
    endpoints.insert(subject::request(domain, subject::internal::REFILL, true), Endpoint::Refill);
    endpoints.insert(subject::request(domain, subject::internal::REBUILD, true), Endpoint::Rebuild);
    endpoints.insert(subject::request(domain, subject::internal::CONSUMED, true), Endpoint::Consumed);
    endpoints.insert(subject::request(domain, subject::internal::TRIM, true), Endpoint::Trim);
}

/// Adds the operations that every domain serves to callers with the configured access; none for [`Access::Internal`].
pub(super) fn add_guarded_endpoints(
    domain: &str,
    access: Access,
    endpoints: &mut HashMap<String, Endpoint>,
    infos: &mut Vec<EndpointInfo>,
) {
    use subject::guarded::{LIST_DEAD_LETTERS, REDRIVE_DEAD_LETTER};
    if access == Access::Internal {
        return;
    }
    for (operation, endpoint) in
        [(LIST_DEAD_LETTERS, Endpoint::DeadLetters(access)), (REDRIVE_DEAD_LETTER, Endpoint::Redrive(access))]
    {
        let subject = subject::request(domain, operation, false);
        let is_command = matches!(endpoint, Endpoint::Redrive(_));
        infos.push(info_of(&RequestMeta { operation, subject: subject.clone(), access, is_command }));
        endpoints.insert(subject, endpoint);
    }
}
