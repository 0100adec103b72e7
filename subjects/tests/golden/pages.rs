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
    assert!(known == today, "docs/{name} has drifted: make golden writes it anew");
}

const GENERATED: &str = "<!-- Made from the message types by `cargo test -p subjects`: do not edit by hand. -->";

fn of_domain<'a>(messages: &'a [MessageInfo], domain: &'a str) -> impl Iterator<Item = &'a MessageInfo> {
    messages.iter().filter(move |message| message.domain == domain)
}

/// Whoever has messages, in the order of the catalogue.
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
         Every query and command of the shop, as NATS sees it. Send one with `nats req <subject> '<json>'`: an answer has \
         the format of its request, JSON or MessagePack. [Headers](architecture.md#headers) carry the access token, the \
         command id and the deadline; [errors](errors.md) come back as a body with a stable code. Bytes of a sample \
         stand in `subjects/golden/<domain>/<operation>.<kind>.json` and `.msgpack`, of its answer in \
         `<reply>.reply.json` and `.msgpack`.\n\n\
         *Who*: a role needs an access token that names it; *capability* is the guest's cart token in `Souk-Capability`; \
         *internal* is refused to everybody but domains, the operator and, of revocations, whatever verifies tokens, by the rights of the NATS users; \
         *confirmed* commands are rejected with 503 while [revocations](architecture.md#revocations) cannot be read. *Stored*: \
         whether the answer to a command is kept for those who repeat it. What is not kept holds a secret, and running \
         it twice is harmless.\n"
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
         For those who consume its events, and for the operator, all internal; and what admins may ask of each of \
         them.\n\n\
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
         An event is a fact: it was committed before anybody hears of it. It is stored in the stream of its domain \
         (`ORDERS`, `PAYMENTS`, ...) under `evt.<domain>.<event>.<partition>`, as JSON. The partition is FNV-1a-32 over \
         the entity's id as lower-case hyphenated text, modulo {partitions}. The same fact goes, unstored, to \
         `ntf.<domain>.<entity id>` for whoever watches one entity now.\n\n\
         Headers (CloudEvents in binary mode): `ce-specversion` 1.0, `ce-id`, `ce-type` \
         (`souk.orders.placed`), `ce-source` (`/souk/orders`), `ce-subject` (the entity's id), `ce-time` (of the \
         commit), `ce-datacontenttype`, `ce-entityversion` (1, 2, 3 ... per entity, without a gap), `ce-causationid` \
         (what caused it: a command, an event, an effect), `ce-position` (era and transaction in the owner's log), and \
         `X-Request-Id` and `traceparent` where a request began it.\n\n\
         A consumer may get an event twice, late, or before an older one: `ce-id` tells a repeat, `ce-entityversion` \
         the order. Fields may be added; readers ignore what they do not know. The events of one entity share a \
         partition.\n\n\
         ```sh\n\
         nats sub 'evt.>'                       # everything that happens\n\
         nats sub 'evt.orders.>'                # ... to orders\n\
         nats sub 'ntf.orders.<order id>'       # ... to one order\n\
         nats stream ls                         # the streams\n\
         ```\n\n\
         *Reacts* names the domains that handle the event; watching it is open to everybody who may subscribe.\n"
    );
    for domain in domains(&registry) {
        let events: Vec<_> =
            of_domain(&registry, domain).filter(|message| message.kind == MessageKind::Event).collect();
        if events.is_empty() {
            let _ = write!(page, "\n## {domain}\n\nTells no events.\n");
            continue;
        }
        let _ = write!(page, "\n## {domain}\n\nStream `{}`.\n", subject::stream(domain));
        for event in events {
            let sample = goldens.event_sample(domain, event.name);
            let words = sources::words_above(domain, event.message);
            let reacts = reactions
                .get(event.message)
                .map_or_else(|| "nobody".to_owned(), |domains| domains.iter().cloned().collect::<Vec<_>>().join(", "));
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

/// A failure that no domain's enum names: who says it, and when.
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

const OUTSIDE: [Outside; 33] = [
    outside("malformed_body", K::Malformed, BOTH, "The body is not JSON (or MessagePack), or did not arrive whole."),
    outside("malformed_request", K::Malformed, GATEWAY, "The request could not be read in some other way."),
    outside(
        "invalid_query",
        K::Malformed,
        GATEWAY,
        "A query parameter is not valid, not known, given more than once, or no text; `details` names it.",
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
    outside("invalid_cursor", K::Malformed, DOMAIN, "Of a list of dead letters: the cursor is not one of ours."),
    outside(
        "retention_too_short",
        K::Invalid,
        DOMAIN,
        "Of `souk trim`: the log is kept for as long as the stream keeps events.",
    ),
    outside("unauthenticated", K::Unauthenticated, BOTH, "No access token, and the operation needs one."),
    outside(
        "invalid_token",
        K::Unauthenticated,
        BOTH,
        "The access token is not one of ours that is valid now; a revoked one is not.",
    ),
    outside("forbidden", K::Forbidden, BOTH, "The token's role may not do this."),
    outside("not_found", K::NotFound, GATEWAY, "A part of the path cannot be an id of anything."),
    outside("route_not_found", K::NotFound, GATEWAY, "There is nothing at this path."),
    outside("unknown_operation", K::NotFound, DOMAIN, "The domain has no such operation."),
    outside(
        "dead_letter_not_found",
        K::NotFound,
        DOMAIN,
        "The domain has parked no such event or effect, or not any more.",
    ),
    outside("method_not_allowed", K::Malformed, GATEWAY, "The path has no such method; `Allow` names those it has."),
    outside("body_timeout", K::Malformed, GATEWAY, "The body did not arrive within 10 s."),
    outside(
        "command_in_progress",
        K::Conflict,
        DOMAIN,
        "The same command is still running, and the caller's time is over.",
    ),
    outside("unknown_event", K::Conflict, DOMAIN, "The node has no handler for the event that shall be redriven."),
    outside("unknown_effect", K::Conflict, DOMAIN, "The node cannot perform the effect that shall be redriven."),
    outside("body_too_large", K::TooLarge, GATEWAY, "More than 1,000,000 bytes."),
    outside("request_too_large", K::TooLarge, BOTH, "With its headers it does not fit into a message."),
    outside(
        "unsupported_media_type",
        K::UnsupportedMediaType,
        BOTH,
        "HTTP takes application/json; NATS also application/msgpack. Text is UTF-8.",
    ),
    outside(
        "invalid_body",
        K::Invalid,
        BOTH,
        "A field is missing, mistyped, repeated, null or out of range; `details` names its path.",
    ),
    outside("unknown_field", K::Invalid, GATEWAY, "The body has a field that is not known; over NATS it is ignored."),
    outside("command_id_reused", K::Invalid, DOMAIN, "The command id or `Idempotency-Key` was used with another body."),
    outside("internal", K::Internal, BOTH, "A defect on our side. The log has the reason, under the request id."),
    outside("overloaded", K::Unavailable, BOTH, "There is more work than can be done in time."),
    outside(
        "contended",
        K::Unavailable,
        DOMAIN,
        "What the command relied on changed three times while it was prepared.",
    ),
    outside(
        "unavailable",
        K::Unavailable,
        BOTH,
        "No node answers for the domain, or its database is away; of a command that needs confirmed rights also: identity does not answer.",
    ),
    outside("not_ready", K::Unavailable, GATEWAY, "`/health/ready` only; `details` names what is missing."),
    outside("too_many_streams", K::Unavailable, GATEWAY, "More orders are followed than the gateway allows."),
];

// Apart, for its kind is the last of all.
const DEADLINE: Outside = outside(
    "deadline_exceeded",
    K::Deadline,
    BOTH,
    "No answer in time. A command may still take effect: repeat it by its id.",
);

/// docs/errors.md
pub fn errors() -> String {
    check_service_errors_are_complete();
    let mut page = format!(
        "# Errors\n\n{GENERATED}\n\n\
         Whatever fails answers with one shape:\n\n\
         ```json\n{}\n```\n\n\
         `code` is stable and made for programs, `message` for people. `service` is the domain that answered, or \
         `gateway`. The *kind* comes from a closed list and fixes the status. Over NATS the body also carries `kind`, \
         and `refusal` with the domain's own error, from which a caller gets it back as itself; the headers \
         `Nats-Service-Error` and `Nats-Service-Error-Code` carry code and status. 429 and 503 come with `Retry-After`.\n\n\
         A *refusal* (below, by domain) of a command is an answer: stored with the command's id for 7 days, so that a repeat \
         gets it again. Of kind `malformed` or `invalid` it is not stored: correct the body and send it with the same id; \
         nor is a 401, after which the caller comes back with another token. \
         Nothing else is stored either: after 503 or 504 send the same request with the same id (`Idempotency-Key` over HTTP, \
         `Souk-Command-Id` over NATS), and it has one effect all the same.\n\n\
         ## Absent, null, wrong\n\n\
         A body is read by the same rules over HTTP and NATS, as JSON and as MessagePack:\n\n\
         - In a change (`PATCH`, `PUT`), an absent field stays as it is and null clears it. A field that cannot be empty \
         does not take null. Everywhere else null is the same as absent: an optional field may be null, a required one may \
         not. The OpenAPI document says `nullable` where null is allowed.\n\
         - An enum is a string, an id is a UUID, an object is not an array. No key is given twice. No text contains NUL.\n\
         - `field` is the path from the body's root, such as `items[0].quantity`; `body` is the body itself. Over NATS the \
         root is the message, in which the body of HTTP is a field: `changes.compare_price`.\n\n\
         ## Kinds\n\n| Kind | Status |\n| --- | --- |\n",
        shape(),
    );
    for &kind in ErrorKind::ALL {
        let _ = writeln!(page, "| {} | {} |", label(kind), kind.status());
    }
    page.push_str(
        "\n## What every operation may answer\n\n| Code | Status | Kind | By | When |\n| --- | --- | --- | --- | --- |\n",
    );
    for error in OUTSIDE.iter().chain([&DEADLINE]) {
        // The one status that no kind has: it belongs to HTTP.
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
         Every entry of `details` has a `code` from this list, made for programs, and `params`, of which its `message` is made: \
         a client that speaks another language translates by them.\n\n\
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

/// What `details` of a sample says, without what only samples hold.
fn outline(details: &[Detail]) -> String {
    if details.iter().any(|detail| samples::fields().iter().any(|wrong| wrong.field == detail.field)) {
        return "the wrong fields".into();
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

/// Every code that the runtime, the contract or the gateway spells is on the page, with its kind, and no other.
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
        assert!(spelled.iter().any(|(code, _)| code == error.code), "nobody says {} any more", error.code);
    }
}
