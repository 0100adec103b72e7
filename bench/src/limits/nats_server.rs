//! A private nats-server for the duration of a measurement.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use tokio::process::{Child, Command};

const START: Duration = Duration::from_secs(10);

pub(super) struct PrivateServer {
    process: Child,
    directory: PathBuf,
    url: String,
}

impl PrivateServer {
    pub async fn start(home: &Path) -> anyhow::Result<Self> {
        let binary = find(home)?;
        let directory = std::env::temp_dir().join(format!("souk-bench-{}", std::process::id()));
        tokio::fs::create_dir_all(&directory).await.with_context(|| directory.display().to_string())?;
        // The server picks a free port itself and writes it to a file: a port chosen in advance could be taken by then.
        let process = Command::new(&binary)
            .args(["--addr", "127.0.0.1", "--port", "-1", "--ports_file_dir"])
            .arg(&directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", binary.display()))?;
        let mut server = Self { process, directory, url: String::new() };
        server.url = tokio::time::timeout(START, server.announced())
            .await
            .with_context(|| format!("{} did not start in {} s", binary.display(), START.as_secs()))??;
        Ok(server)
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub async fn stop(mut self) {
        // Has no state worth a graceful shutdown.
        let _ = self.process.kill().await;
    }

    async fn announced(&mut self) -> anyhow::Result<String> {
        loop {
            if let Some(url) = ports_file(&self.directory).and_then(|file| first_url(&std::fs::read(file).ok()?)) {
                return Ok(url);
            }
            if let Some(how) = self.process.try_wait()? {
                anyhow::bail!("nats-server ended at once: {how}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Cleans up after an interrupted run as well; dropping the handle kills the process.
impl Drop for PrivateServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

/// Parses `{"nats":["nats://127.0.0.1:34567"],...}`; `None` while the file is incomplete.
fn first_url(ports: &[u8]) -> Option<String> {
    let ports: serde_json::Value = serde_json::from_slice(ports).ok()?;
    ports.get("nats")?.get(0)?.as_str().map(str::to_owned)
}

/// The file is named after the binary and the process; the directory holds no other file with its extension.
fn ports_file(directory: &Path) -> Option<PathBuf> {
    files_in(directory).find(|file| file.extension().is_some_and(|extension| extension == "ports"))
}

/// The nats-server on PATH, or else one fetched by the local stack, whose name contains its version.
fn find(home: &Path) -> anyhow::Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let fetched = [
        variable("XDG_CACHE_HOME").map(|cache| cache.join("souk/bin")),
        variable("HOME").map(|home| home.join(".cache/souk/bin")),
        Some(home.join("bin")),
    ];
    let on_path =
        std::env::split_paths(&path).map(|directory| directory.join("nats-server")).find(|file| file.is_file());
    let found = on_path.or_else(|| fetched.iter().flatten().find_map(|directory| newest(files_in(directory))));
    found.with_context(|| {
        format!(
            "no nats-server on PATH, in ~/.cache/souk/bin or in {}: `souk up` fetches one",
            home.join("bin").display()
        )
    })
}

fn newest(files: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let name = |file: &PathBuf| file.file_name().map(|name| name.to_string_lossy().into_owned());
    files.filter(|file| file.is_file() && name(file).is_some_and(|name| name.starts_with("nats-server"))).max()
}

fn files_in(directory: &Path) -> impl Iterator<Item = PathBuf> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_file_names_the_url() {
        let ports = br#"{"nats":["nats://127.0.0.1:34567"],"monitoring":[]}"#;
        assert_eq!(first_url(ports).as_deref(), Some("nats://127.0.0.1:34567"));
        assert_eq!(first_url(br#"{"nats":["#), None);
        assert_eq!(first_url(b"{}"), None);
    }
}
