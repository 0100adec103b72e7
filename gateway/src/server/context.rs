//! The context of a request: its ids, its route and its user.

use std::sync::{Arc, OnceLock};

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

fn is_request_id(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `00-<trace id>-<parent id>-<flags>`, with no id all zero.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags] = parts[..] else { return false };
    let is_hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    version == "00"
        && is_hex(trace, 32)
        && is_hex(parent, 16)
        && is_hex(flags, 2)
        && [trace, parent].iter().all(|id| id.bytes().any(|byte| byte != b'0'))
}

fn new_traceparent() -> String {
    let parent = Uuid::new_v4().simple().to_string();
    format!("00-{}-{}-01", Uuid::new_v4().simple(), &parent[16..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_trace_contexts_are_valid_and_broken_ones_are_not_taken() {
        assert!(is_traceparent(&new_traceparent()));
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        for text in ["", "00-4bf9-00f0-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "x"] {
            assert!(!is_traceparent(text), "{text}");
        }
    }

    #[test]
    fn a_request_id_is_short_and_visible() {
        assert!(is_request_id("abc-1"));
        for text in [String::new(), "a b".into(), "a".repeat(129)] {
            assert!(!is_request_id(&text), "{text}");
        }
    }
}
