//! Where is looked: every domain's database, and the streams.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, Result, anyhow};
use async_nats::jetstream;
use sqlx::{
    PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

/// Every domain's database, and the streams.
#[derive(Clone)]
pub struct Sources {
    databases: BTreeMap<String, PgPool>,
    streams: jetstream::Context,
}

impl Sources {
    /// Databases by domain, under a role that may read them; a connection of a NATS user who may read every stream.
    ///
    /// # Errors
    /// Where a URL cannot be read. Nothing is connected yet.
    pub fn open(urls: &BTreeMap<String, String>, nats: async_nats::Client) -> Result<Self> {
        let mut databases = BTreeMap::new();
        for (domain, url) in urls {
            let options: PgConnectOptions = url.parse().with_context(|| format!("the database URL of {domain}"))?;
            let options = options.application_name("souk-check").options([
                // Whatever the role may do: a check changes nothing.
                ("default_transaction_read_only", "on"),
                ("statement_timeout", "120s"),
                ("idle_in_transaction_session_timeout", "120s"),
            ]);
            let pool = PgPoolOptions::new()
                .max_connections(3)
                .min_connections(0)
                .acquire_timeout(Duration::from_secs(10))
                .idle_timeout(Duration::from_secs(30))
                .connect_lazy_with(options);
            databases.insert(domain.clone(), pool);
        }
        let streams = jetstream::ContextBuilder::new().timeout(Duration::from_secs(5)).build(nats);
        Ok(Self { databases, streams })
    }

    /// Lets go of every connection to a database.
    pub async fn close(&self) {
        for pool in self.databases.values() {
            pool.close().await;
        }
    }

    /// Every domain with its database.
    pub(crate) fn domains(&self) -> impl Iterator<Item = (&str, &PgPool)> {
        self.databases.iter().map(|(domain, pool)| (domain.as_str(), pool))
    }

    /// A domain's database.
    pub(crate) fn database(&self, domain: &str) -> Result<&PgPool> {
        self.databases.get(domain).ok_or_else(|| anyhow!("there is no database of {domain}"))
    }

    pub(crate) fn streams(&self) -> &jetstream::Context {
        &self.streams
    }
}
