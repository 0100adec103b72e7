//! The middleware around all routes: ids, the request timeout, the error shape, headers, one log line and metrics. A
//! panic or failure of a route becomes an error of the same shape.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderValue, Method, StatusCode, header},
};
use tracing::Instrument;

use crate::{
    http::{
        error::{ApiError, GATEWAY},
        header::reject_repeated,
    },
    server::{
        context::{REQUEST_ID, RequestContext, TRACEPARENT},
        cors,
        gateway::Gateway,
    },
};

/// Timeout of a request, including the longest wait for an order. Streams have bounds of their own.
const TIMEOUT: Duration = Duration::from_secs(45);

/// Wraps the routes.
pub(crate) struct Middleware<E> {
    pub(crate) inner: E,
    pub(crate) gateway: Arc<Gateway>,
}

impl<E: Endpoint<Output = Response>> Endpoint for Middleware<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let began = Instant::now();
        let context = RequestContext::begin(self.gateway.clone(), &request);
        let method = request.method().clone();
        let origin = cors::origin(&self.gateway.cors_origins, &request);
        let answered = if let Some(preflight) = cors::preflight(origin.as_ref(), &request) {
            Ok(preflight)
        } else {
            request.set_data(context.clone());
            request.set_data(self.gateway.clone());
            let span = tracing::info_span!(target: "span", "http_request", request_id = context.request_id);
            self.answer(request, &context).instrument(span).await
        };
        let error = answered.as_ref().err().map(|error| error.code().to_owned());
        let mut response = answered.unwrap_or_else(|error| error.response(&context.request_id));
        if let Some(origin) = origin {
            cors::allow(&mut response, origin);
        }
        self.finish(&mut response, &context);
        report(&method, response.status(), error, &context, began.elapsed());
        Ok(response)
    }
}

impl<E: Endpoint<Output = Response>> Middleware<E> {
    async fn answer(&self, request: Request, context: &RequestContext) -> Result<Response, ApiError> {
        // Health checks bypass the limit on requests.
        let is_health = request.uri().path().starts_with("/health");
        let permit = self.gateway.requests.try_acquire();
        if permit.is_err() && !is_health {
            return Err(ApiError::overloaded());
        }
        reject_repeated(request.headers())?;
        let call = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        let failed = match tokio::time::timeout(TIMEOUT, call).await {
            Ok(Ok(Ok(response))) => return Ok(response),
            Ok(Ok(Err(error))) => ApiError::of_route(error),
            Ok(Err(_)) => ApiError::internal(&"a handler panicked"),
            Err(_) => contract::ServiceError::deadline(GATEWAY).into(),
        };
        // Overload is counted by metrics only: a log line per rejected request would add to it.
        if failed.status().is_server_error() && !failed.is_overload() {
            tracing::warn!(error = %failed, request_id = context.request_id, "request failed");
        }
        Err(failed)
    }

    fn finish(&self, response: &mut Response, context: &RequestContext) {
        let draining = self.gateway.is_draining();
        let headers = response.headers_mut();
        for (name, value) in [(REQUEST_ID, &context.request_id), (TRACEPARENT, &context.traceparent)] {
            if let (Ok(name), Ok(value)) = (header::HeaderName::try_from(name), HeaderValue::from_str(value)) {
                headers.insert(name, value);
            }
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.append(header::VARY, HeaderValue::from_static("Authorization, X-Cart-Token"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if draining {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Logs and counts a request. `error` is the code of an error.
fn report(method: &Method, status: StatusCode, error: Option<String>, context: &RequestContext, took: Duration) {
    let (service, route) = context.label.get().map_or((GATEWAY, "-"), |label| (label.service, label.template.as_str()));
    let code = status.as_str().to_owned();
    metrics::counter!("http_requests_total", "service" => service, "status" => code).increment(1);
    metrics::histogram!("http_request_duration_seconds", "service" => service).record(took.as_secs_f64());
    let user_id = context.user.get().map(tracing::field::display);
    let latency_ms = took.as_secs_f64() * 1000.0;
    tracing::info!(
        target: "http", %method, route, status = status.as_u16(), error, service, user_id,
        request_id = context.request_id, latency_ms, "request completed"
    );
}
