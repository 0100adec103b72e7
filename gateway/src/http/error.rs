//! The one error shape, whatever failed.

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

/// Who answers where no domain did.
pub(crate) const GATEWAY: &str = "gateway";

/// More work than can be done in time; domains say it in the same word.
const OVERLOADED: &str = "overloaded";

/// What every failure looks like.
#[derive(Object, Serialize)]
#[oai(rename = "Error")]
pub(crate) struct ErrorShape {
    /// Always `false`.
    success: bool,
    /// The stable word by which programs tell the error.
    code: String,
    /// For people.
    message: String,
    /// Who answered: a domain, or `gateway`.
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
    /// What kind of thing is wrong, in a word by which programs tell it.
    code: String,
    /// What is wrong with it, for people.
    message: String,
    /// What the message is made of, by name, such as `min` and `max`.
    params: BTreeMap<String, Value>,
}

impl From<Detail> for FieldError {
    fn from(detail: Detail) -> Self {
        let Detail { field, message, code, params } = detail;
        Self { field, code: code.as_str().to_owned(), message, params }
    }
}

/// Every status an operation may fail with. 404 and 405 belong to paths, the others to what is sent.
pub(crate) const STATUSES: [(u16, &str, &str); 15] = [
    (400, "Malformed", "Not JSON, or a bad header or query"),
    (401, "Unauthenticated", "No valid access token"),
    (403, "Forbidden", "The caller may not do this"),
    (404, "NotFound", "No such thing"),
    (405, "MethodNotAllowed", "The path has no such method; `Allow` names those it has"),
    (408, "RequestTimeout", "The body did not arrive in time"),
    (409, "Conflict", "The state of the thing does not allow it"),
    (412, "PreconditionFailed", "The thing has another version than `If-Match` names"),
    (413, "TooLarge", "The body is too large"),
    (415, "UnsupportedMediaType", "The body is not application/json"),
    (422, "Invalid", "A field is missing, mistyped, unknown or out of range; `details` names it"),
    (429, "TooMany", "Too many requests; `Retry-After` says when to come back"),
    (500, "Internal", "A defect on our side"),
    (503, "Unavailable", "A service has no node or is overloaded; `Retry-After` says when to come back"),
    (504, "Deadline", "A service did not answer in time"),
];

/// A failure on its way out. The request's id is put in at the door.
#[derive(Debug)]
pub(crate) struct ApiError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    status: StatusCode,
    service_error: ServiceError,
    allow: Option<HeaderValue>,
}

impl ApiError {
    /// The gateway's own refusal.
    pub(crate) fn new(kind: ErrorKind, code: &str, message: &str) -> Self {
        ServiceError::new(kind, code, message).into()
    }

    /// A refusal that is about one field.
    pub(crate) fn of_field(kind: ErrorKind, code: &str, message: &str, detail: Detail) -> Self {
        ServiceError::new(kind, code, message).about(detail).into()
    }

    /// A query parameter that cannot be used.
    pub(crate) fn query(detail: Detail) -> Self {
        Self::of_field(ErrorKind::Malformed, "invalid_query", "A query parameter is not valid.", detail)
    }

    /// A header that cannot be used.
    pub(crate) fn header(detail: Detail) -> Self {
        Self::of_field(ErrorKind::Malformed, "invalid_header", "A header is not valid.", detail)
    }

    /// More work than can be done in time.
    pub(crate) fn overloaded() -> Self {
        Self::new(ErrorKind::Unavailable, OVERLOADED, "There is more work than can be done in time. Try again.")
    }

    /// A path that leads nowhere.
    pub(crate) fn no_route() -> Self {
        Self::new(ErrorKind::NotFound, "route_not_found", "There is nothing at this path.")
    }

    /// A path segment that cannot be an id of anything.
    pub(crate) fn no_such_id() -> Self {
        Self::path(Detail::format("path", "id", "is not an id"))
    }

    /// A named path segment that leads to nothing.
    pub(crate) fn path(detail: Detail) -> Self {
        Self::of_field(ErrorKind::NotFound, "not_found", "There is no such thing.", detail)
    }

    /// A method that the path does not have.
    pub(crate) fn method_not_allowed(allow: HeaderValue) -> Self {
        let service_error =
            ServiceError::new(ErrorKind::Malformed, "method_not_allowed", "The path does not have this method.");
        Self(Box::new(Inner {
            status: StatusCode::METHOD_NOT_ALLOWED,
            service_error: service_error.of(GATEWAY),
            allow: Some(allow),
        }))
    }

    /// A body that did not arrive in time.
    pub(crate) fn body_timeout() -> Self {
        let service_error = ServiceError::new(ErrorKind::Malformed, "body_timeout", "The body did not arrive in time.");
        Self(Box::new(Inner {
            status: StatusCode::REQUEST_TIMEOUT,
            service_error: service_error.of(GATEWAY),
            allow: None,
        }))
    }

    /// A defect of the gateway; the reason goes to the log.
    pub(crate) fn internal(reason: &dyn fmt::Display) -> Self {
        tracing::error!(%reason, "the gateway failed");
        ServiceError::internal(GATEWAY).into()
    }

    /// What a domain answered instead of a reply.
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

    /// Whatever came out of a route. What is not ours is told by its status, never by its text.
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

    /// The status.
    pub(crate) fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The code.
    #[cfg(test)]
    pub(crate) fn code(&self) -> &str {
        &self.0.service_error.code
    }

    /// The first wrong field, and what is wrong with it.
    #[cfg(test)]
    pub(crate) fn detail(&self) -> (&str, &str) {
        let detail = self.0.service_error.details.first();
        detail.map_or(("", ""), |detail| (&detail.field, &detail.message))
    }

    /// Whether there was too much to do.
    pub(crate) fn is_overload(&self) -> bool {
        self.0.service_error.code == OVERLOADED
    }

    /// The kind.
    pub(crate) fn kind(&self) -> ErrorKind {
        self.0.service_error.kind
    }

    /// The answer.
    pub(crate) fn response(&self, request_id: &str) -> Response {
        let Inner { status, service_error, allow } = &*self.0;
        let shape = ErrorShape {
            success: false,
            code: service_error.code.clone(),
            message: service_error.message.clone(),
            service: service_error.service.clone(),
            request_id: request_id.to_owned(),
            details: service_error.details.iter().cloned().map(FieldError::from).collect(),
        };
        // A map of text cannot fail to be written.
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
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<ServiceError> for ApiError {
    fn from(service_error: ServiceError) -> Self {
        let status = StatusCode::from_u16(service_error.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let service_error = if service_error.service.is_empty() { service_error.of(GATEWAY) } else { service_error };
        Self(Box::new(Inner { status, service_error, allow: None }))
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
