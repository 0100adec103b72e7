//! Receives the replies to all requests of a connection on one subscription. The request method of the client library
//! leaks its entry when it times out; here a guard removes it.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_nats::{HeaderMap, Message, connection::State};
use bytes::Bytes;
use futures::StreamExt;
use parking_lot::Mutex;
use tokio::sync::oneshot;

type Waiting = Mutex<HashMap<u64, oneshot::Sender<Message>>>;

pub(super) struct Inbox {
    connection: async_nats::Client,
    prefix: String,
    next: AtomicU64,
    waiting: Arc<Waiting>,
    reader: tokio::task::JoinHandle<()>,
}

/// The outcome of an attempt.
pub(super) enum Attempt<'a> {
    Answered(Message),
    /// No reply in time. It may still arrive.
    Unanswered(Pending<'a>),
    NotSent(async_nats::PublishError),
}

/// A reply that has not arrived.
pub(super) struct Pending<'a> {
    reply: oneshot::Receiver<Message>,
    _entry: Entry<'a>,
}

impl Pending<'_> {
    /// Waits for the reply.
    pub(super) async fn reply(self, timeout: Duration) -> Option<Message> {
        tokio::time::timeout(timeout, self.reply).await.ok()?.ok()
    }
}

/// RAII guard: dropping it removes the entry, however the request ends.
struct Entry<'a> {
    waiting: &'a Waiting,
    number: u64,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.waiting.lock().remove(&self.number);
    }
}

impl Inbox {
    pub(super) async fn open(connection: async_nats::Client) -> Result<Self, async_nats::SubscribeError> {
        let prefix = connection.new_inbox();
        let mut replies = connection.subscribe(format!("{prefix}.*")).await?;
        let waiting: Arc<Waiting> = Arc::default();
        let to = waiting.clone();
        let reader = tokio::spawn(async move {
            while let Some(message) = replies.next().await {
                let number = message.subject.rsplit('.').next().and_then(|token| token.parse().ok());
                let waiter = number.and_then(|n: u64| to.lock().remove(&n));
                if let Some(waiter) = waiter {
                    // Fails if the caller has stopped waiting.
                    drop(waiter.send(message));
                }
            }
        });
        Ok(Self { connection, prefix, next: AtomicU64::new(1), waiting, reader })
    }

    pub(super) fn connection(&self) -> &async_nats::Client {
        &self.connection
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection.connection_state() == State::Connected
    }

    /// Makes one attempt. The timeout includes sending, which can block while the connection is down.
    pub(super) async fn request(
        &self,
        subject: String,
        headers: HeaderMap,
        body: Bytes,
        timeout: Duration,
    ) -> Attempt<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().insert(number, sender);
        let entry = Entry { waiting: &self.waiting, number };
        let mut pending = Pending { reply: receiver, _entry: entry };
        let exchange = async {
            let reply_to = format!("{}.{number}", self.prefix);
            self.connection.publish_with_reply_and_headers(subject, reply_to, headers, body).await?;
            Ok((&mut pending.reply).await)
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(Ok(Ok(reply))) => Attempt::Answered(reply),
            Ok(Err(error)) => Attempt::NotSent(error),
            Ok(Ok(Err(_))) | Err(_) => Attempt::Unanswered(pending),
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
