//! A request, as far as its headers tell.

use std::time::{Duration, Instant};

use async_nats::Message;
use contract::{ErrorKind, Fault, Format, header};
use uuid::Uuid;

/// How long a caller is taken to wait who does not say.
const DEFAULT_DEADLINE: Duration = Duration::from_secs(5);
const MAX_DEADLINE: Duration = Duration::from_secs(60);

/// A request, as far as its headers tell.
pub(crate) struct Asked {
    pub(super) message: Message,
    pub(super) format: Format,
    pub(super) deadline: Instant,
    pub(super) request_id: Option<String>,
    pub(super) traceparent: Option<String>,
}

impl Asked {
    pub(super) fn read(message: Message) -> Self {
        let get = |name: &str| message.headers.as_ref().and_then(|h| h.get(name)).map(|v| v.as_str().to_owned());
        let patience = get(header::DEADLINE_MS)
            .and_then(|text| text.parse().ok())
            .map_or(DEFAULT_DEADLINE, |ms: u64| Duration::from_millis(ms).min(MAX_DEADLINE));
        let declared = get(header::CONTENT_TYPE);
        // What is not a format of ours is refused when it is read; the refusal itself is JSON.
        let format = Format::detect(declared.as_deref(), &message.payload).unwrap_or(Format::Json);
        let request_id = get(header::REQUEST_ID).filter(|id| id.len() <= 128);
        let traceparent = get(header::TRACEPARENT).filter(|text| text.len() <= 128);
        Self { format, deadline: Instant::now() + patience, request_id, traceparent, message }
    }

    /// What it takes to reject it. The reply subject is copied, for it shares its buffer with the payload.
    pub(super) fn without_body(mut self) -> Self {
        self.message.reply = self.message.reply.map(|reply| reply.as_str().to_owned().into());
        self.message.payload = bytes::Bytes::new();
        self.message.headers = None;
        self
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.message.headers.as_ref()?.get(name).map(async_nats::HeaderValue::as_str)
    }

    /// The id by which the caller may repeat a command.
    pub(super) fn command_id(&self) -> Result<Option<Uuid>, Fault> {
        self.header(header::COMMAND_ID).map(str::parse).transpose().map_err(|_| {
            let text = "The header Souk-Command-Id must be a UUID.";
            Fault::new(ErrorKind::Malformed, "invalid_command_id", text)
        })
    }

    pub(super) fn decode<T>(
        &self,
        decode: impl FnOnce(Format, &[u8]) -> Result<T, contract::DecodeError>,
    ) -> Result<T, Fault> {
        let format = Format::detect(self.header(header::CONTENT_TYPE), &self.message.payload)?;
        Ok(decode(format, &self.message.payload)?)
    }
}

/// Inboxes of any user: `_INBOX.>` or `_INBOX_<user>.>`.
pub(super) fn is_inbox(subject: &str) -> bool {
    let token = subject.split('.').next().unwrap_or_default();
    token == "_INBOX" || token.starts_with("_INBOX_")
}

#[cfg(test)]
mod tests {
    use super::is_inbox;

    /// Scenario 18: which subjects are inboxes.
    #[test]
    fn answers_go_to_inboxes_only() {
        assert!(is_inbox("_INBOX.abc.1") && is_inbox("_INBOX_orders.abc.1"));
        for subject in ["evt.orders.placed.7", "$JS.API.STREAM.PURGE.ORDERS", "_INBOXES.x", "req.orders.get"] {
            assert!(!is_inbox(subject), "{subject}");
        }
    }
}
