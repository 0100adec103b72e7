//! From the log to the stream: after the commit, one message per event, with a bounded window of unconfirmed ones. What
//! is not confirmed within its lease is swept by any node. The rows decide: a
//! message that is sent twice is two messages, and readers go by `ce-id`.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use contract::{Position, subject};
use sqlx::Row;
use tokio::sync::{Semaphore, mpsc};
use uuid::Uuid;

use crate::{
    database::Database,
    failure::Breakage,
    log::{EventMessage, LoggedCommit, commits_at},
    stream::Streams,
    tail::{self, Confirmed},
};

/// Messages that were sent and not confirmed yet.
const WINDOW: usize = 2048;

/// How long a publisher has for a commit. The row says five seconds, by the database's clock; the margin covers ours.
const LEASE: Duration = Duration::from_millis(4500);

/// Commits one sweep takes.
const SWEEP: i64 = 200;

/// Commits that wait for the fast path; what does not fit is left to the sweep.
const QUEUE: usize = 4096;

/// Hands commits to a domain's publisher.
#[derive(Clone)]
pub(crate) struct Publisher {
    queue: mpsc::Sender<Outgoing>,
    shared: Arc<Shared>,
}

/// A commit on its way.
pub(crate) struct Outgoing {
    commit: LoggedCommit,
    /// Before this its lease had not begun.
    leased_since: Instant,
}

struct Shared {
    domain: &'static str,
    db: Database,
    streams: Streams,
    window: Arc<Semaphore>,
    confirmed: Mutex<Confirmations>,
    /// Marks are written one after the other.
    marking: tokio::sync::Mutex<()>,
}

/// What the stream has confirmed.
#[derive(Default)]
struct Confirmations {
    /// The highest number, for the next mark.
    newest: Option<Confirmed>,
    /// Positions whose events are all confirmed, and lie below no mark yet.
    unmarked: Vec<Position>,
    /// Those that do: their rows go with the lane's next commit.
    marked: Vec<Position>,
}

impl Confirmations {
    fn note(&mut self, confirmed: Confirmed) {
        if self.newest.is_none_or(|newest| newest.sequence < confirmed.sequence) {
            self.newest = Some(confirmed);
        }
    }
}

impl Publisher {
    pub(crate) fn new(domain: &'static str, db: Database, streams: Streams) -> (Self, mpsc::Receiver<Outgoing>) {
        let (queue, commits) = mpsc::channel(QUEUE);
        let shared = Shared {
            domain,
            db,
            streams,
            window: Arc::new(Semaphore::new(WINDOW)),
            confirmed: Mutex::default(),
            marking: tokio::sync::Mutex::default(),
        };
        (Self { queue, shared: Arc::new(shared) }, commits)
    }

    /// Publishes a commit soon. Never waits: a full queue leaves it to the sweep.
    pub(crate) fn publish(&self, commit: LoggedCommit, leased_since: Instant) {
        if self.queue.try_send(Outgoing { commit, leased_since }).is_err() {
            metrics::counter!("publisher_overflow_total", "domain" => self.shared.domain).increment(1);
        }
    }

    /// Rows to delete in the next commit.
    pub(crate) fn take_confirmed(&self) -> Vec<Position> {
        let mut positions = std::mem::take(&mut self.shared.confirmations().marked);
        // Two nodes may hold the same ones: in one order they do not wait for each other in a ring.
        positions.sort_unstable();
        positions
    }

    /// Gives them back where that commit did not happen.
    pub(crate) fn put_back(&self, positions: Vec<Position>) {
        self.shared.confirmations().marked.extend(positions);
    }

    /// Writes down how far the stream has come, and lets go of what lies below.
    pub(crate) async fn mark(&self) -> Result<(), Breakage> {
        let shared = &self.shared;
        let _one = shared.marking.lock().await;
        let (newest, positions) = {
            let mut confirmations = shared.confirmations();
            (confirmations.newest.take(), std::mem::take(&mut confirmations.unmarked))
        };
        let written = match newest {
            Some(newest) => tail::mark(&shared.db.lanes, newest).await,
            None => Ok(()),
        };
        crate::fail_point("publisher.after_mark");
        let mut confirmations = shared.confirmations();
        if written.is_ok() {
            confirmations.marked.extend(positions);
        } else {
            confirmations.unmarked.extend(positions);
            newest.into_iter().for_each(|newest| confirmations.note(newest));
        }
        written
    }

    /// The fast path: sends in the order of commits, and lets confirmations come as they will.
    pub(crate) async fn run(&self, commits: &mut mpsc::Receiver<Outgoing>) {
        while let Some(Outgoing { commit, leased_since }) = commits.recv().await {
            let messages = commit.messages(self.shared.domain);
            self.shared.notify(&commit, &messages).await;
            self.shared.clone().send(commit, messages, leased_since).await;
        }
    }

    /// Each second: rows whose lease ended are published again, rows that idle after their confirmation are deleted.
    pub(crate) async fn sweep(&self) -> Result<(), Breakage> {
        self.mark().await?;
        self.delete_confirmed().await?;
        let shared = &self.shared;
        let leased_since = Instant::now();
        let rows = sqlx::query(
            "update outbox set lease_until = clock_timestamp() + interval '5 seconds'
             where ctid = any(array(select ctid from outbox where lease_until < now()
                                    order by lease_until limit $1 for update skip locked))
             returning era, xid",
        )
        .bind(SWEEP)
        .fetch_all(&shared.db.lanes)
        .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let positions = rows
            .iter()
            .map(|row| Ok(Position { era: row.try_get("era")?, xid: row.try_get("xid")? }))
            .collect::<Result<Vec<_>, sqlx::Error>>()?;
        metrics::counter!("outbox_swept_total", "domain" => shared.domain).increment(positions.len() as u64);
        let mut connection = shared.db.lanes.acquire().await?;
        let commits = commits_at(&mut connection, &positions).await?;
        drop(connection);
        for commit in commits {
            let messages = commit.messages(shared.domain);
            shared.clone().send(commit, messages, leased_since).await;
        }
        Ok(())
    }

