//! Header names, exactly as outside programs see them.

/// Requests: the id under which a command has one effect and one answer.
pub const COMMAND_ID: &str = "Souk-Command-Id";
/// Requests: milliseconds the caller still waits.
pub const DEADLINE_MS: &str = "Souk-Deadline-Ms";
/// Replies: `true` where the answer was stored by an earlier run of the same command.
pub const REPLAYED: &str = "Souk-Replayed";
/// Requests: `Bearer <access token>`.
pub const AUTHORIZATION: &str = "Authorization";
/// Requests: a secret that opens what belongs to no account; beside an access token too where the operation says so.
pub const CAPABILITY: &str = "Souk-Capability";

/// What [`is_capability`] requires, as the details of an error say it.
pub const CAPABILITY_RULE: &str = "must have 1 to 200 visible ASCII characters and no spaces";

/// Whether a value of [`CAPABILITY`] has the shape of one.
pub fn is_capability(value: &str) -> bool {
    (1..=200).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Requests and replies: the body's format.
pub const CONTENT_TYPE: &str = "Content-Type";
/// W3C trace context.
pub const TRACEPARENT: &str = "traceparent";
/// Taken from the client or made at the edge; follows everything that the request causes.
pub const REQUEST_ID: &str = "X-Request-Id";

/// Replies that are errors: the stable code (NATS micro, ADR-32).
pub const SERVICE_ERROR: &str = "Nats-Service-Error";
/// Replies that are errors: the HTTP status of the error's kind (NATS micro, ADR-32).
pub const SERVICE_ERROR_CODE: &str = "Nats-Service-Error-Code";

/// CloudEvents attributes in binary mode.
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
/// Always `application/json`.
pub const CE_DATACONTENTTYPE: &str = "ce-datacontenttype";
/// 1, 2, 3 ... per entity.
pub const CE_ENTITYVERSION: &str = "ce-entityversion";
/// What caused it: a command's or an event's id.
pub const CE_CAUSATIONID: &str = "ce-causationid";
/// Era and position in the owner's log.
pub const CE_POSITION: &str = "ce-position";
