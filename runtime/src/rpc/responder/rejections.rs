//! Rejections: 503 for requests beyond the concurrency limit. One task answers them all, so that overload neither
//! spawns a task per request nor makes the responder wait for the connection.

use std::{sync::Arc, time::Instant};

use async_nats::Message;
use contract::{ErrorKind, ServiceError};
use tokio::sync::mpsc;

use super::{IncomingRequest, Responder};

/// Capacity of the rejection queue. Queued rejections hold no payload, so many of them are cheap.
const WAITING: usize = 4096;

/// The sending half. When it is dropped, the task answers what is queued and ends.
pub(super) struct Rejections(mpsc::Sender<IncomingRequest>);

impl Rejections {
    /// Queues a rejection. Returns false if the queue is full.
    pub(super) fn offer(&self, message: Message) -> bool {
        // Reserve a slot first: parsing the headers of a request that cannot be answered would be wasted work.
        self.0.try_reserve().map(|slot| slot.send(IncomingRequest::read(message).without_body())).is_ok()
    }
}

impl Responder {
    /// Starts the task. It is tracked, so a drain waits until the queue is sent.
    pub(super) fn answer_rejections(self: Arc<Self>) -> Rejections {
        let (sender, mut waiting) = mpsc::channel::<IncomingRequest>(WAITING);
        let responder = self.clone();
        self.tasks.spawn(async move {
            let text = "The service is overloaded. Try again.";
            let error = ServiceError::new(ErrorKind::Unavailable, "overloaded", text).of(responder.domain);
            while let Some(incoming) = waiting.recv().await {
                // After a connection loss, rejections may be queued for longer than their callers wait.
                if incoming.deadline <= Instant::now() {
                    metrics::counter!("rejections_dropped_total", "domain" => responder.domain).increment(1);
                    continue;
                }
                responder.send(&incoming, error.clone().into()).await;
            }
        });
        Rejections(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(payload: &'static str) -> Message {
        let (subject, reply) = ("req.things.get".into(), Some("_INBOX.1".into()));
        let payload = payload.into();
        Message { subject, reply, payload, headers: None, status: None, description: None, length: 0 }
    }

    #[test]
    fn a_rejection_waits_without_its_body_and_is_dropped_where_there_is_no_room() {
        let (sender, mut waiting) = mpsc::channel(1);
        let rejections = Rejections(sender);
        assert!(rejections.offer(request("{}")));
        assert!(!rejections.offer(request("{}")));
        let incoming = waiting.try_recv().unwrap();
        assert_eq!(incoming.message.reply.as_deref(), Some("_INBOX.1"));
        assert!(incoming.message.payload.is_empty());
        assert!(rejections.offer(request("{}")));
    }
}
