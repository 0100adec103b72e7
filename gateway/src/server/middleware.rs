//! The middleware around all routes: ids, rate limits, kept reads, admission, the request timeout, the error shape,
//! headers, one log line and metrics. A panic or failure of a route becomes an error of the same shape.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt;
use poem::{
    Endpoint, Request, Response, Result,
    http::{HeaderValue, StatusCode, header},
};
use server::Rejected;
use tokio::time::{Instant, sleep_until};
use tracing::Instrument;

use crate::{
    http::{
        error::{ApiError, GATEWAY},
        header::reject_repeated,
    },
    server::{
        admission::{Admitted, Rejection, fingerprint},
        context::{Ids, REQUEST_ID, RequestContext, TRACEPARENT},
        cors,
        gateway::Gateway,
        rates, reads, report,
    },
};

/// Timeout of a request, including the longest wait for an order. Streams have bounds of their own.
const TIMEOUT: Duration = Duration::from_secs(45);

/// The longest time for which a request is held that is repeated before its `Retry-After`: its body has a deadline.
const HOLD: Duration = Duration::from_secs(5);

/// Wraps the routes.
pub(crate) struct Middleware<E> {
    pub(crate) inner: E,
    pub(crate) gateway: Arc<Gateway>,
}

impl<E: Endpoint<Output = Response>> Endpoint for Middleware<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let began = Instant::now();
        let ids = Ids::of(&request);
        let origin = cors::origin(&self.gateway.cors_origins, &request);
        let tally = rates::count(&self.gateway, &request, began);
        let key = if tally.is_within() { reads::key(&request) } else { None };
        let kept = key.and_then(|key| self.gateway.reads.get(&key, began));
        if let Some(entry) = kept {
            let mut response = entry.page.response(request.headers());
            tally.finish(response.headers_mut());
            self.finish(&mut response, &ids, origin);
            entry.page.report(response.status(), &ids.request_id, began.elapsed());
            return Ok(response);
        }
        let preflight = cors::preflight(origin.as_ref(), &request);
        if preflight.is_none()
            && let Err(error) = tally.check()
        {
            // Counted only, as a rejection by admission.
            metrics::counter!("http_requests_total", "service" => GATEWAY, "status" => "429").increment(1);
            let mut response = error.response(&ids.request_id);
            tally.finish(response.headers_mut());
            self.finish(&mut response, &ids, origin);
            return Ok(response);
        }
        let admitted = match preflight {
            Some(_) => None,
            None => match self.admit(&request).await {
                Ok(admitted) => Some(admitted),
                Err(rejection) => {
                    let mut response = self.reject(&request, rejection, &ids.request_id);
                    tally.finish(response.headers_mut());
                    self.finish(&mut response, &ids, origin);
                    return Ok(response);
                }
            },
        };
        let context = RequestContext::begin(self.gateway.clone(), ids, tally, admitted);
        let method = request.method().clone();
        let answered = if let Some(preflight) = preflight {
            Ok(preflight)
        } else {
            request.set_data(context.clone());
            request.set_data(self.gateway.clone());
            let span = tracing::info_span!(target: "span", "http_request", request_id = context.ids.request_id);
            self.answer(request, &context).instrument(span).await
        };
        let error = answered.as_ref().err().map(|error| error.code().to_owned());
        let mut response = answered.unwrap_or_else(|error| error.response(&context.ids.request_id));
        let status = response.status();
        // A rejection may skip the work that makes replies slow, so it is not counted. A timeout is a slow reply.
        if status.is_success() || status.is_redirection() || status == StatusCode::GATEWAY_TIMEOUT {
            context.answered();
        } else {
            drop(context.admitted.lock().take());
        }
        context.tally.finish(response.headers_mut());
        self.finish(&mut response, &context.ids, origin);
        report::request(&method, response.status(), error.as_deref(), &context, began.elapsed());
        Ok(response)
    }
}

impl<E: Endpoint<Output = Response>> Middleware<E> {
    /// A request that was rejected, and is repeated on its connection before `Retry-After`, is held
    /// until then, or for [`HOLD`].
    async fn admit(&self, request: &Request) -> Result<Admitted, Rejection> {
        if let Some(earlier) = request.data::<Rejected>()
            && Some(earlier.request) == fingerprint(request)
            && let Ok(_place) = self.gateway.holds.try_acquire()
        {
            tokio::select! {
                () = sleep_until(earlier.until) => {}
                () = self.gateway.drained() => {}
            }
        }
        self.gateway.admission.admit(request)
    }

    fn reject(&self, request: &Request, rejection: Rejection, request_id: &str) -> Response {
        let mut response = ApiError::overloaded(rejection.seconds).response(request_id);
        if let Some(request) = fingerprint(request) {
            let until = Instant::now() + Duration::from_secs(rejection.seconds).min(HOLD);
            response.set_data(Rejected { request, until });
        }
        response
    }

    async fn answer(&self, request: Request, context: &RequestContext) -> Result<Response, ApiError> {
        reject_repeated(request.headers())?;
        let call = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        let failed = match tokio::time::timeout(TIMEOUT, call).await {
            Ok(Ok(Ok(response))) => return Ok(response),
            Ok(Ok(Err(error))) => ApiError::of_route(error),
            Ok(Err(_)) => ApiError::internal(&"a handler panicked"),
            Err(_) => contract::ServiceError::deadline(GATEWAY).into(),
        };
        // A domain's overload is counted by metrics only: a log line per rejected request would add to it.
        if failed.status().is_server_error() && !failed.is_overload() {
            tracing::warn!(error = %failed, request_id = context.ids.request_id, "request failed");
        }
        Err(failed)
    }

    fn finish(&self, response: &mut Response, ids: &Ids, origin: Option<HeaderValue>) {
        if let Some(origin) = origin {
            cors::allow(response, origin);
        }
        let headers = response.headers_mut();
        for (name, value) in [(REQUEST_ID, &ids.request_id), (TRACEPARENT, &ids.traceparent)] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.append(header::VARY, HeaderValue::from_static("Authorization, X-Cart-Token"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        if self.gateway.is_draining() {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}