    /// Publishes a commit once more, for a stream that lost it; no row depends on it. Gives whether it is confirmed.
    pub(crate) async fn publish_again(&self, commit: &LoggedCommit) -> bool {
        let shared = &self.shared;
        let sent = commit.messages(shared.domain).into_iter().zip(&commit.events).map(|(message, event)| async move {
            let sent = shared.start(message.clone()).await;
            shared.confirm(message, event.id, sent).await;
        });
        tokio::time::timeout(LEASE, futures::future::join_all(sent)).await.is_ok()
    }

    /// Waits until nothing is on its way, and deletes what was confirmed.
    pub(crate) async fn flush(&self) {
        // All permits back means no message is unconfirmed.
        let all = u32::try_from(WINDOW).unwrap_or(u32::MAX);
        if let Ok(permits) = self.shared.window.acquire_many(all).await {
            drop(permits);
        }
        let deleted = async {
            self.mark().await?;
            self.delete_confirmed().await
        };
        if let Err(breakage) = deleted.await {
            tracing::warn!(domain = self.shared.domain, %breakage, "confirmed commits stay in the outbox");
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.capacity() == QUEUE
    }

    async fn delete_confirmed(&self) -> Result<(), Breakage> {
        let confirmed = self.take_confirmed();
        if confirmed.is_empty() {
            return Ok(());
        }
        let (eras, xids): (Vec<i64>, Vec<i64>) = confirmed.iter().map(|p| (p.era, p.xid)).unzip();
        let result = sqlx::query(
            "delete from outbox using unnest($1::bigint[], $2::bigint[]) as gone(era, xid)
             where outbox.era = gone.era and outbox.xid = gone.xid",
        )
        .bind(eras)
        .bind(xids)
        .execute(&self.shared.db.lanes)
        .await;
        if result.is_err() {
            self.put_back(confirmed);
        }
        result?;
        Ok(())
    }
}

impl Shared {
    fn confirmations(&self) -> MutexGuard<'_, Confirmations> {
        self.confirmed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same messages on core NATS, for whoever watches an entity now. May be lost: state is read, notices hurry it.
    async fn notify(&self, commit: &LoggedCommit, messages: &[EventMessage]) {
        for (event, EventMessage { headers, body, .. }) in commit.events.iter().zip(messages) {
            let subject = subject::notice(self.domain, event.entity);
            let sent = self.streams.connection().publish_with_headers(subject, headers.clone(), body.clone()).await;
            if let Err(error) = sent {
                tracing::debug!(domain = self.domain, %error, "a notice was not sent");
            }
        }
    }

    async fn send(self: Arc<Self>, commit: LoggedCommit, messages: Vec<EventMessage>, leased_since: Instant) {
        crate::fail_point("publisher.before_publish");
        let count = u32::try_from(messages.len()).unwrap_or(u32::MAX).min(WINDOW as u32);
        let Ok(permits) = self.window.clone().acquire_many_owned(count).await else { return };
        // What waited too long is swept by somebody, perhaps already: both would only double the load.
        let Some(left) = LEASE.checked_sub(leased_since.elapsed()) else { return };
        let mut confirmations = Vec::with_capacity(messages.len());
        for message in &messages {
            confirmations.push(self.start(message.clone()).await);
        }
        let shared = self.clone();
        tokio::spawn(async move {
            let sent = messages.into_iter().zip(&commit.events).zip(confirmations);
            let all =
                futures::future::join_all(sent.map(|((message, event), sent)| shared.confirm(message, event.id, sent)));
            let is_confirmed = tokio::time::timeout(left, all).await.is_ok();
            drop(permits);
            crate::fail_point("publisher.after_publish");
            if is_confirmed {
                shared.confirmations().unmarked.push(commit.position);
            }
        });
    }

    async fn start(&self, message: EventMessage) -> Result<PublishAckFuture, PublishError> {
        let EventMessage { subject, headers, body } = message;
        self.streams.jetstream().publish_with_headers(subject, headers, body).await
    }

    /// Waits for a confirmation, and sends again while the lease lasts: a leader's change takes seconds.
    async fn confirm(&self, message: EventMessage, id: Uuid, mut sent: Result<PublishAckFuture, PublishError>) {
        loop {
            let error = match sent {
                Ok(confirmation) => match confirmation.await {
                    Ok(confirmed) => {
                        self.confirmations().note(Confirmed { sequence: confirmed.sequence, event: id });
                        metrics::counter!("events_published_total", "domain" => self.domain).increment(1);
                        return;
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            metrics::counter!("publish_retries_total", "domain" => self.domain).increment(1);
            tracing::debug!(domain = self.domain, %error, "an event was not confirmed");
            if error.kind() == PublishErrorKind::StreamNotFound {
                self.streams.ensure_own(&self.db.lanes).await;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
            sent = self.start(message.clone()).await;
        }
    }
}
