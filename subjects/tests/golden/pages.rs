//! Pages of docs/ that are made from the messages.

use std::fmt::Write;

use contract::{Answer, Detail, DetailCode, ErrorBody, ErrorKind, subject};
use subjects::{MessageInfo, MessageKind, registry};

use crate::{
    goldens::{Goldens, snake_case},
    is_update, samples,
    sources::{self, root},
};

/// Compares a page with what is made today, or writes it.
pub fn check(name: &str, today: &str) {
    let path = root().join("docs").join(name);
    if is_update() {
        std::fs::write(&path, today).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(known == today, "docs/{name} is out of date: run make golden");
}

const GENERATED: &str = "<!-- Made from the message types by `cargo test -p subjects`: do not edit by hand. -->";

fn of_domain<'a>(messages: &'a [MessageInfo], domain: &'a str) -> impl Iterator<Item = &'a MessageInfo> {
    messages.iter().filter(move |message| message.domain == domain)
}

/// The domains that have messages, in the order of the registry.
fn domains(messages: &[MessageInfo]) -> Vec<&'static str> {
    let mut domains: Vec<_> = messages.iter().map(|message| message.domain).collect();
    domains.dedup();
    domains
}

/// docs/messages.md
pub fn messages() -> String {
    let registry = registry();
    let mut page = format!(
        "# Requests\n\n{GENERATED}\n\n\
         Every query and command of the shop over NATS. Send one with `nats req <subject> '<json>'`: the reply has the \
         format of the request, JSON or MessagePack. [Headers](architecture.md#headers) carry the access token, the \
         command id and the deadline; [errors](errors.md) are bodies with a stable code. A sample of each message is \
         in `subjects/golden/<domain>/<operation>.<kind>.json` and `.msgpack`, a sample of its reply in \
         `<reply>.reply.json` and `.msgpack`.\n\n\
         *Who*: a role requires an access token with that role; *capability* is the guest's cart token in \
         `Souk-Capability`; *internal* requests are permitted only to the domains that register them as calls, the \
         operator and, for revocations, the services that verify tokens, by the permissions of the NATS users; \
         *confirmed* commands are rejected with 503 while [revocations](architecture.md#revocations) cannot be read. \
         *Stored*: whether the answer to a command is stored for repeats. An answer that is not stored contains a \
         secret, and running the command twice is harmless.\n"
    );
    for domain in domains(&registry) {
        let _ = write!(page, "\n## {domain}\n\n{}\n\n", sources::words_about(domain));
        page.push_str("| Subject | Kind | Who | Reply | Stored | |\n| --- | --- | --- | --- | --- | --- |\n");
        for message in of_domain(&registry, domain).filter(|message| message.kind != MessageKind::Event) {
            let stored = match message.answer {
                Some(Answer::Kept) => "yes",
                Some(Answer::Secret) => "no",
                None => "",
            };
            let (mut access, reply) = (message.access.clone().unwrap_or_default(), message.reply.unwrap_or_default());
            if message.is_sensitive {
                access += ", confirmed";
            }
            let words = sources::words_above(domain, message.message);
            let (subject, kind) = (&message.subject, message.kind.as_str());
            let _ =
                writeln!(page, "| `{subject}` | {kind} | {access} | `{}` | {stored} | {words} |", snake_case(reply));
        }
    }
    page.push_str(
        "\n## What every domain answers\n\n\
         Operations for admins, and internal ones for the consumers of its events and for the operator.\n\n\
         | Subject | |\n| --- | --- |\n",
    );
    for (module, is_internal) in [("guarded", false), ("internal", true)] {
        for (operation, words) in sources::common_operations(module) {
            let _ = writeln!(page, "| `{}` | {words} |", subject::request("<domain>", &operation, is_internal));
        }
    }
    page
}

