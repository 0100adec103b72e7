//! The description of a running stack for other commands.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::config::StackConfig;
use crate::files;
use crate::home::{self, Home};
use crate::nats::Nats;
use crate::postgres::Postgres;
use crate::provision::{self, CHECK_ROLE, SANDBOX, SUPERUSER};

/// The servers of a stack and their credentials: the content of `<home>/stack.json`.
#[derive(Clone, Serialize, Deserialize)]
pub struct StackInfo {
    /// The stack's home directory.
    pub home: PathBuf,
    /// The NATS port on 127.0.0.1.
    pub nats_port: u16,
    /// The port of nats-server's monitoring on 127.0.0.1, if the stack was started with statistics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats_monitor_port: Option<u16>,
    /// The PostgreSQL port on 127.0.0.1.
    pub pg_port: u16,
    /// The PostgreSQL directory, which may lie outside the home.
    pub pg_dir: PathBuf,
    /// The domains that have a database and a NATS user.
    pub domains: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ca: Option<PathBuf>,
    keys: PathBuf,
    passwords: BTreeMap<String, String>,
}

impl StackInfo {
    pub(crate) fn new(home: &Home, nats: Option<&Nats>, postgres: &Postgres, config: &StackConfig) -> Self {
        Self {
            home: home.dir.clone(),
            nats_port: nats.map_or(0, |nats| nats.port),
            nats_monitor_port: nats.and_then(|nats| nats.monitor_port),
            pg_port: postgres.port,
            pg_dir: postgres.dir.clone(),
            domains: config.domains.clone(),
            ca: config.tls.as_ref().map(|tls| tls.ca.clone()),
            keys: home.path("nats/keys"),
            passwords: postgres.passwords.clone(),
        }
    }

    /// `nats://127.0.0.1:<port>`, or `tls://` if the servers require it.
    pub fn nats_url(&self) -> String {
        let scheme = if self.ca.is_some() { "tls" } else { "nats" };
        format!("{scheme}://127.0.0.1:{}", self.nats_port)
    }

    /// The PEM file with the root certificates of the servers, if they require TLS.
    pub fn ca(&self) -> Option<&Path> {
        self.ca.as_deref()
    }

    /// The directory with one nkey seed per NATS user, `<user>.nk`.
    pub fn nats_keys(&self) -> &Path {
        &self.keys
    }

    /// The URL of a domain's database with the role of the domain.
    pub fn database_url(&self, domain: &str) -> Result<String> {
        ensure!(
            self.domains.iter().any(|known| known == domain),
            "this stack has no domain {domain}: it was started with {}",
            self.domains.join(", ")
        );
        Ok(self.url(domain, domain))
    }

    /// The URL of any database with the superuser role.
    pub fn superuser_url(&self, database: &str) -> String {
        self.url(SUPERUSER, database)
    }

    /// The URL of any database with the role `souk_check`, which may read everything and write nothing.
    pub fn check_url(&self, database: &str) -> String {
        self.url(CHECK_ROLE, database)
    }

    /// The URL of the sandbox's database with the sandbox role. Creates both on first use, because a stack does not
    /// need them otherwise.
    pub async fn sandbox_url(&self) -> Result<String> {
        provision::sandbox(self).await.context("the sandbox's database")?;
        Ok(self.url(SANDBOX, SANDBOX))
    }

    fn url(&self, role: &str, database: &str) -> String {
        let password = self.password(role);
        let ssl = match &self.ca {
            Some(ca) => format!("verify-full&sslrootcert={}", percent_encoded(ca)),
            None => "disable".to_owned(),
        };
        format!("postgres://{role}:{password}@127.0.0.1:{}/{database}?sslmode={ssl}", self.pg_port)
    }

    pub(crate) fn password(&self, role: &str) -> &str {
        self.passwords.get(role).map_or("", String::as_str)
    }

    fn file(home: &Path) -> PathBuf {
        home.join("stack.json")
    }

    pub(crate) fn read(home: &Path) -> Result<Option<Self>> {
        let path = Self::file(home);
        let Some(text) = files::read(&path)? else { return Ok(None) };
        serde_json::from_str(&text).map(Some).with_context(|| format!("{} is damaged: remove it", path.display()))
    }

    pub(crate) fn write(&self) -> Result<()> {
        files::write_private(&Self::file(&self.home), &serde_json::to_string_pretty(self)?, None)
    }

    pub(crate) fn remove(&self) -> Result<()> {
        files::remove(&Self::file(&self.home))
    }
}

impl fmt::Debug for StackInfo {
    // Omits the passwords: the output may be logged.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("StackInfo")
            .field("home", &self.home)
            .field("nats_port", &self.nats_port)
            .field("pg_port", &self.pg_port)
            .field("domains", &self.domains)
            .finish_non_exhaustive()
    }
}

/// Encodes a path as a URL parameter.
fn percent_encoded(path: &Path) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    bytes.map(|byte| if is_plain(*byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Finds the stack that runs in a home.
pub fn find_running(home: &Path) -> Result<StackInfo> {
    let missing = || format!("no local stack runs in {}: start one with `souk up`, or set SOUK_HOME", home.display());
    let info = StackInfo::read(home)?.with_context(missing)?;
    // A server that is being restarted does not answer for a moment, but its parent still holds the lock.
    ensure!(home::is_locked(home) || (answers(info.nats_port) && answers(info.pg_port)), missing());
    Ok(info)
}

fn answers(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from(([127, 0, 0, 1], port)), Duration::from_secs(1)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_a_url_is_read_back_as_itself() {
        let path = Path::new("/home/me & you/ça.pem");
        assert_eq!(percent_encoded(path), "/home/me%20%26%20you/%C3%A7a.pem");
    }
}
