//! Typed settings, each from its environment variable, else from `souk.toml`, else its default. An invalid value stops
//! the start with an error that names its variable or its key.
//!
//! To read first: `table.rs` (every setting), `sources.rs` (where a value comes from), `report.rs` (what
//! `souk config check` prints).

mod check;
mod file;
mod forms;
mod logs;
#[cfg(test)]
mod pages;
mod payments;
mod rates;
mod report;
mod sandbox;
mod servers;
mod setting;
mod shop;
mod sources;
mod stack;
mod table;

use std::{
    net::SocketAddr,
    num::NonZero,
    path::{Path, PathBuf},
    thread::available_parallelism,
    time::Duration,
};

use ::stack::StackConfig;
use anyhow::{Context, Result, anyhow, bail};
use gateway::TrustedProxies;
use subjects::shop::Shop;

pub(crate) use check::CheckServers;
pub(crate) use logs::{LogFiles, LogFormat, LogSettings};
pub(crate) use payments::payments;
pub(crate) use rates::rates;
pub(crate) use report::Report;
pub(crate) use sandbox::sandbox;
pub(crate) use servers::Servers;
use setting::{Setting, Words};
pub(crate) use sources::Sources;

/// The settings common to all commands.
pub(crate) struct Settings {
    /// The home directory of the local stack.
    pub home: PathBuf,
    /// The address of the gateway.
    pub http: SocketAddr,
    /// The gateway's certificate and its private key, PEM files.
    pub http_tls: Option<(PathBuf, PathBuf)>,
    /// The address of a node's metrics and health endpoints.
    pub metrics: SocketAddr,
    /// The number of lanes per domain.
    pub lanes: usize,
    /// How long a start waits for servers that do not accept connections yet.
    pub start_timeout: Duration,
    /// The timeout of a drain.
    pub drain: Duration,
    /// A file with the specifications of the streams, instead of the one that is compiled in.
    pub streams: Option<PathBuf>,
    /// How long an order may stay unpaid.
    pub payment_deadline: Duration,
    /// The origins from which browsers may send requests.
    pub cors_origins: Vec<String>,
    /// The proxies whose `X-Forwarded-For` names the client.
    pub trusted_proxies: TrustedProxies,
    /// How many revocations a node keeps; beyond that it queries identity for every token.
    pub revocations: usize,
    /// The file of the Ed25519 key that signs access tokens, PKCS#8 PEM.
    pub signing_key: Option<PathBuf>,
    pub shop: Shop,
    /// For the settings of single commands.
    sources: Sources,
}

impl Settings {
    pub(crate) fn load() -> Result<Self> {
        Self::of(Sources::load()?)
    }

    fn of(sources: Sources) -> Result<Self> {
        Ok(Self {
            home: sources.read(&table::HOME)?,
            http: sources.read(&table::HTTP_ADDR)?,
            http_tls: pair(&sources, &table::HTTP_TLS_CERT, &table::HTTP_TLS_KEY)?,
            metrics: sources.read(&table::METRICS_ADDR)?,
            lanes: sources.optional(&table::LANES)?.unwrap_or_else(|| lanes_for(available_parallelism())),
            start_timeout: sources.read(&table::START_TIMEOUT)?,
            drain: Duration::from_secs(sources.read(&table::DRAIN_SECONDS)? as u64),
            streams: sources.optional(&table::STREAMS)?,
            payment_deadline: sources.read(&table::PAYMENT_DEADLINE)?,
            cors_origins: sources.optional(&table::CORS_ORIGINS)?.unwrap_or_default(),
            trusted_proxies: sources.optional(&table::TRUSTED_PROXIES)?.unwrap_or_default(),
            revocations: sources.read(&table::REVOCATIONS)?,
            signing_key: sources.optional(&table::SIGNING_KEY)?,
            shop: shop::shop(&sources)?,
            sources,
        })
    }

    /// The configuration of the local stack with these NATS users.
    pub(crate) fn stack(&self, nats: ::stack::NatsUsers) -> Result<StackConfig> {
        stack::stack(&self.sources, self.home.clone(), nats)
    }

    /// The password of the demo accounts on servers other than the local stack.
    pub(crate) fn demo_password(&self) -> Result<Option<String>> {
        self.sources.optional(&table::DEMO_PASSWORD)
    }

    /// The password of the account that `souk admin create` creates.
    pub(crate) fn admin_password(&self) -> Result<Option<String>> {
        self.sources.optional(&table::ADMIN_PASSWORD)
    }

    /// The minimum age at which `souk trim` deletes a commit from a log. Must be at least the age of the oldest backup
    /// that may be restored.
    pub(crate) fn log_retention(&self) -> Result<Duration> {
        self.sources.read(&table::LOG_RETENTION)
    }

    /// The settings file, if it has secrets and every user of the machine may read it.
    pub(crate) fn exposed_file(&self) -> Option<&Path> {
        self.sources.exposed_file()
    }
}

/// Lanes per domain: half the number of cores, rounded up, and at most four, since each lane holds a connection. With
/// fewer lanes batches grow, and each item bears less of the cost of its transaction.
fn lanes_for(cores: std::io::Result<NonZero<usize>>) -> usize {
    cores.map_or(1, |cores| cores.get().div_ceil(2).min(4))
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

/// Two files that must be set together.
fn pair(
    sources: &Sources,
    certificate: &Setting<PathBuf, Words>,
    key: &Setting<PathBuf, Words>,
) -> Result<Option<(PathBuf, PathBuf)>> {
    match (sources.optional(certificate)?, sources.optional(key)?) {
        (Some(certificate), Some(key)) => Ok(Some((certificate, key))),
        (None, None) => Ok(None),
        _ => bail!("{} and {} belong together: only one of them is set", certificate.variable(), key.variable()),
    }
}
