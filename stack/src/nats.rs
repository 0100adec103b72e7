//! The private nats-server: its configuration, its keys, its process.

use std::collections::HashMap;
use std::fmt::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nkeys::KeyPair;
use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::config::StackConfig;
use crate::files;
use crate::home::{Home, choose_port};
use crate::info::StackInfo;
use crate::process::{Farewell, Server, find_orphan};
use crate::program::Program;
use crate::rights::{self, NatsUsers};

const TEMPLATE: &str = include_str!("../../nats/souk.conf");
const TLS_TEMPLATE: &str = include_str!("../../nats/tls.conf");

/// The private nats-server.
pub(crate) struct Nats {
    pub(crate) port: u16,
    /// The port of the monitoring, if it is on.
    pub(crate) monitor_port: Option<u16>,
    binary: PathBuf,
    config: String,
    pid_file: PathBuf,
    log: PathBuf,
}

impl Nats {
    /// Writes keys and configuration, and returns whether the configuration differs from that of the last run.
    pub(crate) fn prepare(
        home: &Home,
        binary: PathBuf,
        users: &NatsUsers,
        config: &StackConfig,
    ) -> Result<(Self, bool)> {
        let dir = home.path("nats");
        files::make_dir(&dir, 0o700, None)?;
        let path = dir.join("souk.conf");
        let marker = path.to_str().context("the home is not UTF-8")?.to_owned();
        let pid_file = dir.join("server.pid");

        let before = StackInfo::read(&home.dir)?;
        let has_orphan = find_orphan(&pid_file, &marker)?.is_some();
        let port = choose_port(config.nats_port, before.as_ref().map(|info| info.nats_port), has_orphan)?;
        let monitored = before.and_then(|info| info.nats_monitor_port);
        let monitor_port = config.has_statistics.then(|| choose_port(0, monitored, has_orphan)).transpose()?;
        let mut names = users.names();
        names.push(rights::CLI.to_owned());
        let keys = ensure_keys(&dir.join("keys"), &names)?;
        let users_conf = rights::local_users_conf(users, |user| keys.get(user).cloned().unwrap_or_default());

        let mut text = render(
            TEMPLATE,
            &[
                ("SOUK_NATS_NAME", "souk-local"),
                ("SOUK_NATS_LISTEN", &format!("127.0.0.1:{port}")),
                ("SOUK_NATS_STORE", dir.join("store").to_str().context("the home is not UTF-8")?),
            ],
        );
        let mut changed = files::update_private(&dir.join("users.conf"), &users_conf, None)?;
        if let Some(tls) = &config.tls {
            let certificate = tls.certificate.to_str().context("the path of the certificate is not UTF-8")?;
            let key = tls.key.to_str().context("the path of the certificate's key is not UTF-8")?;
            let files = [("SOUK_NATS_TLS_CERT", certificate), ("SOUK_NATS_TLS_KEY", key)];
            changed |= files::update_private(&dir.join("tls.conf"), &render(TLS_TEMPLATE, &files), None)?;
            text.push_str("\ninclude \"tls.conf\"\n");
        }
        if let Some(monitor_port) = monitor_port {
            let _ = write!(text, "\nhttp: \"127.0.0.1:{monitor_port}\"\n");
        }
        changed |= files::update_private(&path, &text, None)?;
        Ok((Self { port, monitor_port, binary, config: marker, pid_file, log: home.path("log/nats.log") }, changed))
    }
}

impl Program for Nats {
    const NAME: &'static str = "nats-server";
    const PORT_VARIABLE: &'static str = "SOUK_NATS_PORT";

    fn port(&self) -> u16 {
        self.port
    }

    fn marker(&self) -> &str {
        &self.config
    }

    fn pid_file(&self) -> PathBuf {
        self.pid_file.clone()
    }

    fn log(&self) -> &Path {
        &self.log
    }

    fn farewell(&self) -> Farewell {
        // SIGTERM closes at once and syncs the streams; lame duck mode (SIGUSR2) would wait for clients that are
        // drained already.
        Farewell { signal: Signal::TERM, timeout: Duration::from_secs(10), last: Signal::KILL }
    }

    fn spawn(&self) -> Result<Server> {
        let mut command = Command::new(&self.binary);
        command.arg("-c").arg(&self.config);
        Server::spawn(command, &self.config, self.farewell(), &self.pid_file, &self.log)
    }

    async fn answers(&self) -> bool {
        let greeting = async {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).await.ok()?;
            Some(line.starts_with("INFO ") && line.contains("\"jetstream\":true"))
        };
        matches!(tokio::time::timeout(Duration::from_secs(1), greeting).await, Ok(Some(true)))
    }
}

/// Replaces the `$` names of the template by quoted values, except in comments.
fn render(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for line in template.lines() {
        let mut line = line.to_owned();
        if !line.trim_start().starts_with('#') {
            for (name, value) in values {
                line = line.replace(&format!("${name}"), &format!("\"{value}\""));
            }
        }
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Creates missing nkeys in a directory, one `<user>.nk` (mode 0600) per user, and returns all public keys.
pub fn ensure_keys(dir: &Path, users: &[String]) -> Result<HashMap<String, String>> {
    files::make_dir(dir, 0o700, None)?;
    let mut keys = HashMap::new();
    for user in users {
        let path = dir.join(format!("{user}.nk"));
        let pair = match files::read(&path)? {
            Some(seed) => match KeyPair::from_seed(seed.trim()) {
                Ok(pair) => pair,
                Err(error) => bail!("{} holds no nkey seed: {error}", path.display()),
            },
            None => {
                let pair = KeyPair::new_user();
                let Ok(seed) = pair.seed() else { bail!("a new nkey has no seed") };
                files::write_private(&path, &format!("{seed}\n"), None)?;
                pair
            }
        };
        // An existing file may have been copied with wider permissions.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        keys.insert(user.clone(), pair.public_key());
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_has_no_name_left_when_rendered() {
        let server = render(TEMPLATE, &[("SOUK_NATS_NAME", "a"), ("SOUK_NATS_LISTEN", "b"), ("SOUK_NATS_STORE", "c")]);
        let tls = render(TLS_TEMPLATE, &[("SOUK_NATS_TLS_CERT", "a"), ("SOUK_NATS_TLS_KEY", "b")]);
        for text in [server, tls] {
            let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
            assert!(lines.all(|line| !line.contains('$')), "{text}");
        }
    }

    #[test]
    fn keys_are_made_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let users = ["orders".to_owned()];
        let first = ensure_keys(dir.path(), &users).unwrap();
        assert_eq!(first, ensure_keys(dir.path(), &users).unwrap());
        let mode = std::fs::metadata(dir.path().join("orders.nk")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
