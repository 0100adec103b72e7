//! Connections of lanes between two batches. A pool asks each connection that comes back whether it is alive, which is a
//! round trip per batch.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Postgres, pool::PoolConnection};

/// After so long without a batch a connection is closed, as the pools do.
pub(super) const IDLE: Duration = Duration::from_secs(60);

/// The connections, and since when each is idle; the longest first.
#[derive(Clone, Default)]
pub(crate) struct Held(Arc<Mutex<Vec<(Instant, PoolConnection<Postgres>)>>>);

impl Held {
    /// One that was used a moment ago.
    pub(super) fn take(&self) -> Option<PoolConnection<Postgres>> {
        self.close_idle();
        self.lock().pop().map(|(_, connection)| connection)
    }

    /// Holds a connection for the next batch.
    pub(super) fn put(&self, connection: PoolConnection<Postgres>) {
        self.lock().push((Instant::now(), connection));
    }

    /// Closes those that are idle for long.
    pub(super) fn close_idle(&self) {
        let idle: Vec<_> = self.lock().extract_if(.., |(since, _)| since.elapsed() >= IDLE).collect();
        for (_, mut connection) in idle {
            connection.close_on_drop();
        }
    }

    /// Drops all: they were lost together with another one.
    pub(crate) fn drop_all(&self) {
        let lost = std::mem::take(&mut *self.lock());
        for (_, connection) in lost {
            drop(connection.detach());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, PoolConnection<Postgres>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
