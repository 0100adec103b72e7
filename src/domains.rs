//! The domains of this shop and their dependencies. The only place that depends on all of them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use contract::Request;
use runtime::{Domain, MigrationError, NodeBuilder, NodeConfig, StreamSpec, Uses};
use sqlx::migrate::Migrator;
use stack::{NatsUser, NatsUsers};
use subjects::{
    DOMAINS,
    identity::{GetKeys, GetRevocations},
    roles,
};

use crate::{
    invariants::{self, Operations},
    settings::{self, Servers, Settings, signing_key},
};

/// A domain: its migrations, what it uses of others, and how a node hosts it.
struct Entry {
    name: &'static str,
    migrations: fn() -> Migrator,
    uses: fn() -> Uses,
    host: fn(NodeBuilder, &Settings, &Servers, String, StreamSpec) -> Result<NodeBuilder>,
}

macro_rules! table {
    ($($domain:ty = |$settings:pat_param, $servers:pat_param| $new:expr;)+) => {
        &[$(Entry {
            name: <$domain>::NAME,
            migrations: <$domain>::migrations,
            uses: Uses::of::<$domain>,
            host: |node, $settings, $servers, url, stream| Ok(node.domain($new, url, stream)),
        }),+]
    };
}

/// The one table of domains, in start order.
const TABLE: &[Entry] = table! {
    identity::Identity = |settings, servers| {
        identity::Identity::new(identity::IdentityConfig::new(signing_key(settings, servers.is_local)?))
    };
    catalog::Catalog = |_, _| catalog::Catalog;
    inventory::Inventory = |_, _| inventory::Inventory;
    pricing::Pricing = |_, _| pricing::Pricing;
    carts::Carts = |_, _| carts::Carts;
    orders::Orders = |settings, _| {
        orders::Orders::new(&orders::OrdersConfig { payment_deadline: settings.payment_deadline })
    };
    payments::Payments = |settings, servers| payments::Payments::new(settings::payments(settings, servers.is_local)?);
};

fn entry(domain: &str) -> Result<&'static Entry> {
    let found = TABLE.iter().find(|entry| entry.name == domain);
    found.with_context(|| format!("there is no domain {domain:?}; there are {}", DOMAINS.join(", ")))
}

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
    config.guarded_access = roles::ADMINS;
    config.audited_roles = &roles::STAFF;
    config.revocations = settings.revocations;
    let mut node = NodeBuilder::new(config);
    for domain in domains {
        let (url, stream) = (servers.database(domain)?, stream_spec(settings, domain)?);
        node = (entry(domain)?.host)(node, settings, servers, url, stream)?;
    }
    if let Some(checks) = checks {
        node = node.service(checks, invariants::USER);
    }
    node.start::<GetKeys, GetRevocations>().await.context("the node did not start")
}

/// What the users of NATS use of one another, by the registrations of the domains and of the checks.
pub(crate) fn nats_users() -> NatsUsers {
    NatsUsers {
        domains: TABLE.iter().map(|entry| nats_user((entry.uses)())).collect(),
        checks: nats_user(Uses::of_service::<Operations>()),
        gateway: vec![GetRevocations::subject()],
    }
}

/// All of them verify access tokens too.
fn nats_user(Uses { name, mut requests, sources }: Uses) -> NatsUser {
    requests.extend([GetKeys::subject(), GetRevocations::subject()]);
    NatsUser {
        name: name.to_owned(),
        requests: requests.into_iter().collect(),
        sources: sources.into_iter().map(str::to_owned).collect(),
    }
}

/// The migrations of a domain.
pub(crate) fn migrations(domain: &str) -> Result<Migrator> {
    Ok((entry(domain)?.migrations)())
}

/// Migrates the databases of the given domains to the newest schema.
pub(crate) async fn migrate(servers: &Servers, domains: &[&str], progress: impl Fn(&str)) -> Result<()> {
    for domain in domains {
        progress(&format!("schema of {domain}"));
        match runtime::migrate(&servers.database(domain)?, migrations(domain)?).await {
            Ok(()) => {}
            Err(error @ MigrationError::Unreleased) => {
                let remedy = match servers.is_local {
                    true => "`make clean` deletes the local stack with its data",
                    false => "use new databases",
                };
                bail!("the database of {domain}: {error}; {remedy}");
            }
            Err(error) => return Err(error).with_context(|| format!("the schema of {domain}")),
        }
    }
    Ok(())
}

/// The specification of a domain's stream, from nats/streams.json or the file that `SOUK_STREAMS` names.
pub(crate) fn stream_spec(settings: &Settings, domain: &str) -> Result<StreamSpec> {
    let text = match &settings.streams {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("SOUK_STREAMS is {path:?}"))?,
        None => include_str!("../nats/streams.json").to_owned(),
    };
    let mut specs: BTreeMap<String, StreamSpec> = serde_json::from_str(&text).context("the stream specifications")?;
    Ok(specs.remove(domain).or_else(|| specs.remove("default")).unwrap_or_default())
}

/// Validates the domains named on the command line and returns them in start order.
pub(crate) fn chosen(names: &[String]) -> Result<Vec<&'static str>> {
    for name in names {
        entry(name)?;
    }
    Ok(DOMAINS.into_iter().filter(|domain| names.iter().any(|name| name == domain)).collect())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_table_has_the_domains_that_have_messages() {
        assert_eq!(TABLE.iter().map(|entry| entry.name).collect::<Vec<_>>(), DOMAINS);
    }

    /// `UPDATE_GOLDEN=1` rewrites the file.
    #[test]
    fn the_checked_in_users_conf_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("nats/users.conf");
        let wanted = stack::production_users_conf(&nats_users());
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let present = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(present == wanted, "nats/users.conf is not current: run make golden");
    }
}
