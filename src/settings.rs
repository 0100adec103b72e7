//! Typed settings from the environment. An invalid value stops the start with an error that names its variable.

mod check;
mod logs;
mod payments;
mod rates;
mod sandbox;
mod servers;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::NonZero,
    path::{Path, PathBuf},
    str::FromStr,
    thread::available_parallelism,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use gateway::TrustedProxies;
use runtime::NatsConfig;

pub(crate) use check::CheckServers;
pub(crate) use logs::{LogFiles, LogFormat, LogSettings};
pub(crate) use payments::payments;
pub(crate) use rates::rates;
pub(crate) use sandbox::sandbox;
use servers::{database_as, nats, nats_of_stack};

/// The settings common to all commands.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// `SOUK_HOME`: the home directory of the local stack.
    pub home: PathBuf,
    /// `SOUK_HTTP_ADDR`: the address of the gateway.
    pub http: SocketAddr,
    /// `SOUK_HTTP_TLS_CERT` and `SOUK_HTTP_TLS_KEY`: the gateway's certificate and its private key, PEM files.
    pub http_tls: Option<(PathBuf, PathBuf)>,
    /// `SOUK_METRICS_ADDR`: the address of a node's metrics and health endpoints.
    pub metrics: SocketAddr,
    /// `SOUK_LANES`: the number of lanes per domain.
    pub lanes: usize,
    /// `SOUK_START_TIMEOUT`: how long a start waits for servers that do not accept connections yet.
    pub start_timeout: Duration,
    /// `SOUK_DRAIN_SECONDS`: the timeout of a drain.
    pub drain: Duration,
    /// `SOUK_ORDERS_PAYMENT_DEADLINE`: how long an order may stay unpaid.
    pub payment_deadline: Duration,
    /// `SOUK_CORS_ORIGINS`: the origins from which browsers may send requests.
    pub cors_origins: Vec<String>,
    /// `SOUK_TRUSTED_PROXIES`: the proxies whose `X-Forwarded-For` names the client.
    pub trusted_proxies: TrustedProxies,
    /// `SOUK_REVOCATIONS`: how many revocations a node keeps; beyond that it queries identity for every token.
    pub revocations: usize,
    /// `SOUK_SIGNING_KEY`: the file of the Ed25519 key that signs access tokens, PKCS#8 PEM.
    pub signing_key: Option<PathBuf>,
}

impl Settings {
    pub(crate) fn from_env() -> Result<Self> {
        let origins: String = read("SOUK_CORS_ORIGINS", String::new())?;
        Ok(Self {
            home: read("SOUK_HOME", PathBuf::from(".souk"))?,
            http: read("SOUK_HTTP_ADDR", SocketAddr::from(([127, 0, 0, 1], 8080)))?,
            http_tls: pair("SOUK_HTTP_TLS_CERT", "SOUK_HTTP_TLS_KEY")?,
            metrics: read("SOUK_METRICS_ADDR", SocketAddr::from(([127, 0, 0, 1], 9464)))?,
            lanes: within("SOUK_LANES", read("SOUK_LANES", lanes_for(available_parallelism()))?, 1, 64)?,
            start_timeout: duration("SOUK_START_TIMEOUT", Duration::from_secs(60))?,
            drain: Duration::from_secs(within("SOUK_DRAIN_SECONDS", read("SOUK_DRAIN_SECONDS", 20)?, 1, 600)? as u64),
            payment_deadline: duration("SOUK_ORDERS_PAYMENT_DEADLINE", Duration::from_secs(15 * 60))?,
            cors_origins: origins.split(',').map(str::trim).filter(|o| !o.is_empty()).map(str::to_owned).collect(),
            trusted_proxies: read("SOUK_TRUSTED_PROXIES", TrustedProxies::default())?,
            revocations: within("SOUK_REVOCATIONS", read("SOUK_REVOCATIONS", runtime::REVOCATIONS)?, 1, 10_000_000)?,
            signing_key: optional("SOUK_SIGNING_KEY")?.map(PathBuf::from),
        })
    }
}

/// Lanes per domain: half the number of cores, rounded up, and at most four, since each lane holds a connection. With
/// fewer lanes batches grow, and each item bears less of the cost of its transaction.
fn lanes_for(cores: std::io::Result<NonZero<usize>>) -> usize {
    cores.map_or(1, |cores| cores.get().div_ceil(2).min(4))
}

/// The addresses and credentials of the servers.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    pub nats: NatsConfig,
    /// Whether this is the local stack, as opposed to servers operated elsewhere.
    pub is_local: bool,
    databases: BTreeMap<String, String>,
}

