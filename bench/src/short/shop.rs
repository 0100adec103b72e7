//! A shop of this program alone: `souk up` on free ports, in a home that goes with it.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::costs::processes;
use crate::http::{Address, Client};

/// Timeout of a start; the first one on a machine may have to fetch servers.
const START: Duration = Duration::from_secs(300);

pub struct PrivateShop {
    child: Child,
    directory: tempfile::TempDir,
    pub http: u16,
    pub metrics: u16,
}

impl PrivateShop {
    pub async fn start(souk: &Path) -> Result<Self> {
        let others = processes::pids().into_keys().find(|name| name.starts_with("souk"));
        ensure!(others.is_none(), "{} runs on this machine: stop it first", others.unwrap_or_default());
        let directory = tempfile::Builder::new().prefix("souk-bench-").tempdir().context("a directory for the shop")?;
        // PostgreSQL may run as another user and needs access.
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755))?;
        let (http, metrics) = (stack::free_port()?, stack::free_port()?);
        let log = File::create(directory.path().join("log"))?;
        let mut command = Command::new(souk);
        for inherited in ["NATS_URL", "DATABASE_URL", "SOUK_NATS_KEYS"] {
            command.env_remove(inherited);
        }
        let child = command
            .args(["up", "--throw-away"])
            .env("SOUK_CONFIG", "/dev/null")
            .env("SOUK_HOME", directory.path().join("home"))
            .env("SOUK_HTTP_ADDR", format!("127.0.0.1:{http}"))
            .env("SOUK_METRICS_ADDR", format!("127.0.0.1:{metrics}"))
            .env("SOUK_NATS_PORT", "0")
            .env("SOUK_PG_PORT", "0")
            .env("SOUK_STACK_STATISTICS", "true")
            // It stops when this end of the pipe closes, however this process ends.
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {}", souk.display()))?;
        let mut shop = Self { child, directory, http, metrics };
        shop.wait_until_ready().await?;
        Ok(shop)
    }

    pub fn home(&self) -> PathBuf {
        self.directory.path().join("home")
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let (began, mut reported) = (Instant::now(), String::new());
        let mut client = Client::new(Address::loopback(self.http), Duration::from_secs(5));
        // The gateway listens once the demo shop is there.
        while !client.get("/health/ready").await.is_ok_and(|answer| answer.status.is_success()) {
            let line = self.last_line();
            if let Some(how) = self.child.try_wait()? {
                bail!("the shop ended at its start ({how}): {line}");
            }
            ensure!(began.elapsed() < START, "the shop does not get ready: {line}");
            if line != reported {
                eprintln!("starting a shop: {line}");
                reported = line;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    fn last_line(&self) -> String {
        let text = std::fs::read(self.directory.path().join("log")).unwrap_or_default();
        String::from_utf8_lossy(&text).lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_owned()
    }

    /// Stops the shop and removes its data.
    pub async fn stop(mut self) -> Result<()> {
        tokio::task::spawn_blocking(move || {
            let status = self.child.wait().context("waiting for the shop")?;
            ensure!(status.success(), "the shop ended with {status}: {}", self.last_line());
            Ok(())
        })
        .await?
    }
}

/// Also stops the shop of an interrupted run, and keeps its directory until then.
impl Drop for PrivateShop {
    fn drop(&mut self) {
        // Closes standard input first.
        if let Err(error) = self.child.wait() {
            eprintln!("waiting for the shop: {error}");
        }
    }
}
