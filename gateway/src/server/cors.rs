//! CORS: the origins whose pages may read replies. An origin that is not listed gets no headers, so browsers block it.

use poem::{
    Request, Response,
    http::{HeaderValue, Method, StatusCode, header},
};

const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
const HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer, \
                       X-Cart-Token, X-Request-Id, traceparent";
const EXPOSED: &str = "ETag, Idempotent-Replayed, Location, Preference-Applied, RateLimit-Limit, RateLimit-Remaining, \
                       RateLimit-Reset, Retry-After, X-Request-Id, traceparent";

/// The request's origin, if it is listed.
pub(crate) fn origin(allowed: &[String], request: &Request) -> Option<HeaderValue> {
    let origin = request.headers().get(header::ORIGIN)?;
    allowed.iter().any(|one| one.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

/// The response to a preflight request.
pub(crate) fn preflight(origin: Option<&HeaderValue>, request: &Request) -> Option<Response> {
    let asks = request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if origin.is_none() || request.method() != Method::OPTIONS || !asks {
        return None;
    }
    let response = Response::builder()
        .status(StatusCode::NO_CONTENT)
        .header(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS)
        .header(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS)
        .header(header::ACCESS_CONTROL_MAX_AGE, "600");
    Some(response.finish())
}

/// Allows a listed origin to read a response.
pub(crate) fn allow(response: &mut Response, origin: HeaderValue) {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}
