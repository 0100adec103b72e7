//! Connections that lanes hold between two batches. A pool pings each connection that is returned to it, which would
//! cost a round trip per batch.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use sqlx::{Postgres, pool::PoolConnection};

/// A connection without a batch for this long is closed, as in the pools.
pub(super) const IDLE: Duration = Duration::from_secs(60);

/// The connections with the time since which each is idle, the longest idle first.
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<Mutex<Vec<(Instant, PoolConnection<Postgres>)>>>);

impl Held {
    /// Takes the connection that was used last.
    pub(super) fn take(&self) -> Option<PoolConnection<Postgres>> {
        self.close_idle();
        self.0.lock().pop().map(|(_, connection)| connection)
    }

    /// Holds a connection for the next batch.
    pub(super) fn put(&self, connection: PoolConnection<Postgres>) {
        self.0.lock().push((Instant::now(), connection));
    }

    /// Closes the connections that have been idle for [`IDLE`].
    pub(super) fn close_idle(&self) {
        let idle: Vec<_> = self.0.lock().extract_if(.., |(since, _)| since.elapsed() >= IDLE).collect();
        for (_, mut connection) in idle {
            connection.close_on_drop();
        }
    }

    /// Drops all connections, because one was lost and the others most likely with it.
    pub(crate) fn drop_all(&self) {
        let lost = std::mem::take(&mut *self.0.lock());
        for (_, connection) in lost {
            drop(connection.detach());
        }
    }
}
