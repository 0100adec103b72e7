//! A domain's connection pools, its migrations, and the epoch of its database server.
//!
//! To read first: `database/health.rs` (the probe), `database/held.rs` (the connection of a lane).

mod health;
mod held;
pub(crate) mod lease;

use std::time::Duration;

use chrono::{DateTime, Utc};
use contract::Position;
use sqlx::{
    ConnectOptions, Connection, PgConnection, PgExecutor, PgPool, Postgres, Row,
    migrate::{Migrate, MigrateError, Migrator},
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
};

pub(crate) use health::{DatabaseHealth, Probe};
pub(crate) use held::Held;
use held::IDLE;

/// Connections for clients' queries that are batched, and as many for all others.
pub(crate) const READS: u32 = 3;

/// The number of each that are kept open: opening a connection takes ten round trips, which are slow on a node under
/// load.
const BATCHED_READS_KEPT: u32 = 2;
const READS_KEPT: u32 = 1;

/// Connections for internal reads.
pub(crate) const INTERNAL_READS: u32 = 3;

/// The connections of a domain on one node, in independent pools: a burst of commands, here or in another domain,
/// leaves clients' queries their connections, and a burst of clients' queries leaves the lanes theirs.
#[derive(Clone)]
pub(crate) struct Database {
    pub lanes: PgPool,
    /// For the queries of clients that are batched.
    pub batched_reads: PgPool,
    /// For all other queries of clients.
    pub reads: PgPool,
    /// For the queries of other domains, and for the reads of commands: look-ups and `prepare`, effects, deadlines.
    pub internal_reads: PgPool,
    pub health: DatabaseHealth,
    /// The connections that lanes hold between two batches.
    pub held: Held,
}

impl Database {
    /// Takes a connection for a lane.
    ///
    /// # Errors
    /// If no connection can be acquired.
    pub(crate) async fn lane(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        match self.held.take() {
            Some(connection) => Ok(connection),
            None => self.lanes.acquire().await,
        }
    }

    /// Holds a lane's connection for its next batch. A connection whose transaction failed is dropped instead, so that
    /// the pool checks it.
    pub(crate) fn hold(&self, connection: PoolConnection<Postgres>) {
        self.held.put(connection);
    }

