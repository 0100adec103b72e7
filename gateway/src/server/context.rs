//! The context of a request: its ids, its route and its user.

use std::{
    sync::{Arc, OnceLock},
    time::{SystemTime, UNIX_EPOCH},
};

use poem::{Request, http::HeaderName};
use uuid::Uuid;

use crate::{
    http::error::ApiError,
    server::{gateway::Gateway, route::Label},
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

/// The context of one request.
pub(crate) struct RequestContext {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) ids: Ids,
    /// Set by the router.
    pub(crate) label: OnceLock<Arc<Label>>,
    /// Set once an access token was verified.
    pub(crate) user: OnceLock<Uuid>,
}

impl RequestContext {
    pub(crate) fn begin(gateway: Arc<Gateway>, ids: Ids) -> Arc<Self> {
        Arc::new(Self { gateway, ids, label: OnceLock::new(), user: OnceLock::new() })
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
    fn made_trace_contexts_are_valid_and_broken_ones_are_not_taken() {
        assert!(is_traceparent(&new_traceparent()));
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        for text in ["", "00-4bf9-00f0-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "x"] {
            assert!(!is_traceparent(text), "{text}");
        }
    }

    #[test]
    fn a_request_id_is_short_and_visible() {
        assert_eq!(new_request_id().parse::<Uuid>().unwrap().get_version_num(), 7);
        assert!(is_request_id("abc-1"));
        for text in [String::new(), "a b".into(), "a".repeat(129)] {
            assert!(!is_request_id(&text), "{text}");
        }
    }
}
