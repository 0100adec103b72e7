//! Header names. They are part of the external interface.

/// Requests: the id under which a command has one effect and one answer.
pub const COMMAND_ID: &str = "Souk-Command-Id";
/// Requests: the milliseconds for which the caller still waits.
pub const DEADLINE_MS: &str = "Souk-Deadline-Ms";
/// Replies: `true` where the answer was stored by an earlier run of the same command.
pub const REPLAYED: &str = "Souk-Replayed";
/// Requests: `Bearer <access token>`.
pub const AUTHORIZATION: &str = "Authorization";
/// Requests: a secret that grants access to an entity without an account. Also accepted beside an access token if the
/// operation allows it.
pub const CAPABILITY: &str = "Souk-Capability";

/// Requests: the IP address of the client for which the gateway sends the request.
pub const CLIENT_ADDRESS: &str = "Souk-Client-Address";

/// The rule that [`is_capability`] checks, as worded in error details.
pub const CAPABILITY_RULE: &str = "must have 1 to 200 visible ASCII characters and no spaces";

/// Whether a value of [`CAPABILITY`] is well-formed.
pub fn is_capability(value: &str) -> bool {
    (1..=200).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a value of [`REQUEST_ID`] is well-formed. Others are ignored.
pub fn is_request_id(value: &str) -> bool {
    (1..=128).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Whether a value of [`TRACEPARENT`] is well-formed: `00-<trace id>-<parent id>-<flags>`, with no id all zero. Others
/// are ignored.
pub fn is_traceparent(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
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

/// Requests and replies: the body's format.
pub const CONTENT_TYPE: &str = "Content-Type";
/// W3C trace context.
pub const TRACEPARENT: &str = "traceparent";
/// The request id: taken from the client or generated at the edge, and passed on to everything that the request causes.
pub const REQUEST_ID: &str = "X-Request-Id";

/// Replies that are errors: the stable code (NATS micro, ADR-32).
pub const SERVICE_ERROR: &str = "Nats-Service-Error";
/// Replies that are errors: the HTTP status of the error's kind (NATS micro, ADR-32).
pub const SERVICE_ERROR_CODE: &str = "Nats-Service-Error-Code";

/// Events: the version of CloudEvents, always `1.0`. The attributes are headers, as in its binary mode.
pub const CE_SPECVERSION: &str = "ce-specversion";
/// The event's id.
pub const CE_ID: &str = "ce-id";
/// The event's type, such as `souk.things.added`.
pub const CE_TYPE: &str = "ce-type";
/// The domain, such as `/souk/things`.
pub const CE_SOURCE: &str = "ce-source";
/// The entity id.
pub const CE_SUBJECT: &str = "ce-subject";
/// The commit's time, RFC 3339.
pub const CE_TIME: &str = "ce-time";
/// Events: all else in one header, because each costs the server and every reader. [`EventHead`](crate::EventHead) has
/// its syntax.
pub const EVENT: &str = "Souk-Event";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broken_trace_contexts_are_not_taken() {
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
