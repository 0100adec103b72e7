//! Publishes committed events to the stream: after the commit, one message per event, with a bounded window of
//! unconfirmed messages. A commit that is not confirmed within its lease is published again by the sweep of any node.
//! The outbox rows decide what is published. Delivery is at least once: consumers deduplicate by `ce-id`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::context::{PublishAckFuture, PublishError, PublishErrorKind};
use contract::Position;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, mpsc};

use crate::{
    api::tx::EmittedEvent,
    database::{Database, position},
    error::InternalError,
    log::{
        event_log::{LoggedCommit, commits_at},
        message::{EventMessage, Messages},
        repair::checkpoints::{self, Confirmed},
        stream::Streams,
    },
};

/// The most messages that are sent and not yet confirmed.
const WINDOW: usize = 2048;

/// How long a publisher may work on a commit. The lease in the outbox row is five seconds by the database's clock; the
/// margin covers differences between the clocks.
const LEASE: Duration = Duration::from_millis(4500);

/// The most commits of one sweep.
const SWEEP: i64 = 200;

/// Capacity of the fast path's queue. Commits that do not fit are left to the sweep.
const QUEUE: usize = 4096;

/// The publisher of a domain.
pub(crate) struct Publisher {
    domain: &'static str,
    messages: Messages,
    queue: mpsc::Sender<Outgoing>,
    db: Database,
    streams: Streams,
    window: Arc<Semaphore>,
    confirmed: Mutex<Confirmations>,
    /// Serializes the writing of checkpoints.
    checkpointing: tokio::sync::Mutex<()>,
}

/// A commit in the queue of the publisher.
pub(crate) struct Outgoing {
    commit: LoggedCommit,
    /// A lower bound for the start of its lease.
    leased_since: Instant,
}

/// Whether the events of a commit are published with notices: not again by a sweep.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notices {
    Sent,
    Omitted,
}

/// What the stream has confirmed.
#[derive(Default)]
struct Confirmations {
    /// The highest sequence number, for the next checkpoint.
    newest: Option<Confirmed>,
    /// Positions whose events are all confirmed, but not yet covered by a checkpoint.
    without_checkpoint: Vec<Position>,
    /// Positions that a checkpoint covers. Their outbox rows are deleted with the lane's next commit or by the sweep.
    with_checkpoint: Vec<Position>,
}

impl Confirmations {
    fn note(&mut self, confirmed: Confirmed) {
        if self.newest.is_none_or(|newest| newest.sequence < confirmed.sequence) {
            self.newest = Some(confirmed);
        }
    }
}

impl Publisher {
    pub(crate) fn new(domain: &'static str, db: Database, streams: Streams) -> (Arc<Self>, mpsc::Receiver<Outgoing>) {
        let (queue, commits) = mpsc::channel(QUEUE);
        let publisher = Self {
            domain,
            messages: Messages::new(domain),
            queue,
            db,
            streams,
            window: Arc::new(Semaphore::new(WINDOW)),
            confirmed: Mutex::default(),
            checkpointing: tokio::sync::Mutex::default(),
        };
        (Arc::new(publisher), commits)
    }

    /// Queues a commit. Never blocks: if the queue is full, the commit is left to the sweep.
    pub(crate) fn publish(&self, commit: LoggedCommit, leased_since: Instant) {
        if self.queue.try_send(Outgoing { commit, leased_since }).is_err() {
            metrics::counter!("publisher_overflow_total", "domain" => self.domain).increment(1);
        }
    }

    /// Takes the positions whose outbox rows the next commit deletes.
    pub(crate) fn take_confirmed(&self) -> Vec<Position> {
        let mut positions = std::mem::take(&mut self.confirmed.lock().with_checkpoint);
        // Two nodes may delete the same rows: a fixed order avoids deadlocks.
        positions.sort_unstable();
        positions
    }

    /// Puts the positions back if that commit failed.
    pub(crate) fn put_back(&self, positions: Vec<Position>) {
        self.confirmed.lock().with_checkpoint.extend(positions);
    }

    /// Writes a checkpoint of the stream, and releases the positions it covers for deletion.
    pub(crate) async fn write_checkpoint(&self) -> Result<(), InternalError> {
        let _one = self.checkpointing.lock().await;
        let (newest, positions) = {
            let mut confirmations = self.confirmed.lock();
            (confirmations.newest.take(), std::mem::take(&mut confirmations.without_checkpoint))
        };
        let written = match newest {
            Some(newest) => checkpoints::record(&self.db.lanes, newest).await,
            None => Ok(()),
        };
        crate::fail_point("publisher.after_checkpoint");
        let mut confirmations = self.confirmed.lock();
        if written.is_ok() {
            confirmations.with_checkpoint.extend(positions);
        } else {
            confirmations.without_checkpoint.extend(positions);
            newest.into_iter().for_each(|newest| confirmations.note(newest));
        }
        written
    }

    /// The fast path: sends in commit order without waiting for confirmations, which may arrive in any order.
    pub(crate) async fn run(self: &Arc<Self>, commits: &mut mpsc::Receiver<Outgoing>) {
        while let Some(Outgoing { commit, leased_since }) = commits.recv().await {
            self.clone().send(commit, leased_since, Notices::Sent).await;
        }
    }

