//! Whether a domain's database answers. While it does not, nobody waits for it and nobody knocks but one: whoever wants a
//! connection is refused at once, however many ask, so that callers hear it soon and the server comes back in peace.

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

/// A database that takes longer to tell its time is away.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at a database that answers, and at one that is away.
const PRESENT: Duration = Duration::from_secs(1);
const AWAY: Duration = Duration::from_millis(500);

/// However many doubts are raised, no look sooner than this after the last one.
const SOONEST: Duration = Duration::from_millis(100);

/// What is known of a database, and its pools.
#[derive(Clone)]
pub(crate) struct Presence(Arc<Inner>);

struct Inner {
    options: PgConnectOptions,
    /// Each with its options.
    pools: [(PgPool, PgConnectOptions); 3],
    held: Held,
    is_away: AtomicBool,
    doubt: Notify,
}

impl Presence {
    pub(super) fn new(options: PgConnectOptions, pools: [(PgPool, PgConnectOptions); 3], held: Held) -> Self {
        Self(Arc::new(Inner { options, pools, held, is_away: AtomicBool::new(false), doubt: Notify::new() }))
    }

    /// Where a connection was lost, or none could be had, the next look is due now.
    pub(crate) fn heed(&self, breakage: &Breakage) {
        if matches!(breakage, Breakage::Sql(error) if is_absence(error)) {
            self.0.doubt.notify_one();
        }
    }

    /// Until the next look is due.
    pub(crate) async fn until_due(&self) {
        if self.0.is_away.load(Ordering::Relaxed) {
            return tokio::time::sleep(AWAY).await;
        }
        tokio::time::sleep(SOONEST).await;
        // No matter which of the two it was.
        let _ = tokio::time::timeout(PRESENT - SOONEST, self.0.doubt.notified()).await;
    }

    /// The connections that idle were lost together with another one: each would fail whoever gets it next.
    fn drop_idle(&self) {
        self.0.held.drop_all();
        for (pool, _) in &self.0.pools {
            while let Some(connection) = pool.try_acquire() {
                drop(connection.detach());
            }
        }
    }

    /// The pools connect as ever, or refuse at once.
    fn set_away(&self, is_away: bool) {
        if self.0.is_away.swap(is_away, Ordering::Relaxed) == is_away {
            return;
        }
        for (pool, options) in &self.0.pools {
            pool.set_connect_options(match is_away {
                // A pool knows no such state, and would wait for a server that refuses it: so it is sent to a socket that
                // does not exist, which fails without a pause. Whoever waits already finds that at the next try.
                true => options.clone().socket(PathBuf::from("/nonexistent/the-database-is-away")),
                false => options.clone(),
            });
        }
    }
}

/// Looks at a database by a connection of its own, so that a pool whose connections are all at work is not taken for a
/// server that is away.
pub(crate) struct Look {
    presence: Presence,
    connection: Option<PgConnection>,
}

impl Look {
    pub(crate) fn new(presence: Presence) -> Self {
        Self { presence, connection: None }
    }

    /// The database's time; what cannot be had marks the database as away.
    pub(crate) async fn time(&mut self) -> Result<DateTime<Utc>, Breakage> {
        self.presence.0.held.close_idle();
        let had_one = self.connection.is_some();
        let mut looked = self.ask().await;
        if had_one && looked.as_ref().is_err_and(is_absence) {
            self.presence.drop_idle();
            // A server that was started anew has closed the old connection, and answers on a new one.
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
        // Whoever looked died: without anybody to see it come back the database must not stay away.
        self.presence.set_away(false);
    }
}

/// Whether there is no server to speak to; one that has an opinion is there, unless it says that it starts or stops.
fn is_absence(error: &sqlx::Error) -> bool {
    is_lost_connection(error)
        || matches!(error, sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut)
}
