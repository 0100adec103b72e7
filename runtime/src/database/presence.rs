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
    failure::{Breakage, is_lost_connection},
};

/// Timeout of a probe.
const PATIENCE: Duration = Duration::from_secs(5);

/// The interval between probes of a database that is up, and of one that is down.
const PRESENT: Duration = Duration::from_secs(1);
const AWAY: Duration = Duration::from_millis(500);

/// The shortest interval between probes of a database that is up, however many errors request one.
const SOONEST: Duration = Duration::from_millis(100);

/// The health of a database, and its pools.
#[derive(Clone)]
pub(crate) struct Presence(Arc<Inner>);

struct Inner {
    options: PgConnectOptions,
    /// The pools with their connect options.
    pools: [(PgPool, PgConnectOptions); 3],
    held: Held,
    is_away: AtomicBool,
    doubt: Notify,
}

impl Presence {
    pub(super) fn new(options: PgConnectOptions, pools: [(PgPool, PgConnectOptions); 3], held: Held) -> Self {
        Self(Arc::new(Inner { options, pools, held, is_away: AtomicBool::new(false), doubt: Notify::new() }))
    }

    /// Requests a probe if a connection was lost or could not be acquired.
    pub(crate) fn heed(&self, breakage: &Breakage) {
        if matches!(breakage, Breakage::Sql(error) if is_absence(error)) {
            self.0.doubt.notify_one();
        }
    }

    /// Waits until the next probe is due.
    pub(crate) async fn until_due(&self) {
        if self.0.is_away.load(Ordering::Relaxed) {
            return tokio::time::sleep(AWAY).await;
        }
        tokio::time::sleep(SOONEST).await;
        // The probe is due in either case: after the interval, or on request.
        let _ = tokio::time::timeout(PRESENT - SOONEST, self.0.doubt.notified()).await;
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
    fn set_away(&self, is_away: bool) {
        if self.0.is_away.swap(is_away, Ordering::Relaxed) == is_away {
            return;
        }
        for (pool, options) in &self.0.pools {
            pool.set_connect_options(match is_away {
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
pub(crate) struct Look {
    presence: Presence,
    connection: Option<PgConnection>,
}

impl Look {
    pub(crate) fn new(presence: Presence) -> Self {
        Self { presence, connection: None }
    }

    /// Reads the database's time, and records whether the database is up.
    pub(crate) async fn time(&mut self) -> Result<DateTime<Utc>, Breakage> {
        self.presence.0.held.close_idle();
        let had_one = self.connection.is_some();
        let mut looked = self.ask().await;
        if had_one && looked.as_ref().is_err_and(is_absence) {
            self.presence.drop_idle();
            // A server that has restarted has closed the old connection, and answers on a new one.
            if !matches!(looked, Err(sqlx::Error::PoolTimedOut)) {
                looked = self.ask().await;
            }
        }
        self.presence.set_away(looked.as_ref().is_err_and(is_absence));
        Ok(looked?)
    }

    async fn ask(&mut self) -> Result<DateTime<Utc>, sqlx::Error> {
        let kept = self.connection.take();
        let asked = async {
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.presence.0.options.connect().await?,
            };
            let time = clock(&mut connection).await?;
            Ok((time, connection))
        };
        let (time, connection) =
            tokio::time::timeout(PATIENCE, asked).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        self.connection = Some(connection);
        Ok(time)
    }
}

impl Drop for Look {
    fn drop(&mut self) {
        // The probing task has ended. Without a probe the recovery would go unnoticed, so the database must not stay
        // marked as down.
        self.presence.set_away(false);
    }
}

/// Whether an error means that the server cannot be reached. An error response means that it can, unless it reports
/// that the server is starting or stopping.
fn is_absence(error: &sqlx::Error) -> bool {
    is_lost_connection(error)
        || matches!(error, sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut)
}