impl Servers {
    /// Reads `NATS_URL` and `DATABASE_URL`, or uses the local stack that runs in `SOUK_HOME`.
    pub(crate) fn find(settings: &Settings, domains: &[&str]) -> Result<Self> {
        let nats_url = optional("NATS_URL")?;
        let base = optional("DATABASE_URL")?;
        let mut own = BTreeMap::new();
        for domain in domains {
            if let Some(url) = optional(&format!("DATABASE_URL_{}", domain.to_uppercase()))? {
                own.insert((*domain).to_owned(), url);
            }
        }
        if nats_url.is_none() && base.is_none() && own.is_empty() {
            return Self::of_stack(&stack::find_running(&settings.home)?, domains);
        }
        let url = nats_url.context("DATABASE_URL is set, so NATS_URL must be set too")?;
        let mut databases = BTreeMap::new();
        for domain in domains {
            let url = match (own.remove(*domain), &base) {
                (Some(url), _) => url,
                (None, Some(base)) => database_of(base, domain)?,
                (None, None) => bail!("neither DATABASE_URL nor DATABASE_URL_{} is set", domain.to_uppercase()),
            };
            databases.insert((*domain).to_owned(), url);
        }
        Ok(Self { nats: nats(url)?, is_local: false, databases })
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
fn database_of(base: &str, domain: &str) -> Result<String> {
    let password = optional(&format!("SOUK_DB_PASSWORD_{}", domain.to_uppercase()))?;
    database_as(base, domain, Some(domain), password.as_deref()).context("DATABASE_URL")
}

/// The key that signs access tokens: the configured one, or one generated on the first start of the local stack.
pub(crate) fn signing_key(settings: &Settings, is_local: bool) -> Result<identity::SigningKey> {
    let path = match (&settings.signing_key, is_local) {
        (Some(path), _) => path.clone(),
        (None, true) => local_key(&settings.home)?,
        (None, false) => bail!("SOUK_SIGNING_KEY is not set: it names the Ed25519 key of access tokens (PKCS#8 PEM)"),
    };
    let pem = std::fs::read_to_string(&path).with_context(|| format!("the signing key {}", path.display()))?;
    identity::SigningKey::from_pem(&pem).map_err(|error| anyhow!("the signing key {}: {error}", path.display()))
}

fn local_key(home: &Path) -> Result<PathBuf> {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;
    let path = home.join("signing-key.pem");
    if !path.exists() {
        let pem = identity::SigningKey::generate()?;
        // Written under a temporary name first, so that a process that dies here leaves no partial key.
        let draft = home.join(format!("signing-key.{}", std::process::id()));
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(pem.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(draft, &path)?;
    }
    Ok(path)
}

fn optional(variable: &str) -> Result<Option<String>> {
    match std::env::var(variable) {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => Ok(Some(text)),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(error) => Err(error).with_context(|| variable.to_owned()),
    }
}

/// Two files that must be set together.
fn pair(certificate: &str, key: &str) -> Result<Option<(PathBuf, PathBuf)>> {
    match (optional(certificate)?, optional(key)?) {
        (Some(certificate), Some(key)) => Ok(Some((certificate.into(), key.into()))),
        (None, None) => Ok(None),
        _ => bail!("{certificate} and {key} belong together: only one of them is set"),
    }
}

fn read<T: FromStr>(variable: &str, default: T) -> Result<T>
where
    T::Err: std::fmt::Display,
{
    match optional(variable)? {
        None => Ok(default),
        Some(text) => text.parse().map_err(|error| anyhow!("{variable} is {text:?}: {error}")),
    }
}

fn within(variable: &str, value: usize, least: usize, most: usize) -> Result<usize> {
    if (least..=most).contains(&value) { Ok(value) } else { bail!("{variable} is {value}, not {least} to {most}") }
}

/// The minimum age at which `souk trim` deletes a commit from a log: `SOUK_LOG_RETENTION`, a number of days such as
/// `90d`. Must be at least the age of the oldest backup that may be restored.
pub(crate) fn log_retention() -> Result<Duration> {
    let variable = "SOUK_LOG_RETENTION";
    let Some(text) = optional(variable)? else { return Ok(Duration::from_secs(90 * DAY)) };
    let days = text.trim().strip_suffix('d').and_then(|days| days.parse::<u64>().ok());
    let days = days.filter(|days| (1..=36_500).contains(days));
    let days = days.with_context(|| format!("{variable} is {text:?}, not 1d to 36500d"))?;
    Ok(Duration::from_secs(days * DAY))
}

/// Seconds per day.
const DAY: u64 = 24 * 3600;

/// `SOUK_DEMO_PASSWORD`: the password of the demo accounts on servers other than the local stack.
pub(crate) fn demo_password() -> Result<Option<String>> {
    optional("SOUK_DEMO_PASSWORD")
}

/// Parses `90`, `90s`, `15m` or `2h`.
fn duration(variable: &str, default: Duration) -> Result<Duration> {
    let Some(text) = optional(variable)? else { return Ok(default) };
    parse_duration(text.trim()).with_context(|| format!("{variable} is {text:?}, not a time such as 90s, 15m or 2h"))
}

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let seconds_of_unit = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let seconds: u64 = number.parse::<u64>().ok()?.checked_mul(seconds_of_unit)?;
    (1..=30 * 24 * 3600).contains(&seconds).then(|| Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit_and_within_bounds() {
        assert_eq!(parse_duration("90"), Some(Duration::from_secs(90)));
        assert_eq!(parse_duration("15m"), Some(Duration::from_secs(900)));
        for text in ["", "0", "m", "-1s", "1.5h", "31d", "9999999h"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn a_domain_has_its_own_role_and_database_on_the_common_server() {
        let url = database_of("postgres://someone:secret@db.example:6432/postgres", "orders").unwrap();
        assert!(url.starts_with("postgres://orders:"), "{url}");
        assert!(url.contains("@db.example:6432/orders"), "{url}");
    }
}
