//! The one error shape of all failures. The code and the text of a domain error, such as a 409, come from the domain;
//! the descriptions in `STATUSES` are those of the OpenAPI document.
//!
//! To read first: `subjects/src/<domain>/error.rs`, or `subjects/src/<domain>.rs` (the texts), and
//! `runtime/contract/src/error.rs` (the kinds and their statuses).

use std::{collections::BTreeMap, fmt};

use contract::{CallError, Detail, ErrorBody, ErrorKind, Request, ServiceError};
use poem::{
    Response,
    error::{MethodNotAllowedError, NotFoundError, ResponseError},
    http::{HeaderValue, StatusCode, header},
};
use poem_openapi::{
    ApiResponse, Object,
    error::{ParseParamError, ParsePathError},
    registry::{MetaMediaType, MetaResponse, MetaResponses, Registry},
    types::Type,
};
use serde::Serialize;
use serde_json::Value;

use crate::http::explain;

/// The service named in an error that no domain returned.
pub(crate) const GATEWAY: &str = "gateway";

/// The seconds of `Retry-After`, except of errors that have their own.
const RETRY_AFTER: u64 = 1;

/// More work than can be done in time; domains use the same code.
const OVERLOADED: &str = "overloaded";

/// The detail with the seconds to wait, also of domains.
const RETRY_AFTER_FIELD: &str = "retry_after";

/// The body of every failure.
#[derive(Object, Serialize)]
#[oai(rename = "Error")]
pub(crate) struct ErrorShape {
    /// Always `false`.
    success: bool,
    /// The stable code for programs.
    code: String,
    /// For people.
    message: String,
    /// The service that returned the error: a domain, or `gateway`.
    service: String,
    /// The request's id, as in the header `X-Request-Id`.
    request_id: String,
    /// The wrong fields.
    details: Vec<FieldError>,
}

/// One field that is wrong.
#[derive(Object, Serialize)]
pub(crate) struct FieldError {
    /// The field's path, such as `items[0].quantity`.
    field: String,
    /// The stable code of what is wrong, for programs.
    code: String,
    /// What is wrong with it, for people.
    message: String,
    /// The parameters of the message, by name, such as `min` and `max`.
    params: BTreeMap<String, Value>,
}

impl From<Detail> for FieldError {
    fn from(detail: Detail) -> Self {
        let Detail { field, message, code, params } = detail;
        Self { field, code: code.as_str().to_owned(), message, params }
    }
}

/// Every status an operation may fail with. 404 and 405 depend on the path, the others on the request.
pub(crate) const STATUSES: [(u16, &str, &str); 15] = [
    (400, "Malformed", "Not JSON, or a bad header or query"),
    (401, "Unauthenticated", "No valid access token"),
    (403, "Forbidden", "The caller may not do this"),
    (404, "NotFound", "Not found"),
    (405, "MethodNotAllowed", "The path has no such method; `Allow` names those it has"),
    (408, "RequestTimeout", "The body did not arrive in time"),
    (409, "Conflict", "The current state does not allow it"),
    (412, "PreconditionFailed", "The version differs from `If-Match`"),
    (413, "TooLarge", "The body is too large"),
    (415, "UnsupportedMediaType", "The body is not application/json"),
    (422, "Invalid", "A field is missing, mistyped, unknown or out of range; `details` names it"),
    (429, "TooMany", "Too many requests; retry after `Retry-After`"),
    (500, "Internal", "An internal error"),
    (503, "Unavailable", "A service has no node or is overloaded; retry after `Retry-After`"),
    (504, "Deadline", "A service did not answer in time"),
];

/// An error response. The middleware adds the request's id.
#[derive(Debug, Clone)]
pub(crate) struct ApiError(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    service_error: ServiceError,
    allow: Option<HeaderValue>,
    /// The seconds of `Retry-After`, if the status has it.
    retry_after: u64,
}

impl ApiError {
    /// An error of the gateway itself.
    pub(crate) fn new(kind: ErrorKind, code: &str, message: &str) -> Self {
        ServiceError::new(kind, code, message).into()
    }

    /// An error about one field.
    pub(crate) fn of_field(kind: ErrorKind, code: &str, message: &str, detail: Detail) -> Self {
        ServiceError::new(kind, code, message).about(detail).into()
    }

    /// An invalid query parameter.
    pub(crate) fn query(detail: Detail) -> Self {
        Self::of_field(ErrorKind::Malformed, "invalid_query", "A query parameter is not valid.", detail)
    }

    /// An invalid header.
    pub(crate) fn header(detail: Detail) -> Self {
        Self::of_field(ErrorKind::Malformed, "invalid_header", "A header is not valid.", detail)
    }

    /// More work than can be done in time.
    pub(crate) fn overloaded(retry_after: u64) -> Self {
        let Self(inner) = ServiceError::overloaded(GATEWAY).into();
        Self(Box::new(Inner { retry_after, ..*inner }))
    }

    /// More requests than a rate limit admits.
    pub(crate) fn rate_limited(seconds: u64) -> Self {
        let detail = Detail::value(RETRY_AFTER_FIELD, &seconds);
        Self::of_field(ErrorKind::TooMany, "rate_limited", "Too many requests. Try again later.", detail)
    }

    /// An unknown path.
    pub(crate) fn no_route() -> Self {
        Self::new(ErrorKind::NotFound, "route_not_found", "There is nothing at this path.")
    }

    /// A path segment that is not an id.
    pub(crate) fn no_such_id() -> Self {
        Self::path(Detail::format("path", "id", "is not an id"))
    }

