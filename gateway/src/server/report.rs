//! The log line and the metrics of a request.

use std::time::Duration;

use poem::http::{Method, StatusCode};

use crate::{
    http::error::GATEWAY,
    server::context::{Label, RequestContext},
};

/// Counts and logs a request that was routed, or rejected by the middleware. `error` is the code of an error.
pub(crate) fn request(
    method: &Method,
    status: StatusCode,
    error: Option<&str>,
    context: &RequestContext,
    took: Duration,
) {
    let label = context.label.get();
    let service = label.map_or(GATEWAY, |label| label.service);
    let code = status.as_str().to_owned();
    metrics::counter!("http_requests_total", "service" => service, "status" => code).increment(1);
    metrics::histogram!("http_request_duration_seconds", "service" => service).record(took.as_secs_f64());
    let (service, route) = label.map_or((GATEWAY, "-"), |label| (label.service, label.template.as_str()));
    let user_id = context.user.get().map(tracing::field::display);
    let latency_ms = took.as_secs_f64() * 1000.0;
    tracing::info!(
        target: "http", %method, route, status = status.as_u16(), error, service, user_id,
        request_id = context.ids.request_id, latency_ms, "request completed"
    );
}

/// Logs a request that was answered with a kept page.
pub(crate) fn kept(label: &Label, status: StatusCode, request_id: &str, took: Duration) {
    let Label { service, template } = label;
    let latency_ms = took.as_secs_f64() * 1000.0;
    tracing::info!(
        target: "http", method = "GET", route = template, status = status.as_u16(), service, request_id, latency_ms,
        "request completed"
    );
}
