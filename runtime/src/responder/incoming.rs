//! An incoming request: its headers, parsed and validated.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use async_nats::{HeaderMap, HeaderValue, Message};
use contract::{DecodeError, Detail, ErrorKind, Format, ServiceError, header};
use uuid::Uuid;

use crate::api::caller::secret_digest;

/// The timeout of a request without a deadline header.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);
const MAX_DEADLINE: Duration = Duration::from_secs(60);

/// The headers that decide how a request is handled. A request that repeats one of them is rejected.
const SINGLE: [&str; 6] = [
    header::AUTHORIZATION,
    header::CAPABILITY,
    header::CLIENT_ADDRESS,
    header::COMMAND_ID,
    header::CONTENT_TYPE,
    header::DEADLINE_MS,
];

/// An incoming request with its parsed headers.
pub(crate) struct IncomingRequest {
    pub(super) message: Message,
    pub(crate) format: Format,
    pub(super) deadline: Instant,
    /// The digest of the capability.
    pub(super) capability: Option<Uuid>,
    pub(super) client_address: Option<IpAddr>,
    pub(super) request_id: Option<String>,
    pub(super) traceparent: Option<String>,
}

impl IncomingRequest {
    pub(super) fn read(message: Message) -> Self {
        let get = |name: &str| values(message.headers.as_ref(), name).next();
        let capability = get(header::CAPABILITY).map(secret_digest);
        let client_address = get(header::CLIENT_ADDRESS).and_then(|address| address.parse().ok());
        let request_id = get(header::REQUEST_ID).filter(|id| header::is_request_id(id)).map(str::to_owned);
        let traceparent = get(header::TRACEPARENT).filter(|text| header::is_traceparent(text)).map(str::to_owned);
        let (format, deadline) = (format(&message), deadline(&message));
        Self { format, deadline, capability, client_address, request_id, traceparent, message }
    }

    /// Rejects repeated headers, a malformed capability or client address, and a deadline that is not a number.
    pub(super) fn check(&self) -> Result<(), ServiceError> {
        for name in SINGLE {
            if values(self.message.headers.as_ref(), name).nth(1).is_some() {
                return Err(invalid_header(Detail::repeated(name)));
            }
        }
        if self.header(header::CAPABILITY).is_some_and(|secret| !header::is_capability(secret)) {
            return Err(invalid_header(Detail::format(header::CAPABILITY, "visible", header::CAPABILITY_RULE)));
        }
        if self.header(header::CLIENT_ADDRESS).is_some() && self.client_address.is_none() {
            return Err(invalid_header(Detail::format(header::CLIENT_ADDRESS, "address", "must be an IP address")));
        }
        match self.header(header::DEADLINE_MS) {
            Some(text) if milliseconds(text).is_none() => {
                let message = "must be a number of milliseconds";
                Err(invalid_header(Detail::format(header::DEADLINE_MS, "milliseconds", message)))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        values(self.message.headers.as_ref(), name).next()
    }

    /// The command id, under which the caller may repeat the command.
    pub(super) fn command_id(&self) -> Result<Option<Uuid>, ServiceError> {
        self.header(header::COMMAND_ID).map(str::parse).transpose().map_err(|_| {
            let text = "The header Souk-Command-Id must be a UUID.";
            ServiceError::new(ErrorKind::Malformed, "invalid_command_id", text).about(Detail::uuid(header::COMMAND_ID))
        })
    }

    pub(super) fn decode<T>(
        &self,
        decode: impl FnOnce(Format, &[u8]) -> Result<T, DecodeError>,
    ) -> Result<T, ServiceError> {
        let format = Format::detect(self.header(header::CONTENT_TYPE), &self.message.payload)?;
        Ok(decode(format, &self.message.payload)?)
    }
}

/// The format of the reply. `decode` rejects an unsupported one; that rejection is written as JSON.
pub(super) fn format(message: &Message) -> Format {
    let declared = values(message.headers.as_ref(), header::CONTENT_TYPE).next();
    Format::detect(declared, &message.payload).unwrap_or(Format::Json)
}

/// When the caller stops waiting. `check` rejects a deadline that is not a number; the default applies to that
/// rejection.
pub(super) fn deadline(message: &Message) -> Instant {
    let declared = values(message.headers.as_ref(), header::DEADLINE_MS).next().and_then(milliseconds);
    Instant::now() + declared.map_or(DEFAULT_DEADLINE, |timeout| timeout.min(MAX_DEADLINE))
}

/// The values of a header. As in HTTP, names are compared case-insensitively.
fn values<'a>(headers: Option<&'a HeaderMap>, name: &str) -> impl Iterator<Item = &'a str> {
    let named = headers.into_iter().flat_map(HeaderMap::iter).filter(move |(key, _)| {
        let key: &str = key.as_ref();
        key.eq_ignore_ascii_case(name)
    });
    named.flat_map(|(_, values)| values.iter().map(HeaderValue::as_str))
}

