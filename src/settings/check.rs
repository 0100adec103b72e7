//! The data sources of the conservation checks.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use runtime::NatsConfig;

use super::{
    Settings,
    servers::{database_as, nats, nats_of_stack},
    table::{CHECK_PASSWORD, CHECK_URL, DATABASE_URL, DOMAIN_DATABASE_URL, NATS_URL},
};

/// The role that may read every database and write none.
const ROLE: &str = "souk_check";

/// NATS, and every domain's database with the read-only role.
#[derive(Debug, Clone)]
pub(crate) struct CheckServers {
    pub nats: NatsConfig,
    pub databases: BTreeMap<String, String>,
}

impl CheckServers {
    /// Reads `NATS_URL` and `SOUK_CHECK_URL`, or the URLs of the domains with `SOUK_DB_PASSWORD_SOUK_CHECK`, or uses
    /// the local stack that runs in `SOUK_HOME`.
    pub(crate) fn find(settings: &Settings, domains: &[&str]) -> Result<Self> {
        let sources = &settings.sources;
        let own = sources.optional(&CHECK_URL)?;
        let base = sources.optional(&DATABASE_URL)?;
        let password = sources.optional(&CHECK_PASSWORD)?;
        let mut databases = BTreeMap::new();
        for domain in domains {
            let of_domain = sources.of_domain(&DOMAIN_DATABASE_URL, domain)?;
            let url = match (&own, of_domain, &base) {
                (Some(url), ..) => as_check_role(url, domain, true, None),
                (None, Some(url), _) => as_check_role(&url, domain, false, password.as_deref()),
                (None, None, Some(url)) => as_check_role(url, domain, true, password.as_deref()),
                (None, None, None) => continue,
            };
            databases.insert((*domain).to_owned(), url.with_context(|| format!("the database of {domain}"))?);
        }
        let nats_url = sources.optional(&NATS_URL)?;
        if nats_url.is_none() && databases.is_empty() {
            return Ok(Self::of_stack(&stack::find_running(&settings.home)?, domains));
        }
        let url = nats_url.context("a database is named, so NATS_URL must be set too")?;
        if let Some(missing) = domains.iter().find(|domain| !databases.contains_key(**domain)) {
            let variable = missing.to_uppercase();
            bail!("none of SOUK_CHECK_URL, DATABASE_URL and DATABASE_URL_{variable} is set");
        }
        if own.is_none() && password.is_none() {
            bail!("neither SOUK_CHECK_URL nor SOUK_DB_PASSWORD_SOUK_CHECK is set: the checks read as the role {ROLE}");
        }
        Ok(Self { nats: nats(sources, url)?, databases })
    }

    /// The servers of a local stack.
    pub(crate) fn of_stack(stack: &stack::StackInfo, domains: &[&str]) -> Self {
        let databases = domains.iter().map(|domain| ((*domain).to_owned(), stack.check_url(domain))).collect();
        Self { nats: nats_of_stack(stack), databases }
    }
}

/// The URL of the same server with the role of the checks, and with the domain's database if `url` is common to all.
fn as_check_role(url: &str, domain: &str, is_common: bool, password: Option<&str>) -> Result<String> {
    database_as(url, ROLE, is_common.then_some(domain), password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checks_read_every_database_as_one_role() {
        let url = as_check_role("postgres://souk:secret@db.example:6432/postgres", "orders", true, None).unwrap();
        assert!(url.starts_with("postgres://souk_check:secret@db.example:6432/orders"), "{url}");
        let url = as_check_role("postgres://orders:theirs@db/shop_orders", "orders", false, Some("ours")).unwrap();
        assert!(url.starts_with("postgres://souk_check:ours@db") && url.contains("/shop_orders"), "{url}");
    }
}