/// docs/events.md
pub fn events(goldens: &Goldens) -> String {
    let registry = registry();
    let reactions = sources::reactions();
    let partitions = subject::PARTITIONS;
    let mut page = format!(
        "# Events\n\n{GENERATED}\n\n\
         An event is a fact: it is published only after it was committed. It is stored in the stream of its domain \
         (`ORDERS`, `PAYMENTS`, ...) under `evt.<domain>.<event>.<partition>`, as JSON. The partition is FNV-1a-32 \
         over the entity's id as lower-case hyphenated text, modulo {partitions}. A notice of the event is published \
         to `ntf.<domain>.<entity id>`, not stored, for clients that follow one entity.\n\n\
         Headers (CloudEvents in binary mode): `ce-specversion` 1.0, `ce-id`, `ce-type` (`souk.orders.placed`), \
         `ce-source` (`/souk/orders`), `ce-subject` (the entity's id), `ce-time` (of the commit), and one header for \
         the rest:\n\n\
         ```text\nSouk-Event: version=3;position=1764480000000000.812;cause=0198f000-0000-7000-8000-000000000001\n\
         ```\n\n\
         | Key | |\n| --- | --- |\n\
         | `version` | The version of the entity: 1, 2, 3 ..., without a gap |\n\
         | `position` | Epoch and transaction id in the owner's log |\n\
         | `cause` | The id of its cause: a command, an event or an effect |\n\
         | `trace` | The `traceparent` of the request that caused it, if any |\n\
         | `request` | The `X-Request-Id` of that request, if any. It comes last and extends to the end of the header: \
         it may contain a semicolon |\n\n\
         Keys may be added before `request`; readers ignore unknown ones. There is no `Nats-Msg-Id`.\n\n\
         A consumer may receive an event twice, late, or before an older one: `ce-id` identifies repeats, \
         `version` gives the order. Fields may be added; readers ignore unknown fields. The events of one \
         entity share a partition.\n\n\
         ```sh\n\
         nats sub 'evt.>'                       # all events\n\
         nats sub 'evt.orders.>'                # events of orders\n\
         nats sub 'ntf.orders.<order id>'       # notices of one order\n\
         nats stream ls                         # the streams\n\
         ```\n\n\
         *Reacts* names the domains that handle the event. Every user that may subscribe can receive it.\n"
    );
    for domain in domains(&registry) {
        let events: Vec<_> =
            of_domain(&registry, domain).filter(|message| message.kind == MessageKind::Event).collect();
        if events.is_empty() {
            let _ = write!(page, "\n## {domain}\n\nEmits no events.\n");
            continue;
        }
        let _ = write!(page, "\n## {domain}\n\nStream `{}`.\n", subject::stream(domain));
        for event in events {
            let sample = goldens.event_sample(domain, event.name);
            let words = sources::words_above(domain, event.message);
            let reacts = reactions
                .get(event.message)
                .map_or_else(|| "none".to_owned(), |domains| domains.iter().cloned().collect::<Vec<_>>().join(", "));
            let _ = write!(
                page,
                "\n### {domain}.{}\n\n{words}\n\nSubject `{}` · entity `{}` · reacts: {reacts}\n\n\
                 ```json\n{}\n```\n",
                event.name,
                event.subject.replace(".*", ".<partition>"),
                sample.entity,
                sample.text,
            );
        }
    }
    page
}

/// A service error: the component that returns it, and when.
struct Outside {
    code: &'static str,
    kind: ErrorKind,
    by: &'static str,
    when: &'static str,
}

const DOMAIN: &str = "domain";
const BOTH: &str = "domain, gateway";
const GATEWAY: &str = "gateway";

use ErrorKind as K;

const fn outside(code: &'static str, kind: ErrorKind, by: &'static str, when: &'static str) -> Outside {
    Outside { code, kind, by, when }
}

