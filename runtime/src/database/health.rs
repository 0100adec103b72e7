//! Database health. While the database is down, calls fail fast and one task probes it, so that callers get an error at
//! once and a recovering server is not flooded with connections.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Utc};
use sqlx::{ConnectOptions, PgConnection, PgPool, postgres::PgConnectOptions};
use tokio::sync::Notify;

use crate::{
    database::{clock, held::Held},
    error::{InternalError, is_lost_connection},
};

/// Timeout of a probe.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The interval between probes of a database that is up, and of one that is down.
const INTERVAL: Duration = Duration::from_secs(1);
const INTERVAL_WHEN_DOWN: Duration = Duration::from_millis(500);

/// The shortest interval between probes of a database that is up, however many errors request one.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// The health of a database, and its pools.
#[derive(Clone)]
pub(crate) struct DatabaseHealth(Arc<Inner>);

struct Inner {
    options: PgConnectOptions,
    /// The pools with their connect options.
    pools: [(PgPool, PgConnectOptions); 4],
    held: Held,
    is_down: AtomicBool,
    suspicion: Notify,
}

impl DatabaseHealth {
    pub(super) fn new(options: PgConnectOptions, pools: [(PgPool, PgConnectOptions); 4], held: Held) -> Self {
        Self(Arc::new(Inner { options, pools, held, is_down: AtomicBool::new(false), suspicion: Notify::new() }))
    }

    /// Requests a probe if a connection was lost or could not be acquired.
    pub(crate) fn report(&self, internal_error: &InternalError) {
        if matches!(internal_error, InternalError::Sql(error) if is_unavailable(error)) {
            self.0.suspicion.notify_one();
        }
    }

    /// Waits until the next probe is due.
    pub(crate) async fn until_next_probe(&self) {
        if self.0.is_down.load(Ordering::Relaxed) {
            return tokio::time::sleep(INTERVAL_WHEN_DOWN).await;
        }
        tokio::time::sleep(MIN_INTERVAL).await;
        // The probe is due in either case: after the interval, or on request.
        let _ = tokio::time::timeout(INTERVAL - MIN_INTERVAL, self.0.suspicion.notified()).await;
    }

    /// Drops all idle connections: one was lost, and the others would most likely fail on their next use.
    fn drop_idle(&self) {
        self.0.held.drop_all();
        for (pool, _) in &self.0.pools {
            while let Some(connection) = pool.try_acquire() {
                drop(connection.detach());
            }
        }
    }

    /// Makes the pools connect normally, or fail at once.
    fn set_down(&self, is_down: bool) {
        if self.0.is_down.swap(is_down, Ordering::Relaxed) == is_down {
            return;
        }
        for (pool, options) in &self.0.pools {
            pool.set_connect_options(match is_down {
                // A pool has no such state, and retries for as long as the server refuses connections. A socket that
                // does not exist fails without a retry; calls that already wait find it on their next retry.
                true => options.clone().socket(PathBuf::from("/nonexistent/the-database-is-away")),
                false => options.clone(),
            });
        }
    }
}

/// Probes a database through a connection of its own, so that a pool whose connections are all in use is not mistaken
/// for a server that is down.
pub(crate) struct Probe {
    health: DatabaseHealth,
    connection: Option<PgConnection>,
}

impl Probe {
    pub(crate) fn new(health: DatabaseHealth) -> Self {
        Self { health, connection: None }
    }

    /// Reads the database's time, and records whether the database is up.
    pub(crate) async fn time(&mut self) -> Result<DateTime<Utc>, InternalError> {
        self.health.0.held.close_idle();
        let had_one = self.connection.is_some();
        let mut probed = self.query_time().await;
        if had_one && probed.as_ref().is_err_and(is_unavailable) {
            self.health.drop_idle();
            // A server that has restarted has closed the old connection, and answers on a new one.
            if !matches!(probed, Err(sqlx::Error::PoolTimedOut)) {
                probed = self.query_time().await;
            }
        }
        self.health.set_down(probed.as_ref().is_err_and(is_unavailable));
        Ok(probed?)
    }

    async fn query_time(&mut self) -> Result<DateTime<Utc>, sqlx::Error> {
        let kept = self.connection.take();
        let query = async {
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.health.0.options.connect().await?,
            };
            let time = clock(&mut connection).await?;
            Ok((time, connection))
        };
        let (time, connection) =
            tokio::time::timeout(TIMEOUT, query).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        self.connection = Some(connection);
        Ok(time)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // The probing task has ended. Without a probe the recovery would go unnoticed, so the database must not stay
        // marked as down.
        self.health.set_down(false);
    }
}

/// Whether an error means that the server cannot be reached. An error response means that it can, unless it reports
/// that the server is starting or stopping.
fn is_unavailable(error: &sqlx::Error) -> bool {
    is_lost_connection(error)
        || matches!(error, sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut)
}
