//! Where is looked: every domain's database, and the streams.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, anyhow, bail};
use async_nats::jetstream;
use futures::future::join_all;
use sqlx::{
    Connection, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// How long a database may take to let us in.
const PATIENCE: Duration = Duration::from_secs(10);

/// Every domain's database, and the streams.
#[derive(Clone)]
pub struct Sources {
    databases: BTreeMap<String, PgPool>,
    streams: jetstream::Context,
    /// Why databases cannot be looked into.
    away: BTreeMap<String, String>,
}

impl Sources {
    /// Databases by domain, under a role that may read them; a connection of a NATS user who may read every stream. A
    /// statement may take as long as `longest`, whether or not somebody still waits for it.
    ///
    /// # Errors
    /// Where a URL cannot be read. Nothing is connected yet.
    pub fn open(urls: &BTreeMap<String, String>, nats: async_nats::Client, longest: Duration) -> Result<Self> {
        let (mut databases, longest) = (BTreeMap::new(), format!("{}s", longest.as_secs()));
        for (domain, url) in urls {
            let options: PgConnectOptions = url.parse().with_context(|| format!("the database URL of {domain}"))?;
            let options = options.application_name("souk-check").options([
                // Whatever the role may do: a check changes nothing.
                ("default_transaction_read_only", "on"),
                ("statement_timeout", longest.as_str()),
                ("idle_in_transaction_session_timeout", "120s"),
            ]);
            let pool = PgPoolOptions::new()
                .max_connections(3)
                .min_connections(0)
                .acquire_timeout(PATIENCE)
                .idle_timeout(Duration::from_secs(30))
                .connect_lazy_with(options);
            databases.insert(domain.clone(), pool);
        }
        let streams = jetstream::ContextBuilder::new().timeout(Duration::from_secs(5)).build(nats);
        Ok(Self { databases, streams, away: BTreeMap::new() })
    }

    /// Knocks at every database at once, so that one that is away is waited for only once, and named with its reason.
    pub(crate) async fn reach(&self) -> Self {
        let knock = |(domain, pool): (&String, &PgPool)| {
            let (domain, pool) = (domain.clone(), pool.clone());
            async move { why_away(&pool).await.map(|reason| (domain, reason)) }
        };
        let away = join_all(self.databases.iter().map(knock)).await.into_iter().flatten().collect();
        Self { away, ..self.clone() }
    }

    /// Lets go of every connection to a database.
    pub async fn close(&self) {
        for pool in self.databases.values() {
            pool.close().await;
        }
    }

    /// Every domain with its database.
    pub(crate) fn domains(&self) -> Result<impl Iterator<Item = (&str, &PgPool)>> {
        if let Some((domain, reason)) = self.away.first_key_value() {
            bail!("the database of {domain} cannot be reached: {reason}");
        }
        Ok(self.databases.iter().map(|(domain, pool)| (domain.as_str(), pool)))
    }

    /// A domain's database.
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

/// Why a database lets nobody in; nothing where it does.
async fn why_away(pool: &PgPool) -> Option<String> {
    let error = pool.acquire().await.err()?;
    if !matches!(error, sqlx::Error::PoolTimedOut) {
        return Some(error.to_string());
    }
    // The pool knocks until its time is over and then tells only that; what stands in the way is told at once.
    match tokio::time::timeout(PATIENCE, PgConnection::connect_with(&pool.connect_options())).await {
        Ok(Ok(connection)) => connection.close().await.err().map(|error| error.to_string()),
        Ok(Err(error)) => Some(error.to_string()),
        Err(_) => Some(error.to_string()),
    }
}
