//! The context of a request: its ids, its rate limits, its route and its user.

use std::{
    sync::{Arc, OnceLock},
    time::{SystemTime, UNIX_EPOCH},
};

use contract::header::{is_request_id, is_traceparent};
use parking_lot::Mutex;
use poem::{Request, http::HeaderName};
use poem_openapi::error::ParsePathError;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    http::{error::ApiError, explain},
    server::{admission::Admitted, gateway::Gateway, rates::Tally},
};

/// The header with the request id, which all services log.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// W3C trace context.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The ids of a request: those that the client sent, or new ones.
pub(crate) struct Ids {
    pub(crate) request_id: String,
    pub(crate) traceparent: String,
}

impl Ids {
    pub(crate) fn of(request: &Request) -> Self {
        let sent = |name: HeaderName, is_valid: fn(&str) -> bool| {
            let text = request.headers().get(name)?.to_str().ok()?;
            is_valid(text).then(|| text.to_owned())
        };
        Self {
            request_id: sent(REQUEST_ID, is_request_id).unwrap_or_else(new_request_id),
            traceparent: sent(TRACEPARENT, is_traceparent).unwrap_or_else(new_traceparent),
        }
    }
}

/// The label of a path in logs and metrics.
pub(crate) struct Label {
    /// The domain the path belongs to, or `gateway`.
    pub(crate) service: &'static str,
    /// The path's template, such as `/api/v1/orders/{id}`.
    pub(crate) template: String,
}

impl Label {
    /// Names the invalid path parameter, which poem-openapi identifies by its position.
    pub(crate) fn name_part(&self, error: poem::Error) -> poem::Error {
        let Some(ParsePathError { name, reason }) = error.downcast_ref() else { return error };
        let mut names = self.template.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
        let place = name.strip_prefix("param").and_then(|place| place.parse().ok());
        match place.and_then(|place| names.nth(place)) {
            Some(name) => ApiError::path(explain::parameter(name, reason)).into(),
            None => error,
        }
    }
}

/// The context of one request.
pub(crate) struct RequestContext {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) ids: Ids,
    pub(crate) tally: Tally,
    /// Set by the router.
    pub(crate) label: OnceLock<Arc<Label>>,
    /// The slot of the request, until its reply is counted.
    pub(crate) admitted: Mutex<Option<Admitted>>,
    /// Set once the body is complete.
    pub(crate) body_read: OnceLock<Instant>,
    /// Set once an access token was verified.
    pub(crate) user: OnceLock<Uuid>,
}

impl RequestContext {
    pub(crate) fn begin(gateway: Arc<Gateway>, ids: Ids, tally: Tally, admitted: Option<Admitted>) -> Arc<Self> {
        let (label, body_read, user) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Arc::new(Self { gateway, ids, tally, label, admitted: Mutex::new(admitted), body_read, user })
    }

    /// Counts the reply, and frees the slot. What the client waits for afterwards is no work of the shop.
    pub(crate) fn answered(&self) {
        if let Some(admitted) = self.admitted.lock().take() {
            admitted.answered(self.body_read.get().copied());
        }
    }

    /// The context of a request.
    pub(crate) fn of(request: &Request) -> Result<&Arc<Self>, ApiError> {
        request.data::<Arc<Self>>().ok_or_else(|| ApiError::internal(&"a request without a context"))
    }
}

/// A UUIDv7. Its random bits come from the thread's generator: a system call for each would show in the rate of kept
/// pages.
fn new_request_id() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let milliseconds = u64::try_from(since.as_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(milliseconds, &rand::random()).into_uuid().to_string()
}

fn new_traceparent() -> String {
    // Neither may be zero.
    let (trace, parent) = (rand::random::<u128>().max(1), rand::random::<u64>().max(1));
    format!("00-{trace:032x}-{parent:016x}-01")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_trace_contexts_are_valid() {
        assert!(is_traceparent(&new_traceparent()));
    }

    #[test]
    fn a_new_request_id_is_a_uuid_of_version_7() {
        assert_eq!(new_request_id().parse::<Uuid>().unwrap().get_version_num(), 7);
    }
}