fn milliseconds(text: &str) -> Option<Duration> {
    text.parse().ok().map(Duration::from_millis)
}

fn invalid_header(detail: Detail) -> ServiceError {
    ServiceError::new(ErrorKind::Malformed, "invalid_header", "A header is not valid.").about(detail)
}

/// Whether a subject is the inbox of any user: `_INBOX.>` or `_INBOX_<user>.>`.
pub(super) fn is_inbox(subject: &str) -> bool {
    let token = subject.split('.').next().unwrap_or_default();
    token == "_INBOX" || token.starts_with("_INBOX_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incoming(headers: &[(&str, &str)]) -> IncomingRequest {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, *value);
        }
        IncomingRequest::read(Message {
            subject: "req.things.get".into(),
            reply: None,
            payload: bytes::Bytes::new(),
            headers: Some(map),
            status: None,
            description: None,
            length: 0,
        })
    }

    fn rejected(headers: &[(&str, &str)]) -> (String, String) {
        let error = incoming(headers).check().unwrap_err();
        (error.code, error.details[0].field.clone())
    }

    #[test]
    fn a_header_is_found_in_any_case() {
        for name in ["Souk-Command-Id", "souk-command-id", "SOUK-COMMAND-ID"] {
            assert_eq!(
                incoming(&[(name, "00000000-0000-0000-0000-000000000007")]).command_id(),
                Ok(Some(Uuid::from_u128(7)))
            );
        }
        assert_eq!(incoming(&[("content-type", "application/msgpack")]).format, Format::MessagePack);
        assert_eq!(incoming(&[("x-request-id", "mine")]).request_id.as_deref(), Some("mine"));
        assert!(incoming(&[("souk-deadline-ms", "60000")]).deadline > Instant::now() + Duration::from_secs(30));
    }

    #[test]
    fn a_deadline_that_is_no_number_is_malformed() {
        for text in ["soon", "", "-1", "1.5", "99999999999999999999999"] {
            let (code, field) = rejected(&[("Souk-Deadline-Ms", text)]);
            assert_eq!((code.as_str(), field.as_str()), ("invalid_header", "Souk-Deadline-Ms"), "{text}");
        }
        assert_eq!(incoming(&[("Souk-Deadline-Ms", "250")]).check(), Ok(()));
        assert_eq!(incoming(&[]).check(), Ok(()));
    }

    #[test]
    fn a_capability_is_read_as_its_digest_and_has_a_shape() {
        assert_eq!(incoming(&[("souk-capability", "cart_x")]).capability, Some(secret_digest("cart_x")));
        assert_eq!(incoming(&[("Souk-Capability", &"x".repeat(200))]).check(), Ok(()));
        for wrong in ["", &"x".repeat(201), "cart x", "cart\tx", "cart_\u{e9}", "cart_\u{7f}"] {
            assert_eq!(rejected(&[("Souk-Capability", wrong)]), ("invalid_header".into(), "Souk-Capability".into()));
        }
    }

    #[test]
    fn a_client_address_is_an_ip_address() {
        let of = |text| incoming(&[("souk-client-address", text)]).client_address;
        assert_eq!(of("2001:db8::7"), "2001:db8::7".parse().ok());
        assert_eq!(incoming(&[]).client_address, None);
        for wrong in ["", "203.0.113.7:80", "example.com", "203.0.113.7, 203.0.113.8"] {
            let (code, field) = rejected(&[("Souk-Client-Address", wrong)]);
            assert_eq!((code.as_str(), field.as_str()), ("invalid_header", "Souk-Client-Address"), "{wrong}");
        }
    }

    #[test]
    fn of_two_values_none_is_the_right_one() {
        for name in SINGLE {
            assert_eq!(rejected(&[(name, "1"), (name, "1")]), ("invalid_header".into(), name.into()));
            assert_eq!(rejected(&[(name, "1"), (&name.to_lowercase(), "1")]), ("invalid_header".into(), name.into()));
        }
        let error = incoming(&[("Souk-Command-Id", "7")]).command_id().unwrap_err();
        assert_eq!(error.details, [Detail::uuid("Souk-Command-Id")]);
    }

    /// Scenario 18: which subjects are inboxes.
    #[test]
    fn answers_go_to_inboxes_only() {
        assert!(is_inbox("_INBOX.abc.1") && is_inbox("_INBOX_orders.abc.1"));
        for subject in ["evt.orders.placed.7", "$JS.API.STREAM.PURGE.ORDERS", "_INBOXES.x", "req.orders.get"] {
            assert!(!is_inbox(subject), "{subject}");
        }
    }
}