const OUTSIDE: [Outside; 36] = [
    outside(
        "malformed_body",
        K::Malformed,
        BOTH,
        "The body is not JSON (or MessagePack), or did not arrive completely.",
    ),
    outside("malformed_request", K::Malformed, GATEWAY, "The request could not be read for another reason."),
    outside(
        "invalid_query",
        K::Malformed,
        GATEWAY,
        "A query parameter is not valid, not known, given more than once, or not text; `details` names it.",
    ),
    outside(
        "invalid_header",
        K::Malformed,
        BOTH,
        "A header is not valid, or given more than once; `details` names it.",
    ),
    outside("invalid_idempotency_key", K::Malformed, GATEWAY, "Not 1 to 255 visible characters."),
    outside("idempotency_key_required", K::Malformed, GATEWAY, "The operation needs an `Idempotency-Key`."),
    outside("invalid_command_id", K::Malformed, DOMAIN, "`Souk-Command-Id` is not a UUID."),
    outside(
        "invalid_cursor",
        K::Malformed,
        BOTH,
        "In a list of dead letters or of the audit log: the cursor is not valid.",
    ),
    outside(
        "retention_too_short",
        K::Invalid,
        DOMAIN,
        "By `souk trim`: the log must be kept at least as long as the events in the stream.",
    ),
    outside("trim_in_progress", K::Conflict, DOMAIN, "By `souk trim`: another trim of the log is running."),
    outside("unauthenticated", K::Unauthenticated, BOTH, "The operation requires an access token."),
    outside("invalid_token", K::Unauthenticated, BOTH, "The access token is not valid: forged, expired or revoked."),
    outside("forbidden", K::Forbidden, BOTH, "The role of the access token does not permit the operation."),
    outside("not_found", K::NotFound, GATEWAY, "A part of the path is not a valid id."),
    outside("route_not_found", K::NotFound, GATEWAY, "The path does not exist."),
    outside("unknown_operation", K::NotFound, DOMAIN, "The domain has no such operation."),
    outside("dead_letter_not_found", K::NotFound, DOMAIN, "The domain has no such dead letter, or not any more."),
    outside(
        "method_not_allowed",
        K::Malformed,
        GATEWAY,
        "The path does not support the method; `Allow` lists those that it supports.",
    ),
    outside("body_timeout", K::Malformed, GATEWAY, "The body did not arrive within 10 s."),
    outside("command_in_progress", K::Conflict, DOMAIN, "The same command is still running at the caller's deadline."),
    outside("unknown_event", K::Conflict, DOMAIN, "The node has no handler for the event to redrive."),
    outside("unknown_effect", K::Conflict, DOMAIN, "The node has no handler for the effect to redrive."),
    outside("body_too_large", K::TooLarge, GATEWAY, "More than 1,000,000 bytes."),
    outside("request_too_large", K::TooLarge, BOTH, "The request with its headers does not fit into a message."),
    outside(
        "unsupported_media_type",
        K::UnsupportedMediaType,
        BOTH,
        "HTTP accepts application/json, NATS also application/msgpack, in UTF-8.",
    ),
    outside(
        "invalid_body",
        K::Invalid,
        BOTH,
        "A field is missing, mistyped, repeated, null or out of range; `details` names its path.",
    ),
    outside("unknown_field", K::Invalid, GATEWAY, "The body has a field that is not known; over NATS it is ignored."),
    outside("command_id_reused", K::Invalid, DOMAIN, "The command id or `Idempotency-Key` was used with another body."),
    outside(
        "rate_limited",
        K::TooMany,
        GATEWAY,
        "More requests of the address or the account than [its limit](operations.md#rate-limits) admits; `details` has \
         the seconds of `Retry-After`.",
    ),
    outside("internal", K::Internal, BOTH, "An internal error. The log has the reason, under the request id."),
    outside("overloaded", K::Unavailable, BOTH, "More requests than can be served in time."),
    outside(
        "contended",
        K::Unavailable,
        DOMAIN,
        "The data that the command depends on changed three times while it was prepared.",
    ),
    outside(
        "unavailable",
        K::Unavailable,
        BOTH,
        "The domain has no node, or its database is down; for a command that requires confirmed rights, \
         also if identity does not answer.",
    ),
    outside(
        "external_unavailable",
        K::Unavailable,
        DOMAIN,
        "An external system that the operation calls, such as the payment provider, did not answer.",
    ),
    outside("not_ready", K::Unavailable, GATEWAY, "Only from `/health/ready`; `details` names what is missing."),
    outside(
        "too_many_streams",
        K::Unavailable,
        GATEWAY,
        "More orders, or stocks of variants, are being followed than the gateway permits.",
    ),
];

// Separate, because its kind is the last one.
const DEADLINE: Outside = outside(
    "deadline_exceeded",
    K::Deadline,
    BOTH,
    "No reply in time. A command may still take effect: repeat it with the same id.",
);

