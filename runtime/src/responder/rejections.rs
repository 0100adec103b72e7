//! Rejections: 503 for requests beyond the concurrency limit. One task sends them all, so that overload neither spawns
//! a task per request nor makes the responder wait for the connection. Of a rejected request only two headers are read,
//! and the reply is the same for all, encoded once.

use std::{sync::Arc, time::Instant};

use async_nats::{HeaderMap, Message, Subject};
use bytes::Bytes;
use contract::{Format, ServiceError};
use metrics::Counter;
use tokio::sync::mpsc;

use super::{Responder, incoming, reply::error_headers};

/// Capacity of the rejection queue.
const WAITING: usize = 4096;

/// What a rejection needs of its request.
struct Rejected {
    reply_to: Subject,
    format: Format,
    deadline: Instant,
}

impl Rejected {
    /// `None` if the request wants no reply.
    fn read(message: &Message) -> Option<Self> {
        // Copied, because the subject shares its buffer with the payload, which would wait with it.
        let reply_to = message.reply.as_ref()?.as_str().to_owned().into();
        let (format, deadline) = (incoming::format(message), incoming::deadline(message));
        Some(Self { reply_to, format, deadline })
    }
}

/// The sending half. When it is dropped, the task sends what is queued and ends.
pub(super) struct Rejections {
    queue: mpsc::Sender<Rejected>,
    queries: Counter,
    commands: Counter,
    dropped: Counter,
}

impl Rejections {
    fn new(domain: &'static str, queue: mpsc::Sender<Rejected>) -> Self {
        let rejected =
            |kind: &'static str| metrics::counter!("admission_rejected_total", "domain" => domain, "kind" => kind);
        let dropped = metrics::counter!("rejections_dropped_total", "domain" => domain);
        Self { queue, queries: rejected("query"), commands: rejected("command"), dropped }
    }

    /// Rejects a request: queues its rejection, or drops it if the queue is full.
    pub(super) fn reject(&self, message: &Message, is_command: bool) {
        if is_command { &self.commands } else { &self.queries }.increment(1);
        // Reserve a slot first: reading the headers of a request that cannot be answered would be wasted work.
        match self.queue.try_reserve() {
            Ok(slot) => {
                if let Some(rejected) = Rejected::read(message) {
                    slot.send(rejected);
                }
            }
            Err(_) => self.dropped.increment(1),
        }
    }
}

/// The reply to every rejected request of one format. Without the request's id, so that it is the same for all.
struct Ready {
    headers: HeaderMap,
    body: Bytes,
}

impl Ready {
    fn new(domain: &str, format: Format) -> Self {
        let body = ServiceError::overloaded(domain).body("");
        Self { headers: error_headers(format, &body), body: format.encode(&body).unwrap_or_default().into() }
    }
}

impl Responder {
    /// Starts the task. It is tracked, so a drain waits until the queue is sent.
    pub(super) fn answer_rejections(self: Arc<Self>) -> Rejections {
        let (sender, mut waiting) = mpsc::channel::<Rejected>(WAITING);
        let rejections = Rejections::new(self.domain, sender);
        let (responder, dropped) = (self.clone(), rejections.dropped.clone());
        self.tasks.spawn(async move {
            let (json, message_pack) =
                (Ready::new(responder.domain, Format::Json), Ready::new(responder.domain, Format::MessagePack));
            while let Some(Rejected { reply_to, format, deadline }) = waiting.recv().await {
                // After a connection loss, rejections may be queued for longer than their callers wait.
                if deadline <= Instant::now() {
                    dropped.increment(1);
                    continue;
                }
                let Ready { headers, body } = match format {
                    Format::Json => &json,
                    Format::MessagePack => &message_pack,
                };
                responder.publish(reply_to, headers.clone(), body.clone()).await;
            }
        });
        rejections
    }
}

#[cfg(test)]
mod tests {
    use contract::{ErrorBody, ErrorKind, header};

    use super::*;

    fn request(payload: &'static [u8]) -> Message {
        let (subject, reply) = ("req.things.get".into(), Some("_INBOX.1".into()));
        let mut headers = HeaderMap::new();
        headers.insert("souk-deadline-ms", "60000");
        let payload = Bytes::from_static(payload);
        Message { subject, reply, payload, headers: Some(headers), status: None, description: None, length: 0 }
    }

    #[test]
    fn a_rejection_waits_without_its_request_and_is_dropped_where_there_is_no_room() {
        let (sender, mut waiting) = mpsc::channel(1);
        let rejections = Rejections::new("things", sender);
        rejections.reject(&request(b"{}"), false);
        rejections.reject(&request(b"\x81\xa1a\x01"), false);
        let Rejected { reply_to, format, deadline } = waiting.try_recv().unwrap();
        assert_eq!((reply_to.as_str(), format), ("_INBOX.1", Format::Json));
        assert!(deadline > Instant::now() + std::time::Duration::from_secs(30));
        assert!(waiting.try_recv().is_err());
        rejections.reject(&request(b"\x81\xa1a\x01"), true);
        assert_eq!(waiting.try_recv().unwrap().format, Format::MessagePack);
        // One that cannot be answered takes no room.
        rejections.reject(&Message { reply: None, ..request(b"{}") }, false);
        rejections.reject(&request(b"{}"), false);
        assert!(waiting.try_recv().is_ok());
    }

    #[test]
    fn the_ready_made_reply_is_an_error_reply_like_any_other() {
        for format in [Format::Json, Format::MessagePack] {
            let Ready { headers, body } = Ready::new("things", format);
            let value = |name| headers.get(name).unwrap().as_str();
            assert_eq!(value(header::CONTENT_TYPE), format.content_type());
            assert_eq!((value(header::SERVICE_ERROR), value(header::SERVICE_ERROR_CODE)), ("overloaded", "503"));
            let body: ErrorBody = format.decode(&body).unwrap();
            assert_eq!((body.kind, body.service.as_str()), (ErrorKind::Unavailable, "things"));
        }
    }
}
