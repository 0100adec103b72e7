//! A domain's pools, its migrations, and the era of its server.

mod held;
mod presence;

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{
    ConnectOptions, Connection, PgConnection, PgExecutor, PgPool, Postgres,
    migrate::Migrator,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};

pub(crate) use held::Held;
use held::IDLE;
pub(crate) use presence::{Look, Presence};

/// Connections for clients' queries.
pub(crate) const READS: u32 = 4;

/// So many of them are kept open: a connection takes ten round trips to open, which a node under load answers late.
const READS_KEPT: u32 = 2;

/// Connections for internal reads.
pub(crate) const INTERNAL_READS: u32 = 3;

/// The connections of a domain on one node, in pools that do not wait for each other: a storm of commands, here or in
/// another domain, leaves clients' queries their connections, and a storm of clients' queries leaves the lanes theirs.
#[derive(Clone)]
pub(crate) struct Database {
    pub lanes: PgPool,
    /// For the queries of clients.
    pub reads: PgPool,
    /// For the queries of other domains, and for the reads of commands: look-ups and `prepare`, effects, deadlines.
    pub internal_reads: PgPool,
    pub presence: Presence,
    /// What lanes hold between two batches.
    pub held: Held,
}

impl Database {
    /// A connection for a lane.
    ///
    /// # Errors
    /// Where none can be had.
    pub(crate) async fn lane(&self) -> Result<PoolConnection<Postgres>, sqlx::Error> {
        match self.held.take() {
            Some(connection) => Ok(connection),
            None => self.lanes.acquire().await,
        }
    }

    /// Holds a lane's connection for its next batch. One whose transaction broke is dropped instead, so that the pool looks
    /// at it.
    pub(crate) fn hold(&self, connection: PoolConnection<Postgres>) {
        self.held.put(connection);
    }

    /// Pools that connect when first used, and let go of connections that idle.
    pub(crate) fn open(url: &str, domain: &str, lanes: u32) -> Result<Self, sqlx::Error> {
        let options = url.parse::<PgConnectOptions>()?.application_name(&format!("souk-{domain}")).options([
            ("lock_timeout", "2s"),
            ("statement_timeout", "5s"),
            ("idle_in_transaction_session_timeout", "3s"),
            // The inbox and its cursors are read in this order at this level; no other is safe.
            ("default_transaction_isolation", "read committed"),
            // Plans are kept per connection, and one made while a table was empty would scan it for ever after. Every
            // statement here has an index to go by.
            ("enable_seqscan", "off"),
            ("random_page_cost", "1.1"),
            ("jit", "off"),
        ]);
        // What lanes and domains run are a few statements over keys: one plan each. The lists of clients are planned with
        // their filters.
        let generic = options.clone().options([("plan_cache_mode", "force_generic_plan")]);
        let pool = |options: &PgConnectOptions, size: u32, kept: u32| {
            PgPoolOptions::new()
                .max_connections(size)
                .min_connections(kept)
                .acquire_timeout(Duration::from_secs(5))
                .idle_timeout(IDLE)
                // One round trip per batch saved; a dead connection shows itself as a breakage, which is repeated.
                .test_before_acquire(false)
                .connect_lazy_with(options.clone())
        };
        let lanes = pool(&generic, lanes + 3, 0);
        let (reads, internal_reads) = (pool(&options, READS, READS_KEPT), pool(&generic, INTERNAL_READS, 0));
        let held = Held::default();
        let pools =
            [(lanes.clone(), generic.clone()), (reads.clone(), options.clone()), (internal_reads.clone(), generic)];
        let presence = Presence::new(options, pools, held.clone());
        Ok(Self { lanes, reads, internal_reads, presence, held })
    }

    /// Opens the connections that are kept, so that no client waits for them.
    ///
    /// # Errors
    /// Where the database does not answer.
    pub(crate) async fn open_kept(&self) -> Result<(), sqlx::Error> {
        let mut kept = Vec::new();
        for _ in 0..READS_KEPT {
            kept.push(self.reads.acquire().await?);
        }
        Ok(())
    }
}

/// Brings a domain's database to the newest schema: the runtime's tables first, then the domain's own.
///
/// # Errors
/// Where a migration fails, or was changed after it ran.
pub async fn migrate(url: &str, domain: Migrator) -> Result<(), sqlx::Error> {
    let options: PgConnectOptions = url.parse()?;
    let mut connection = options.connect().await?;
    let mut own = sqlx::migrate!("./migrations");
    own.dangerous_set_table_name("_runtime_migrations");
    own.run(&mut connection).await?;
    domain.run(&mut connection).await?;
    begin_era(&mut connection).await?;
    connection.close().await
}

/// Begins an era where the server was started anew since the last one. Its number is never used again: the clock in
/// microseconds, or the last one plus one.
pub(crate) async fn begin_era(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into era (era, started, forked_at)
         select greatest(coalesce((select max(era) from era), 0) + 1,
                         (extract(epoch from clock_timestamp()) * 1000000)::bigint),
                pg_postmaster_start_time(),
                coalesce((select max(xid) from event_log where era = (select max(era) from era)), 0)
         on conflict (started) do nothing",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The database's clock.
pub(crate) async fn clock(database: impl PgExecutor<'_>) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar("select clock_timestamp()").fetch_one(database).await
}