    /// Opens pools that connect on first use and close idle connections.
    pub(crate) fn open(url: &str, domain: &str, lanes: u32) -> Result<Self, sqlx::Error> {
        let options = url.parse::<PgConnectOptions>()?.application_name(&format!("souk-{domain}")).options([
            ("lock_timeout", "2s"),
            ("statement_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "3s"),
            // The inbox protocol relies on this isolation level: a later statement must see what was committed after an
            // earlier one.
            ("default_transaction_isolation", "read committed"),
            // Plans are cached per connection, and a plan made while a table was empty would keep scanning it. Every
            // statement here has an index to use.
            ("enable_seqscan", "off"),
            ("random_page_cost", "1.1"),
            ("jit", "off"),
        ]);
        // Lanes, domains and batched queries run a small set of statements by key, which need one generic plan each.
        // All other queries of clients, such as lists, are planned with the values of their filters.
        let generic = options.clone().options([("plan_cache_mode", "force_generic_plan")]);
        let pool = |options: &PgConnectOptions, size: u32, kept: u32| {
            PgPoolOptions::new()
                .max_connections(size)
                .min_connections(kept)
                .acquire_timeout(Duration::from_secs(5))
                .idle_timeout(IDLE)
                // Saves one round trip per batch; a dead connection causes an internal error, and the batch is retried.
                .test_before_acquire(false)
                .connect_lazy_with(options.clone())
        };
        let lanes = pool(&generic, lanes + 3, 0);
        let (batched_reads, reads) = (pool(&generic, READS, BATCHED_READS_KEPT), pool(&options, READS, READS_KEPT));
        let internal_reads = pool(&generic, INTERNAL_READS, 0);
        let held = Held::default();
        let pools = [
            (lanes.clone(), generic.clone()),
            (batched_reads.clone(), generic.clone()),
            (reads.clone(), options.clone()),
            (internal_reads.clone(), generic),
        ];
        let health = DatabaseHealth::new(options, pools, held.clone());
        Ok(Self { lanes, batched_reads, reads, internal_reads, health, held })
    }

    /// Opens the connections that are kept open, so that no client waits for them.
    ///
    /// # Errors
    /// If the database does not answer.
    pub(crate) async fn open_kept(&self) -> Result<(), sqlx::Error> {
        let mut kept = Vec::new();
        for (pool, count) in [(&self.batched_reads, BATCHED_READS_KEPT), (&self.reads, READS_KEPT)] {
            for _ in 0..count {
                kept.push(pool.acquire().await?);
            }
        }
        Ok(())
    }
}

/// Why a database cannot be migrated. Nothing was changed in it, except by migrations that succeeded.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// It has another edition of a known migration. Those of released versions never change.
    #[error("the data was written by an older, unreleased version and cannot be read")]
    Unreleased,
    /// It has a migration that is not known.
    #[error("the data was written by a newer version")]
    Newer,
    /// The database does not answer, or a migration fails.
    #[error(transparent)]
    Failed(#[from] sqlx::Error),
}

/// Migrates a domain's database to the newest schema, the runtime's tables first, then the domain's own, and begins an
/// epoch if the server has restarted.
///
/// # Errors
/// If the database has other migrations than the known ones, or a migration fails.
pub async fn migrate(url: &str, domain: Migrator) -> Result<(), MigrationError> {
    let options: PgConnectOptions = url.parse()?;
    let mut connection = options.connect().await?;
    let mut own = sqlx::migrate!("./migrations");
    own.dangerous_set_table_name("_runtime_migrations");
    run(&own, &mut connection).await?;
    run(&domain, &mut connection).await?;
    begin_epoch(&mut connection).await?;
    Ok(connection.close().await?)
}

/// Runs the missing migrations, after the existing ones were compared.
async fn run(migrator: &Migrator, connection: &mut PgConnection) -> Result<(), MigrationError> {
    match migrator.run(&mut *connection).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMismatch(_)) => Err(MigrationError::Unreleased),
        // The unknown ones are reported first, but say nothing if a known one differs too.
        Err(MigrateError::VersionMissing(_)) => {
            let applied = connection.list_applied_migrations(&migrator.table_name).await.map_err(sqlx::Error::from)?;
            let differs = applied.iter().any(|applied| {
                migrator.iter().any(|known| known.version == applied.version && known.checksum != applied.checksum)
            });
            Err(if differs { MigrationError::Unreleased } else { MigrationError::Newer })
        }
        Err(error) => Err(sqlx::Error::from(error).into()),
    }
}

/// Begins an epoch if the server has restarted since the last one began. The number of an epoch is never reused: it is
/// the clock in microseconds, or the last number plus one if that is greater.
pub(crate) async fn begin_epoch(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    let sql = "insert into epoch (epoch, started, forked_at)
         select greatest(coalesce((select max(epoch) from epoch), 0) + 1,
                         (extract(epoch from clock_timestamp()) * 1000000)::bigint),
                pg_postmaster_start_time(),
                coalesce((select max(xid) from event_log where epoch = (select max(epoch) from epoch)), 0)
         on conflict (started) do nothing";
    sqlx::query(sql).execute(connection).await?;
    Ok(())
}

/// Reads the database's clock.
pub(crate) async fn clock(database: impl PgExecutor<'_>) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar("select clock_timestamp()").fetch_one(database).await
}

/// The position in the columns `epoch` and `xid`.
pub(crate) fn position(row: &PgRow) -> Result<Position, sqlx::Error> {
    Ok(Position { epoch: row.try_get("epoch")?, xid: row.try_get("xid")? })
}
