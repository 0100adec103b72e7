//! The data under check: the databases of all domains, and the streams.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use async_nats::jetstream;
use futures::future::join_all;
use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Timeout for connecting to a database.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The databases of all domains, and the streams.
#[derive(Clone)]
pub struct Sources {
    databases: BTreeMap<String, PgPool>,
    streams: jetstream::Context,
    /// Errors of unreachable databases, by domain.
    away: BTreeMap<String, String>,
}

impl Sources {
    /// Opens databases by domain, with a role that may read them, and a connection of a NATS user that may read every
    /// stream. `longest` limits each statement on the server, even if its client is gone.
    ///
    /// # Errors
    /// If a URL is invalid. Nothing is connected yet.
    pub fn open(urls: &BTreeMap<String, String>, nats: async_nats::Client, longest: Duration) -> Result<Self> {
        let (mut databases, longest) = (BTreeMap::new(), format!("{}s", longest.as_secs()));
        for (domain, url) in urls {
            let options: PgConnectOptions = url.parse().with_context(|| format!("the database URL of {domain}"))?;
            let options = options.application_name("souk-check").options([
                // Enforces read-only access whatever the rights of the role.
                ("default_transaction_read_only", "on"),
                ("statement_timeout", longest.as_str()),
                ("idle_in_transaction_session_timeout", "120s"),
            ]);
            let pool = PgPoolOptions::new()
                .max_connections(3)
                .min_connections(0)
                .acquire_timeout(TIMEOUT)
                .idle_timeout(Duration::from_secs(30))
                .connect_lazy_with(options);
            databases.insert(domain.clone(), pool);
        }
        let streams = jetstream::ContextBuilder::new().timeout(Duration::from_secs(5)).build(nats);
        Ok(Self { databases, streams, away: BTreeMap::new() })
    }

    /// Connects to all databases concurrently, so that unreachable ones cost one timeout in total, and records their
    /// errors.
    pub(crate) async fn reach(&self) -> Self {
        let probe = |(domain, pool): (&String, &PgPool)| {
            let (domain, pool) = (domain.clone(), pool.clone());
            async move { why_away(&pool).await.map(|reason| (domain, reason)) }
        };
        let away = join_all(self.databases.iter().map(probe)).await.into_iter().flatten().collect();
        Self { away, ..self.clone() }
    }

    /// Closes all database connections.
    pub async fn close(&self) {
        for pool in self.databases.values() {
            pool.close().await;
        }
    }

    /// All domains with their databases.
    pub(crate) fn domains(&self) -> Result<impl Iterator<Item = (&str, &PgPool)>> {
        if let Some((domain, reason)) = self.away.first_key_value() {
            bail!("the database of {domain} cannot be reached: {reason}");
        }
        Ok(self.databases.iter().map(|(domain, pool)| (domain.as_str(), pool)))
    }

    /// The database of a domain.
    pub(crate) fn database(&self, domain: &str) -> Result<&PgPool> {
        if let Some(reason) = self.away.get(domain) {
            bail!("the database of {domain} cannot be reached: {reason}");
        }
        self.databases.get(domain).ok_or_else(|| anyhow!("there is no database of {domain}"))
    }

    pub(crate) fn streams(&self) -> &jetstream::Context {
        &self.streams
    }
}

/// The error of an unreachable database, or `None`.
async fn why_away(pool: &PgPool) -> Option<String> {
    let error = pool.acquire().await.err()?;
    if !matches!(error, sqlx::Error::PoolTimedOut) {
        return Some(error.to_string());
    }
    // The pool retries until its timeout and then reports only that; a direct connection yields the cause at once.
    match tokio::time::timeout(TIMEOUT, PgConnection::connect_with(&pool.connect_options())).await {
        Ok(Ok(connection)) => connection.close().await.err().map(|error| error.to_string()),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(error.to_string()),
    }
}
