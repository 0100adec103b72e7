//! The log line and the metrics of a request.

use std::{sync::Arc, time::Duration};

use poem::http::{Method, StatusCode};
use uuid::Uuid;

use crate::{
    http::error::GATEWAY,
    server::{context::RequestContext, route::Label},
};

/// Counts and logs a request that was routed, or rejected by the middleware.
pub(crate) fn request(method: &Method, status: StatusCode, context: &RequestContext, took: Duration) {
    let label = context.label.get();
    let service = label.map_or(GATEWAY, |label| label.service);
    let code = status.as_str().to_owned();
    metrics::counter!("http_requests_total", "service" => service, "status" => code).increment(1);
    metrics::histogram!("http_request_duration_seconds", "service" => service).record(took.as_secs_f64());
    log(method, label, status, context.user.get(), &context.ids.request_id, took);
}

/// Logs a request.
pub(crate) fn log(
    method: &Method,
    label: Option<&Arc<Label>>,
    status: StatusCode,
    user: Option<&Uuid>,
    request_id: &str,
    took: Duration,
) {
    let (service, route) = label.map_or((GATEWAY, "-"), |label| (label.service, label.template.as_str()));
    let user_id = user.map(tracing::field::display);
    let latency_ms = took.as_secs_f64() * 1000.0;
    tracing::info!(
        target: "http", %method, route, status = status.as_u16(), service, user_id, request_id, latency_ms,
        "request completed"
    );
}