    /// Runs each second: writes a checkpoint, deletes rows of confirmed commits that no later commit has deleted, and
    /// publishes rows with an expired lease again.
    pub(crate) async fn sweep(self: &Arc<Self>) -> Result<(), InternalError> {
        self.write_checkpoint().await?;
        self.delete_confirmed().await?;
        let leased_since = Instant::now();
        let sql = "update outbox set lease_until = clock_timestamp() + interval '5 seconds'
             where ctid = any(array(select ctid from outbox where lease_until < now()
                                    order by lease_until limit $1 for update skip locked))
             returning epoch, xid";
        let rows = sqlx::query(sql).bind(SWEEP).fetch_all(&self.db.lanes).await?;
        if rows.is_empty() {
            return Ok(());
        }
        let positions = rows.iter().map(position).collect::<Result<Vec<_>, _>>()?;
        metrics::counter!("outbox_swept_total", "domain" => self.domain).increment(positions.len() as u64);
        let mut connection = self.db.lanes.acquire().await?;
        let commits = commits_at(&mut connection, &positions).await?;
        drop(connection);
        for commit in commits {
            self.clone().send(commit, leased_since, Notices::Omitted).await;
        }
        Ok(())
    }

    /// Republishes a commit that the stream lost; no outbox row is involved. Returns whether it was confirmed.
    pub(crate) async fn publish_again(&self, commit: &LoggedCommit) -> bool {
        let sent = commit.events.iter().map(|event| async move {
            let sent = self.start(self.messages.of(commit, event)).await;
            self.confirm(commit, event, sent).await;
        });
        tokio::time::timeout(LEASE, futures::future::join_all(sent)).await.is_ok()
    }

    /// Waits until no message is unconfirmed, and deletes the rows of confirmed commits.
    pub(crate) async fn flush(&self) {
        // All permits back means no message is unconfirmed.
        let all = u32::try_from(WINDOW).unwrap_or(u32::MAX);
        if let Ok(permits) = self.window.acquire_many(all).await {
            drop(permits);
        }
        let deleted = async {
            self.write_checkpoint().await?;
            self.delete_confirmed().await
        };
        if let Err(error) = deleted.await {
            tracing::warn!(domain = self.domain, %error, "confirmed commits could not be deleted from the outbox");
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.capacity() == QUEUE
    }

    async fn delete_confirmed(&self) -> Result<(), InternalError> {
        let confirmed = self.take_confirmed();
        if confirmed.is_empty() {
            return Ok(());
        }
        let (epochs, xids): (Vec<i64>, Vec<i64>) = confirmed.iter().map(|p| (p.epoch, p.xid)).unzip();
        let sql = "delete from outbox using unnest($1::bigint[], $2::bigint[]) as gone(epoch, xid)
             where outbox.epoch = gone.epoch and outbox.xid = gone.xid";
        let result = sqlx::query(sql).bind(epochs).bind(xids).execute(&self.db.lanes).await;
        if result.is_err() {
            self.put_back(confirmed);
        }
        result?;
        Ok(())
    }

    /// Sends the message of an event on core NATS too, for clients that watch its entity. A notice may be lost: it only
    /// triggers an earlier read of the state. It is queued beside its event, so that both go out in the same write.
    async fn notify(&self, EventMessage { notice, headers, body, .. }: &EventMessage) {
        let sent = self.streams.connection.publish_with_headers(notice.clone(), headers.clone(), body.clone()).await;
        if let Err(error) = sent {
            tracing::debug!(domain = self.domain, %error, "notice not sent");
        }
    }

    async fn send(self: Arc<Self>, commit: LoggedCommit, leased_since: Instant, notices: Notices) {
        crate::fail_point("publisher.before_publish");
        let count = u32::try_from(commit.events.len()).unwrap_or(u32::MAX).min(WINDOW as u32);
        let Ok(permits) = self.window.clone().acquire_many_owned(count).await else { return };
        // After the lease, a sweep publishes the commit; publishing it here too would only double the load.
        let Some(left) = LEASE.checked_sub(leased_since.elapsed()) else { return };
        let mut confirmations = Vec::with_capacity(commit.events.len());
        for event in &commit.events {
            let message = self.messages.of(&commit, event);
            if notices == Notices::Sent {
                self.notify(&message).await;
            }
            confirmations.push(self.start(message).await);
        }
        let publisher = self.clone();
        tokio::spawn(async move {
            let sent = commit.events.iter().zip(confirmations);
            let all = futures::future::join_all(sent.map(|(event, sent)| publisher.confirm(&commit, event, sent)));
            let is_confirmed = tokio::time::timeout(left, all).await.is_ok();
            drop(permits);
            crate::fail_point("publisher.after_publish");
            if is_confirmed {
                publisher.confirmed.lock().without_checkpoint.push(commit.position);
            }
        });
    }

    async fn start(&self, message: EventMessage) -> Result<PublishAckFuture, PublishError> {
        let EventMessage { subject, headers, body, .. } = message;
        self.streams.jetstream.publish_with_headers(subject, headers, body).await
    }

    /// Waits for a confirmation and retries until the caller's timeout: a leader election takes seconds.
    async fn confirm(
        &self,
        commit: &LoggedCommit,
        event: &EmittedEvent,
        mut sent: Result<PublishAckFuture, PublishError>,
    ) {
        loop {
            let error = match sent {
                Ok(confirmation) => match confirmation.await {
                    Ok(confirmed) => {
                        self.confirmed.lock().note(Confirmed { sequence: confirmed.sequence, event: event.id });
                        metrics::counter!("events_published_total", "domain" => self.domain).increment(1);
                        return;
                    }
                    Err(error) => error,
                },
                Err(error) => error,
            };
            metrics::counter!("publish_retries_total", "domain" => self.domain).increment(1);
            tracing::debug!(domain = self.domain, %error, "event not confirmed");
            if error.kind() == PublishErrorKind::StreamNotFound {
                self.streams.ensure_own(&self.db.lanes).await;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
            sent = self.start(self.messages.of(commit, event)).await;
        }
    }
}
