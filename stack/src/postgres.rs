//! The private PostgreSQL: its data directory, its configuration, its process.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions, Connection};
use tokio::process::Command;

use crate::Progress;
use crate::config::StackConfig;
use crate::files;
use crate::home::{Home, choose_port, random_hex};
use crate::info::StackInfo;
use crate::install::PostgresBin;
use crate::process::{Farewell, Owner, Server, find_orphan};
use crate::program::Program;
use crate::provision::{CHECK_ROLE, SANDBOX, SUPERUSER};
use crate::run;

/// The location of the data if PostgreSQL's user cannot access the home.
const ELSEWHERE: &str = "/var/lib/souk";
/// Password authentication only, over loopback or the socket in a private directory.
const HBA: &str = "local all all scram-sha-256\nhost all all 127.0.0.1/32 scram-sha-256\n";
/// The same, over TLS only.
const HBA_TLS: &str = "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n";
/// The statistics of statements. Every connection pays a little for them, so they are off by default.
const STATISTICS: &str = "shared_preload_libraries = 'pg_stat_statements'\npg_stat_statements.track_planning = on\n";
/// The kernel's limit of a socket path, less PostgreSQL's own part (`/.s.PGSQL.65535.lock`).
const SOCKET_DIR_LIMIT: usize = 107 - 21;
/// SIGINT is the fast shutdown: it ends sessions and writes a checkpoint. SIGQUIT leaves the rest to recovery.
const FAREWELL: Farewell = Farewell { signal: Signal::INT, timeout: Duration::from_secs(30), last: Signal::QUIT };

/// The private PostgreSQL.
pub(crate) struct Postgres {
    pub(crate) port: u16,
    pub(crate) dir: PathBuf,
    pub(crate) passwords: BTreeMap<String, String>,
    bin: PathBuf,
    data: String,
    ca: Option<PathBuf>,
    has_statistics: bool,
    owner: Option<Owner>,
    pid_file: PathBuf,
    log: PathBuf,
}

impl Postgres {
    /// Creates the data directory if it is missing and writes the configuration. Returns whether the configuration
    /// differs from that of the last run.
    pub(crate) async fn prepare(
        home: &Home,
        bin: PostgresBin,
        config: &StackConfig,
        progress: &Progress,
    ) -> Result<(Self, bool)> {
        let owner = bin.owner;
        let dir = place(home, owner, progress).await?;
        let data = dir.join("data");
        let marker = data.to_str().context("PostgreSQL's directory is not UTF-8")?.to_owned();
        let pid_file = home.path("pg.pid");

        let before = StackInfo::read(&home.dir)?.map(|info| info.pg_port);
        let port = choose_port(config.pg_port, before, find_orphan(&pid_file, &marker)?.is_some())?;
        let roles: Vec<String> = [SUPERUSER, CHECK_ROLE, SANDBOX]
            .into_iter()
            .chain(config.domains.iter().map(String::as_str))
            .map(str::to_owned)
            .collect();
        let passwords = home.passwords(&roles)?;

        let postgres = Self {
            port,
            dir,
            passwords,
            bin: bin.dir,
            data: marker,
            ca: config.tls.as_ref().map(|tls| tls.ca.clone()),
            has_statistics: config.has_statistics,
            owner,
            pid_file,
            log: home.path("log/postgres.log"),
        };
        if !data.join("PG_VERSION").exists() {
            postgres.init(progress).await?;
        }
        let hba = if config.tls.is_some() { HBA_TLS } else { HBA };
        let mut changed = files::update_private(&data.join("souk.conf"), &postgres.settings(), owner)?
            | files::update_private(&data.join("pg_hba.conf"), hba, owner)?;
        if let Some(tls) = &config.tls {
            // PostgreSQL requires a key that is owned by its user and readable by no other.
            for (from, to) in [(&tls.certificate, "server.crt"), (&tls.key, "server.key")] {
                let pem = std::fs::read_to_string(from).with_context(|| format!("cannot read {}", from.display()))?;
                changed |= files::update_private(&data.join(to), &pem, owner)?;
            }
        }
        Ok((postgres, changed))
    }

    fn settings(&self) -> String {
        let socket = self.dir.join("socket");
        let socket = socket.to_str().filter(|path| path.len() <= SOCKET_DIR_LIMIT).unwrap_or_default();
        format!(
            "# Written by `souk up` at every start.\n\
             listen_addresses = '127.0.0.1'\n\
             port = {}\n\
             unix_socket_directories = '{socket}'\n\
             unix_socket_permissions = 0700\n\
             password_encryption = scram-sha-256\n\
             max_connections = 200\n\
             shared_buffers = 256MB\n\
             autovacuum_naptime = 10s\n\
             max_wal_size = 4GB\n\
             # Commits are durable, as in production: the guarantees depend on it.\n\
             fsync = on\n\
             synchronous_commit = on\n\
             # Logs long waits for locks.\n\
             log_lock_waits = on\n\
             log_line_prefix = '%m [%p] %u@%d '\n\
             timezone = 'UTC'\n\
             log_timezone = 'UTC'\n\
             ssl = {}\n{}",
            self.port,
            if self.ca.is_some() { "on" } else { "off" },
            if self.has_statistics { STATISTICS } else { "" },
        )
    }