/// docs/errors.md
pub fn errors() -> String {
    check_service_errors_are_complete();
    let mut page = format!(
        "# Errors\n\n{GENERATED}\n\n\
         All errors have the same shape:\n\n\
         ```json\n{}\n```\n\n\
         `code` is stable, for programs; `message` is for people. `service` is the domain that replied, or `gateway`. \
         The *kind* comes from a closed list and determines the status. Over NATS the body also has `kind`, and \
         `domain_error` with the domain error, from which a client restores the typed error; the headers \
         `Nats-Service-Error` and `Nats-Service-Error-Code` have the code and the status. 429 and 503 come with \
         `Retry-After`.\n\n\
         A *domain error* (below, by domain) is an answer. For a command it is stored with the command id for 7 days, \
         and a repeat gets it again. Errors of the kinds `malformed` and `invalid` are not stored: correct the body \
         and send it with the same id. Neither are 401s: send the command with another token. No other error is \
         stored: after 503 or 504 send the same request with the same id (`Idempotency-Key` over HTTP, \
         `Souk-Command-Id` over NATS), and the command has one effect.\n\n\
         ## Absent, null, wrong\n\n\
         The same rules apply to bodies over HTTP and NATS, in JSON and in MessagePack:\n\n\
         - In a change (`PATCH`, `PUT`), an absent field stays unchanged and null clears it. A field that cannot be \
         empty rejects null. Everywhere else null is the same as absent: an optional field may be null, a required one \
         may not. The OpenAPI document says `nullable` where null is allowed.\n\
         - An enum is a string, an id is a UUID, an object is not an array. Duplicate keys are rejected. Text must \
         not contain NUL.\n\
         - `field` is the path from the root of the body, such as `items[0].quantity`; `body` is the body itself. Over \
         NATS the root is the message, in which the HTTP body is a field: `changes.compare_price`.\n\n\
         ## Kinds\n\n| Kind | Status |\n| --- | --- |\n",
        shape(),
    );
    for &kind in ErrorKind::ALL {
        let _ = writeln!(page, "| {} | {} |", label(kind), kind.status());
    }
    page.push_str(
        "\n## What every operation may answer\n\n| Code | Status | Kind | By | When |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for error in OUTSIDE.iter().chain([&DEADLINE]) {
        // Statuses of HTTP only, which no kind has.
        let status = match error.code {
            "method_not_allowed" => 405,
            "body_timeout" => 408,
            _ => error.kind.status(),
        };
        let (code, by, when) = (error.code, error.by, error.when);
        let _ = writeln!(page, "| `{code}` | {status} | {} | {by} | {when} |", label(error.kind));
    }
    page.push_str(
        "\n## What is wrong with a field\n\n\
         Every entry of `details` has a `code` from this list, for programs, and the `params` of its `message`: a \
         client in another language translates by them.\n\n\
         | Code | Params | The field |\n| --- | --- | --- |\n",
    );
    for (code, params, meaning) in DetailCode::ALL {
        let params: Vec<String> =
            params.split(", ").filter(|name| !name.is_empty()).map(|name| format!("`{name}`")).collect();
        let _ = writeln!(page, "| `{}` | {} |{meaning} |", code.as_str(), params.join(", "));
    }
    for (domain, bodies) in samples::domain_errors() {
        let _ = write!(page, "\n## {domain}\n\n| Code | Status | Kind | Text | Details |\n");
        page.push_str("| --- | --- | --- | --- | --- |\n");
        for ErrorBody { code, kind, message, details, .. } in bodies {
            let (status, kind, details) = (kind.status(), label(kind), outline(&details));
            let _ = writeln!(page, "| `{code}` | {status} | {kind} | {message} | {details} |");
        }
    }
    page
}

/// An error as HTTP shows it.
fn shape() -> String {
    #[derive(serde::Serialize)]
    struct Shape {
        success: bool,
        code: String,
        message: String,
        service: String,
        request_id: String,
        details: Vec<Detail>,
    }
    let error = subjects::carts::CartsError::OutOfStock { available: 3 };
    let body = ErrorBody::of_domain_error(&error, subjects::carts::DOMAIN, samples::REQUEST_ID);
    let ErrorBody { success, code, message, service, request_id, details, .. } = body;
    serde_json::to_string_pretty(&Shape { success, code, message, service, request_id, details }).unwrap()
}

/// Summarizes `details` of a sample, without values that only samples have.
fn outline(details: &[Detail]) -> String {
    if details.iter().any(|detail| samples::fields().iter().any(|wrong| wrong.field == detail.field)) {
        return "the invalid fields".into();
    }
    let outline = |detail: &Detail| {
        let is_id = detail.message.parse::<uuid::Uuid>().is_ok();
        if is_id { format!("`{}`", detail.field) } else { format!("`{}`: {}", detail.field, detail.message) }
    };
    details.iter().map(outline).collect::<Vec<_>>().join("; ")
}

fn label(kind: ErrorKind) -> String {
    serde_json::to_value(kind).unwrap().as_str().unwrap().to_owned()
}

/// Every code in the runtime, the contract or the gateway is on the page, with its kind, and no other.
fn check_service_errors_are_complete() {
    let spelled = sources::service_error_codes();
    let known: Vec<&Outside> = OUTSIDE.iter().chain([&DEADLINE]).collect();
    for (code, kind) in &spelled {
        let error = known.iter().find(|error| error.code == code);
        let error = error.unwrap_or_else(|| panic!("the code {code} is missing in subjects/tests/golden/pages.rs"));
        if let Some(kind) = kind {
            assert_eq!(*kind, format!("{:?}", error.kind), "the kind of {code}");
        }
    }
    for error in known {
        assert!(spelled.iter().any(|(code, _)| code == error.code), "{} is not returned any more", error.code);
    }
}
