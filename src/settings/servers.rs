//! Connection settings of NATS and PostgreSQL: credentials, certificates, and URLs derived from one another.

use std::{collections::BTreeMap, str::FromStr};

use anyhow::{Context, Result, anyhow, bail};
use runtime::{NatsConfig, NatsTls};
use sqlx::{ConnectOptions, postgres::PgConnectOptions};

use super::{
    Settings, Sources, pair,
    table::{
        DATABASE_URL, DOMAIN_DATABASE_URL, DOMAIN_PASSWORD, NATS_CA, NATS_CLIENT_CERT, NATS_CLIENT_KEY, NATS_KEYS,
        NATS_URL,
    },
};

/// The addresses and credentials of the servers.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    pub nats: NatsConfig,
    /// Whether this is the local stack, as opposed to servers operated elsewhere.
    pub is_local: bool,
    databases: BTreeMap<String, String>,
}

impl Servers {
    /// Those that the settings name, or the local stack that runs in `SOUK_HOME`.
    pub(crate) fn find(settings: &Settings, domains: &[&str]) -> Result<Self> {
        match Self::named(&settings.sources, domains)? {
            Some(servers) => Ok(servers),
            None => Self::of_stack(&stack::find_running(&settings.home)?, domains),
        }
    }

    /// Those that the settings name.
    pub(super) fn named(sources: &Sources, domains: &[&str]) -> Result<Option<Self>> {
        let nats_url = sources.optional(&NATS_URL)?;
        let base = sources.optional(&DATABASE_URL)?;
        let mut own = BTreeMap::new();
        for domain in domains {
            if let Some(url) = sources.of_domain(&DOMAIN_DATABASE_URL, domain)? {
                own.insert((*domain).to_owned(), url);
            }
        }
        if nats_url.is_none() && base.is_none() && own.is_empty() {
            return Ok(None);
        }
        let url = nats_url.context("DATABASE_URL is set, so NATS_URL must be set too")?;
        let mut databases = BTreeMap::new();
        for domain in domains {
            let url = match (own.remove(*domain), &base) {
                (Some(url), _) => url,
                (None, Some(base)) => database_of(sources, base, domain)?,
                (None, None) => bail!("neither DATABASE_URL nor DATABASE_URL_{} is set", domain.to_uppercase()),
            };
            databases.insert((*domain).to_owned(), url);
        }
        Ok(Some(Self { nats: nats(sources, url)?, is_local: false, databases }))
    }

    /// The servers of a local stack.
    pub(crate) fn of_stack(stack: &stack::StackInfo, domains: &[&str]) -> Result<Self> {
        let databases = domains
            .iter()
            .map(|domain| Ok(((*domain).to_owned(), stack.database_url(domain)?)))
            .collect::<Result<_>>()?;
        Ok(Self { nats: nats_of_stack(stack), is_local: true, databases })
    }

    /// The URL of a domain's database.
    pub(crate) fn database(&self, domain: &str) -> Result<String> {
        self.databases.get(domain).cloned().ok_or_else(|| anyhow!("there is no domain {domain:?}"))
    }
}

/// The URL of a domain on the server that `DATABASE_URL` names: its database and role have the domain's name.
fn database_of(sources: &Sources, base: &str, domain: &str) -> Result<String> {
    let password = sources.of_domain(&DOMAIN_PASSWORD, domain)?;
    database_as(base, domain, Some(domain), password.as_deref()).context("DATABASE_URL")
}

/// NATS at `NATS_URL`, with the keys, root certificate and client certificate that the settings name.
pub(super) fn nats(sources: &Sources, url: String) -> Result<NatsConfig> {
    let client = pair(sources, &NATS_CLIENT_CERT, &NATS_CLIENT_KEY)?;
    let tls = NatsTls { ca: sources.optional(&NATS_CA)?, client };
    Ok(NatsConfig { url, keys: sources.optional(&NATS_KEYS)?, tls })
}

/// NATS of a local stack.
pub(super) fn nats_of_stack(stack: &stack::StackInfo) -> NatsConfig {
    let tls = NatsTls { ca: stack.ca().map(ToOwned::to_owned), client: None };
    NatsConfig { url: stack.nats_url(), keys: Some(stack.nats_keys().to_owned()), tls }
}

/// The URL of the same server for another role, and optionally another database and password. Other connection options,
/// including the certificates, stay.
pub(super) fn database_as(url: &str, role: &str, database: Option<&str>, password: Option<&str>) -> Result<String> {
    let mut options = PgConnectOptions::from_str(url).context("not a URL of a database")?.username(role);
    if let Some(database) = database {
        options = options.database(database);
    }
    if let Some(password) = password {
        options = options.password(password);
    }
    let mut url = options.to_url_lossy();
    // The library writes a certificate as `file: <path>`, which it cannot parse back.
    let parameters: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), value.strip_prefix("file: ").unwrap_or(&value).to_owned()))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(parameters);
    Ok(url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_has_its_own_role_and_database_on_the_common_server() {
        let sources = Sources::of(&[], "database.passwords.orders = \"ours\"").unwrap();
        let url = |domain| database_of(&sources, "postgres://someone:secret@db.example:6432/postgres", domain).unwrap();
        assert!(url("orders").starts_with("postgres://orders:ours@db.example:6432/orders"), "{}", url("orders"));
        assert!(url("carts").starts_with("postgres://carts:secret@db.example:6432/carts"), "{}", url("carts"));
    }

    #[test]
    fn another_role_reaches_the_server_in_the_same_way() {
        let base = "postgres://souk:secret@db.example:6432/postgres\
            ?sslmode=verify-full&sslrootcert=/etc/souk/my%20ca.pem&sslcert=/etc/souk/c.pem&sslkey=/etc/souk/k.pem";
        let url = database_as(base, "orders", Some("orders"), None).unwrap();
        assert!(url.starts_with("postgres://orders:secret@db.example:6432/orders?sslmode=verify-full&"), "{url}");
        for certificate in ["sslrootcert=%2Fetc%2Fsouk%2Fmy+ca.pem", "sslcert=%2Fetc%2Fsouk%2Fc.pem", "sslkey="] {
            assert!(url.contains(certificate), "{url}");
        }
        assert_eq!(database_as(&url, "orders", None, None).unwrap(), url, "and so does one made from that");
        let url = database_as("postgres://orders:theirs@db/shop_orders", "souk_check", None, Some("ours")).unwrap();
        assert!(url.starts_with("postgres://souk_check:ours@db") && url.contains("/shop_orders"), "{url}");
    }
}