    /// Creates the data directory atomically: initdb works on a sibling directory.
    async fn init(&self, progress: &Progress) -> Result<()> {
        progress(&format!("postgresql: creating a data directory in {}", self.dir.display()));
        let fresh = self.dir.join("data.new");
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh)?;
        }
        let password = self.dir.join("initdb.password");
        files::write_private(&password, &self.passwords[SUPERUSER], self.owner)?;
        let mut command = self.command("initdb");
        command.arg("-D").arg(&fresh).arg("-U").arg(SUPERUSER).arg("--pwfile").arg(&password);
        command.args(["--encoding=UTF8", "--auth=scram-sha-256"]);
        // The same collation on every machine. Untested: macOS names it differently.
        command.arg(if cfg!(target_os = "macos") { "--locale=en_US.UTF-8" } else { "--locale=C.UTF-8" });
        let made = run::output(command.current_dir("/")).await;
        files::remove(&password)?;
        made.context("PostgreSQL's data directory cannot be created")?;
        let config = fresh.join("postgresql.conf");
        let defaults = files::read(&config)?.context("initdb wrote no postgresql.conf")?;
        files::write_private(&config, &format!("{defaults}\ninclude 'souk.conf'\n"), self.owner)?;
        std::fs::rename(&fresh, &self.data).context("cannot move the new data directory to its place")
    }

    fn command(&self, tool: &str) -> Command {
        let mut command = Command::new(self.bin.join(tool));
        if let Some(owner) = self.owner {
            command.uid(owner.uid).gid(owner.gid);
        }
        // The caller's locale and connection settings must not leak into the server.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("LC_ALL", "C");
        command
    }

    fn options(&self) -> PgConnectOptions {
        let options = PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username(SUPERUSER)
            .password(&self.passwords[SUPERUSER])
            .database("postgres")
            .disable_statement_logging();
        match &self.ca {
            Some(ca) => options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert(ca),
            None => options.ssl_mode(PgSslMode::Disable),
        }
    }
}

impl Program for Postgres {
    const NAME: &'static str = "postgresql";
    const PORT_VARIABLE: &'static str = "SOUK_PG_PORT";

    fn port(&self) -> u16 {
        self.port
    }

    fn marker(&self) -> &str {
        &self.data
    }

    fn pid_file(&self) -> PathBuf {
        self.pid_file.clone()
    }

    fn log(&self) -> &Path {
        &self.log
    }

    fn farewell(&self) -> Farewell {
        FAREWELL
    }

    fn spawn(&self) -> Result<Server> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(&self.data);
        Server::spawn(command, &self.data, self.farewell(), &self.pid_file, &self.log)
    }

    async fn answers(&self) -> bool {
        let ask = async {
            let mut connection = self.options().connect().await?;
            sqlx::query("SELECT 1").execute(&mut connection).await?;
            connection.close().await
        };
        matches!(tokio::time::timeout(Duration::from_secs(2), ask).await, Ok(Ok(())))
    }
}

/// The parent of all data directories that lie outside their homes.
pub(crate) fn elsewhere() -> &'static Path {
    Path::new(ELSEWHERE)
}

/// The PostgreSQL directory: below the home, or elsewhere if its user cannot access the home (root's own home).
async fn place(home: &Home, owner: Option<Owner>, progress: &Progress) -> Result<PathBuf> {
    let note = home.path("pg-path");
    let noted = files::read(&note)?.map(|text| PathBuf::from(text.trim()));
    let dir = match (noted, owner) {
        (Some(noted), _) => noted,
        (None, Some(owner)) if !reaches(owner, &home.dir).await => {
            retire(&home.dir, progress).await?;
            let dir = elsewhere().join(random_hex(6));
            files::make_dir(elsewhere(), 0o755, None)?;
            files::make_dir(&dir, 0o700, Some(owner))?;
            files::write_private(&dir.join("home"), &format!("{}\n", home.dir.display()), None)?;
            files::write_private(&note, &format!("{}\n", dir.display()), None)?;
            dir
        }
        (None, _) => home.path("pg"),
    };
    if !dir.starts_with(&home.dir) {
        progress(&format!(
            "postgresql: its user cannot reach {}, so its data is in {}",
            home.dir.display(),
            dir.display()
        ));
    }
    files::make_dir(&dir, 0o700, owner)?;
    files::make_dir(&dir.join("socket"), 0o700, owner)?;
    if let (Some(owner), Ok(data)) = (owner, std::fs::metadata(dir.join("data")))
        && data.uid() != owner.uid
    {
        bail!("{} belongs to user {}, not to PostgreSQL's {}", dir.display(), data.uid(), owner.uid);
    }
    Ok(dir)
}

/// A removed home leaves its data behind elsewhere, perhaps with a server on the same port: stops that server, but
/// keeps the data, since the home may only have been moved, and reports it.
async fn retire(home: &Path, progress: &Progress) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(elsewhere()) else { return Ok(()) };
    for dir in entries.flatten().map(|entry| entry.path()) {
        if files::read(&dir.join("home"))?.is_none_or(|text| Path::new(text.trim()) != home) {
            continue;
        }
        progress(&format!(
            "postgresql: an earlier {} left its data in {}: remove it when it is no longer needed",
            home.display(),
            dir.display()
        ));
        let marker = dir.join("data").to_string_lossy().into_owned();
        if let Some(pid) = find_orphan(&dir.join("none"), &marker)? {
            Server::adopt(pid, &marker, FAREWELL).stop().await;
        }
    }
    Ok(())
}

async fn reaches(owner: Owner, dir: &Path) -> bool {
    let mut command = Command::new("test");
    run::output(command.arg("-x").arg(dir).current_dir("/").uid(owner.uid).gid(owner.gid)).await.is_ok()
}