    /// A named path segment that does not exist.
    pub(crate) fn path(detail: Detail) -> Self {
        Self::of_field(ErrorKind::NotFound, "not_found", "Not found.", detail)
    }

    /// A method that the path does not have.
    pub(crate) fn method_not_allowed(allow: HeaderValue) -> Self {
        let service_error =
            ServiceError::new(ErrorKind::Malformed, "method_not_allowed", "The path does not have this method.");
        Self(Box::new(Inner {
            status: StatusCode::METHOD_NOT_ALLOWED,
            service_error: service_error.of(GATEWAY),
            allow: Some(allow),
            retry_after: RETRY_AFTER,
        }))
    }

    /// A body that did not arrive in time.
    pub(crate) fn body_timeout() -> Self {
        let service_error = ServiceError::new(ErrorKind::Malformed, "body_timeout", "The body did not arrive in time.");
        Self(Box::new(Inner {
            status: StatusCode::REQUEST_TIMEOUT,
            service_error: service_error.of(GATEWAY),
            allow: None,
            retry_after: RETRY_AFTER,
        }))
    }

    /// An internal error of the gateway; the reason is logged, not returned.
    pub(crate) fn internal(reason: &dyn fmt::Display) -> Self {
        tracing::error!(%reason, "internal error");
        ServiceError::internal(GATEWAY).into()
    }

    /// The error that a domain returned.
    pub(crate) fn of_call<M: Request>(error: CallError<M::Error>) -> Self {
        match error {
            CallError::ServiceError(service_error) => service_error.into(),
            CallError::Rejected(domain_error) => {
                let ErrorBody { code, kind, message, service, details, .. } =
                    ErrorBody::of_domain_error(&domain_error, M::DOMAIN, "");
                ServiceError { kind, code, message, service, details }.into()
            }
        }
    }

    /// The error of a route. For an error of a library only the status is used, never the text.
    pub(crate) fn of_route(error: poem::Error) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(own) => return own,
            Err(other) => other,
        };
        if let Some(wrong) = error.downcast_ref::<ParseParamError>() {
            return Self::query(explain::parameter(wrong.name, &wrong.reason));
        }
        if error.is::<ParsePathError>() || error.is::<poem::error::ParsePathError>() {
            return Self::no_such_id();
        }
        if error.is::<NotFoundError>() {
            return Self::no_route();
        }
        if error.is::<MethodNotAllowedError>() {
            return Self::method_not_allowed(HeaderValue::from_static("GET, HEAD"));
        }
        match error.status() {
            status if status.is_client_error() => {
                Self::new(ErrorKind::Malformed, "malformed_request", "The request could not be read.")
            }
            _ => Self::internal(&error),
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    pub(crate) fn code(&self) -> &str {
        &self.0.service_error.code
    }

    /// The first wrong field, and what is wrong with it.
    #[cfg(test)]
    pub(crate) fn detail(&self) -> (&str, &str) {
        let detail = self.0.service_error.details.first();
        detail.map_or(("", ""), |detail| (&detail.field, &detail.message))
    }

    pub(crate) fn is_overload(&self) -> bool {
        self.0.service_error.code == OVERLOADED
    }

    pub(crate) fn kind(&self) -> ErrorKind {
        self.0.service_error.kind
    }

    /// The HTTP response.
    pub(crate) fn response(&self, request_id: &str) -> Response {
        let Inner { status, service_error, allow, retry_after } = &*self.0;
        let shape = ErrorShape {
            success: false,
            code: service_error.code.clone(),
            message: service_error.message.clone(),
            service: service_error.service.clone(),
            request_id: request_id.to_owned(),
            details: service_error.details.iter().cloned().map(FieldError::from).collect(),
        };
        // Serializing a map of strings cannot fail.
        let body = serde_json::to_vec(&shape).unwrap_or_default();
        let mut response = Response::builder().status(*status).content_type("application/json").body(body);
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(allow) = allow {
            headers.insert(header::ALLOW, allow.clone());
        }
        if *status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
        }
        response
    }
}

impl From<ServiceError> for ApiError {
    fn from(service_error: ServiceError) -> Self {
        let status = StatusCode::from_u16(service_error.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let service_error = if service_error.service.is_empty() { service_error.of(GATEWAY) } else { service_error };
        let detail = service_error.details.iter().find(|detail| detail.field == RETRY_AFTER_FIELD);
        let retry_after = detail.and_then(|detail| detail.params.get("value")?.as_u64()).unwrap_or(RETRY_AFTER);
        Self(Box::new(Inner { status, service_error, allow: None, retry_after }))
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.service_error.fmt(f)
    }
}

impl std::error::Error for ApiError {}

impl ResponseError for ApiError {
    fn status(&self) -> StatusCode {
        self.0.status
    }

    fn as_response(&self) -> Response {
        self.response("")
    }
}

/// The document's entry for one failing status.
pub(crate) fn failure(status: u16, description: &'static str) -> MetaResponse {
    MetaResponse {
        description,
        status: Some(status),
        status_range: None,
        content: vec![MetaMediaType { content_type: "application/json", schema: ErrorShape::schema_ref() }],
        headers: Vec::new(),
    }
}

impl ApiResponse for ApiError {
    fn meta() -> MetaResponses {
        MetaResponses {
            responses: STATUSES.iter().map(|(status, _, description)| failure(*status, description)).collect(),
        }
    }

    fn register(registry: &mut Registry) {
        ErrorShape::register(registry);
    }
}
