//! The domains of this shop and their dependencies. The only place that depends on all of them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use runtime::{Domain, NodeBuilder, NodeConfig, StreamSpec};
use sqlx::migrate::Migrator;
use subjects::{
    DOMAINS,
    identity::{GetKeys, GetRevocations},
    roles,
};

use crate::{
    invariants::{self, Operations},
    settings::{self, Servers, Settings, signing_key},
};

/// Starts a node with the given domains, and with the checks if requested.
pub(crate) async fn start(
    settings: &Settings,
    servers: &Servers,
    domains: &[&str],
    checks: Option<Operations>,
) -> Result<runtime::Node> {
    let mut config = NodeConfig::new(servers.nats.clone());
    config.lanes = settings.lanes;
    config.drain = settings.drain;
    config.dead_letter_access = roles::ADMINS;
    config.revocations = settings.revocations;
    let mut node = NodeBuilder::new(config);
    for domain in domains {
        let (url, stream) = (servers.database(domain)?, stream_spec(domain)?);
        node = match *domain {
            subjects::identity::DOMAIN => {
                let key = signing_key(settings, servers.is_local)?;
                node.domain(identity::Identity::new(identity::IdentityConfig::new(key)), url, stream)
            }
            subjects::catalog::DOMAIN => node.domain(catalog::Catalog, url, stream),
            subjects::inventory::DOMAIN => node.domain(inventory::Inventory, url, stream),
            subjects::carts::DOMAIN => node.domain(carts::Carts, url, stream),
            subjects::orders::DOMAIN => {
                let config = orders::OrdersConfig { payment_deadline: settings.payment_deadline };
                node.domain(orders::Orders::new(&config), url, stream)
            }
            subjects::payments::DOMAIN => {
                let config = settings::payments(servers.is_local)?;
                node.domain(payments::Payments::new(config), url, stream)
            }
            other => bail!("there is no domain {other:?}; there are {}", DOMAINS.join(", ")),
        };
    }
    if let Some(checks) = checks {
        node = node.service(checks, invariants::USER);
    }
    node.start::<GetKeys, GetRevocations>().await.context("the node did not start")
}

/// The migrations of a domain.
pub(crate) fn migrations(domain: &str) -> Result<Migrator> {
    Ok(match domain {
        subjects::identity::DOMAIN => identity::Identity::migrations(),
        subjects::catalog::DOMAIN => catalog::Catalog::migrations(),
        subjects::inventory::DOMAIN => inventory::Inventory::migrations(),
        subjects::carts::DOMAIN => carts::Carts::migrations(),
        subjects::orders::DOMAIN => orders::Orders::migrations(),
        subjects::payments::DOMAIN => payments::Payments::migrations(),
        other => bail!("there is no domain {other:?}"),
    })
}

/// Migrates the databases of the given domains to the newest schema.
pub(crate) async fn migrate(servers: &Servers, domains: &[&str], progress: impl Fn(&str)) -> Result<()> {
    for domain in domains {
        progress(&format!("schema of {domain}"));
        runtime::migrate(&servers.database(domain)?, migrations(domain)?)
            .await
            .with_context(|| format!("the schema of {domain}"))?;
    }
    Ok(())
}

/// The specification of a domain's stream, from nats/streams.json or the file that `SOUK_STREAMS` names.
pub(crate) fn stream_spec(domain: &str) -> Result<StreamSpec> {
    let text = match std::env::var("SOUK_STREAMS") {
        Ok(path) => std::fs::read_to_string(&path).with_context(|| format!("SOUK_STREAMS is {path:?}"))?,
        Err(_) => include_str!("../nats/streams.json").to_owned(),
    };
    let mut specs: BTreeMap<String, StreamSpec> = serde_json::from_str(&text).context("the stream specifications")?;
    Ok(specs.remove(domain).or_else(|| specs.remove("default")).unwrap_or_default())
}

/// Validates the domains named on the command line and returns them in start order.
pub(crate) fn chosen(names: &[String]) -> Result<Vec<&'static str>> {
    for name in names {
        if !DOMAINS.contains(&name.as_str()) {
            bail!("there is no domain {name:?}; there are {}", DOMAINS.join(", "));
        }
    }
    Ok(DOMAINS.into_iter().filter(|domain| names.iter().any(|name| name == domain)).collect())
}
