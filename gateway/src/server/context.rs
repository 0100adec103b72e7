//! The context of a request: its ids, its route and its user.

use std::sync::{Arc, OnceLock};

use contract::header::{is_request_id, is_traceparent};
use poem::Request;
use uuid::Uuid;

use crate::{http::error::ApiError, server::gateway::Gateway};

/// The header with the request id, which all services log.
pub(crate) const REQUEST_ID: &str = contract::header::REQUEST_ID;
/// W3C trace context.
pub(crate) const TRACEPARENT: &str = contract::header::TRACEPARENT;

/// The label of a path in logs and metrics.
pub(crate) struct Label {
    /// The domain the path belongs to, or `gateway`.
    pub(crate) service: &'static str,
    /// The path's template, such as `/api/v1/orders/{id}`.
    pub(crate) template: String,
}

/// The context of one request.
pub(crate) struct RequestContext {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) request_id: String,
    pub(crate) traceparent: String,
    /// Set by the router.
    pub(crate) label: OnceLock<Arc<Label>>,
    /// Set once an access token was verified.
    pub(crate) user: OnceLock<Uuid>,
}

impl RequestContext {
    /// Uses the ids that the client sent, or generates them.
    pub(crate) fn begin(gateway: Arc<Gateway>, request: &Request) -> Arc<Self> {
        let request_id = request.header(REQUEST_ID).filter(|id| is_request_id(id)).map(str::to_owned);
        let traceparent = request.header(TRACEPARENT).filter(|text| is_traceparent(text)).map(str::to_owned);
        Arc::new(Self {
            gateway,
            request_id: request_id.unwrap_or_else(|| Uuid::now_v7().to_string()),
            traceparent: traceparent.unwrap_or_else(new_traceparent),
            label: OnceLock::new(),
            user: OnceLock::new(),
        })
    }

    /// The context of a request.
    pub(crate) fn of(request: &Request) -> Result<&Arc<Self>, ApiError> {
        request.data::<Arc<Self>>().ok_or_else(|| ApiError::internal(&"a request without a context"))
    }
}

fn new_traceparent() -> String {
    let parent = Uuid::new_v4().simple().to_string();
    format!("00-{}-{}-01", Uuid::new_v4().simple(), &parent[16..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_trace_contexts_are_valid() {
        assert!(is_traceparent(&new_traceparent()));
    }
}
