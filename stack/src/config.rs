//! Configuration of a stack.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::{rights::NatsUsers, tls::TlsFiles};

/// NATS and PostgreSQL users that are not domains.
const RESERVED: [&str; 11] = [
    "postgres",
    "template0",
    "template1",
    "souk_check",
    "sandbox",
    "gateway",
    "check",
    "operations",
    "operator",
    "cli",
    "internal",
];

/// Configuration of a stack.
#[derive(Debug, Clone)]
pub struct StackConfig {
    /// The home directory.
    pub home: PathBuf,
    /// The NATS port on 127.0.0.1; 0 picks a free one (that of the last run, if it was killed).
    pub nats_port: u16,
    /// The PostgreSQL port on 127.0.0.1; 0 picks a free one.
    pub pg_port: u16,
    /// The users of the nats-server. Without them none is started, and the caller provides its own NATS servers.
    pub nats: Option<NatsUsers>,
    /// The domains that get a database and a role.
    pub domains: Vec<String>,
    /// Makes both servers require TLS.
    pub tls: Option<TlsFiles>,
    /// Makes PostgreSQL count statements (`pg_stat_statements`), and nats-server serve its monitoring. For benches.
    pub has_statistics: bool,
}

impl StackConfig {
    /// A stack on free ports, for tests and tools. Its domains may send any request.
    pub fn on_free_ports(home: impl Into<PathBuf>, domains: &[&str]) -> Self {
        let nats = Some(NatsUsers::unrestricted(domains));
        let domains = domains.iter().map(ToString::to_string).collect();
        Self { home: home.into(), nats_port: 0, pg_port: 0, nats, domains, tls: None, has_statistics: false }
    }

    /// Domain names become SQL identifiers and subject tokens, so only plain ones are accepted.
    pub(crate) fn validate(&self) -> Result<()> {
        for domain in &self.domains {
            let harmless = domain.len() <= 30
                && domain.starts_with(|first: char| first.is_ascii_lowercase())
                && domain.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            ensure!(harmless, "{domain:?} is no domain name: lower-case letters, digits and _, at most 30");
            ensure!(!RESERVED.contains(&domain.as_str()), "{domain:?} is reserved and cannot name a domain");
        }
        ensure!(
            self.nats_port == 0 || self.nats_port != self.pg_port,
            "SOUK_NATS_PORT and SOUK_PG_PORT are both {}",
            self.pg_port
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(domains: &[&str]) -> StackConfig {
        StackConfig::on_free_ports("x", domains)
    }

    #[test]
    fn names_that_would_break_sql_or_subjects_are_rejected() {
        assert!(config(&["orders", "a_1"]).validate().is_ok());
        for bad in ["", "Orders", "1a", "a-b", "a.b", "a\"b", "operator", "postgres"] {
            assert!(config(&[bad]).validate().is_err(), "{bad}");
        }
    }
}
