//! Events as messages: the headers and the body with which an event is published.

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use contract::{EventHead, subject};

use crate::{
    api::tx::EmittedEvent,
    log::event_log::{LoggedCommit, head},
};

/// An event as it is published.
#[derive(Debug, Clone)]
pub(crate) struct EventMessage {
    /// The subject under which it is stored in the stream.
    pub subject: String,
    /// The subject of its notice, which is not stored.
    pub notice: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Makes the messages of a domain.
pub(crate) struct Messages {
    domain: &'static str,
    /// The headers that all its events share, made once.
    shared: HeaderMap,
}

impl Messages {
    pub(crate) fn new(domain: &'static str) -> Self {
        let mut shared = HeaderMap::new();
        put(&mut shared, EventHead::shared_headers(domain));
        Self { domain, shared }
    }

    /// The message of an event of a commit.
    pub(crate) fn of(&self, commit: &LoggedCommit, event: &EmittedEvent) -> EventMessage {
        let mut headers = self.shared.clone();
        put(&mut headers, head(self.domain, commit.position, commit.at, event).headers());
        EventMessage {
            subject: subject::event(self.domain, &event.name, event.entity),
            notice: subject::notice(self.domain, event.entity),
            headers,
            body: Bytes::copy_from_slice(event.data.get().as_bytes()),
        }
    }
}

fn put(headers: &mut HeaderMap, new: impl IntoIterator<Item = (&'static str, String)>) {
    for (name, value) in new {
        headers.insert(HeaderName::from_static(name), value);
    }
}

/// Reads the head of an event; `None` if the message is none.
pub(crate) fn head_of(headers: &HeaderMap) -> Option<EventHead> {
    EventHead::read(|name| headers.get(HeaderName::from_static(name)).map(HeaderValue::as_str))
}
