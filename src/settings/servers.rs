//! Connection settings of NATS and PostgreSQL: credentials, certificates, and URLs derived from one another.

use std::{path::PathBuf, str::FromStr};

use anyhow::{Context, Result};
use runtime::{NatsConfig, NatsTls};
use sqlx::{ConnectOptions, postgres::PgConnectOptions};

use super::{optional, pair};

/// NATS at `NATS_URL`, with the keys, root certificate and client certificate named by the environment.
pub(super) fn nats(url: String) -> Result<NatsConfig> {
    let path = |variable| anyhow::Ok(optional(variable)?.map(PathBuf::from));
    let tls = NatsTls { ca: path("SOUK_NATS_CA")?, client: pair("SOUK_NATS_CLIENT_CERT", "SOUK_NATS_CLIENT_KEY")? };
    Ok(NatsConfig { url, keys: path("SOUK_NATS_KEYS")?, tls })
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
