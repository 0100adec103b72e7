//! Liveness and readiness of the gateway, and the health of the domains.

use std::sync::Arc;

use contract::{Detail, ErrorKind, ServiceError};
use poem::{IntoResponse, Response, http::StatusCode, web::Data};
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    payload::Json,
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use subjects::DOMAINS;

use crate::{
    http::{
        error::{ApiError, GATEWAY, failure},
        reply::{Answer, Reply},
        tag::Tag,
    },
    server::{discovery::Nodes, gateway::Gateway},
};

/// The state of the gateway.
#[derive(Object, serde::Serialize)]
struct Life {
    /// Always `ok`.
    status: String,
}

/// The health of the whole system.
#[derive(Object, serde::Serialize)]
struct Health {
    /// `ok`, or `degraded` if a domain has no node.
    status: String,
    domains: Vec<DomainHealth>,
}

/// The health of one domain.
#[derive(Object, serde::Serialize)]
struct DomainHealth {
    name: String,
    /// The number of nodes that serve it.
    nodes: u32,
}

/// The health of the system, with 503 if it is degraded.
struct HealthReply(Health);

impl IntoResponse for HealthReply {
    fn into_response(self) -> Response {
        let is_ok = self.0.status == "ok";
        let status = if is_ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let response = Response::builder().status(status).content_type("application/json");
        if is_ok { response.body(body) } else { response.header("Retry-After", "1").body(body) }
    }
}

impl ApiResponse for HealthReply {
    fn meta() -> MetaResponses {
        let entry = |status, description| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: vec![MetaMediaType { content_type: "application/json", schema: Health::schema_ref() }],
            headers: Vec::new(),
        };
        let mut responses = vec![entry(200, "Every domain has a node"), entry(503, "A domain has no node")];
        responses.push(failure(405, "The path has no such method; `Allow` names those it has"));
        responses.push(failure(500, "An internal error"));
        MetaResponses { responses }
    }

    fn register(registry: &mut Registry) {
        <Json<Health> as ApiResponse>::register(registry);
        <ApiError as ApiResponse>::register(registry);
    }
}

fn nodes(discovered: &Nodes, domain: &str) -> u32 {
    discovered.get(domain).map_or(0, |nodes| u32::try_from(nodes.len()).unwrap_or(u32::MAX))
}

/// The routes of health.
pub(crate) struct HealthApi;

#[OpenApi(tag = "Tag::Health")]
impl HealthApi {
    /// Check liveness
    #[oai(path = "/health/live", method = "get", operation_id = "live")]
    #[allow(clippy::unused_async, reason = "every route is asynchronous")]
    async fn live(&self) -> Answer<Life> {
        Reply::new(&Life { status: "ok".into() })
    }

    /// Check readiness
    ///
    /// 503 while a domain has no node, NATS is not connected or the gateway is shutting down; `details` lists what is
    /// missing.
    #[oai(path = "/health/ready", method = "get", operation_id = "ready")]
    async fn ready(&self, gateway: Data<&Arc<Gateway>>) -> Answer<Life> {
        let mut missing = Vec::new();
        if gateway.is_draining() {
            missing.push(Detail::state(GATEWAY, "stopping", "is about to stop"));
        }
        if !gateway.client.is_connected() {
            missing.push(Detail::state("nats", "disconnected", "is not connected"));
        }
        if missing.is_empty() {
            let discovered = gateway.discovery.nodes(gateway.client.connection()).await;
            let absent = DOMAINS.iter().filter(|domain| nodes(&discovered, domain) == 0);
            missing.extend(absent.map(|domain| Detail::state(*domain, "absent", "has no node")));
        }
        if missing.is_empty() {
            return Reply::new(&Life { status: "ok".into() });
        }
        let error = ServiceError::new(ErrorKind::Unavailable, "not_ready", "Not every request can be answered now.");
        Err(ServiceError { details: missing, ..error }.into())
    }

    /// Get the health of the system by domain
    #[oai(path = "/health", method = "get", operation_id = "health")]
    async fn health(&self, gateway: Data<&Arc<Gateway>>) -> HealthReply {
        let discovered = gateway.discovery.nodes(gateway.client.connection()).await;
        let domains: Vec<DomainHealth> = DOMAINS
            .iter()
            .map(|domain| DomainHealth { name: (*domain).to_owned(), nodes: nodes(&discovered, domain) })
            .collect();
        let is_ok = domains.iter().all(|domain| domain.nodes > 0);
        HealthReply(Health { status: if is_ok { "ok" } else { "degraded" }.into(), domains })
    }
}
