//! The local stack: a private nats-server and a private PostgreSQL for `souk up`, tests and benches.
//!
//! All files live below one directory, the *home* (`SOUK_HOME`, default `.souk`):
//!
//! ```text
//! lock            held by the process that runs the stack, with its pid
//! stack.json      describes the running stack for other commands (mode 0600)
//! secrets.json    the database passwords (0600)
//! nats/           configuration, streams, keys/<user>.nk (0600)
//! pg/             PostgreSQL's configuration and data
//! pg.pid          PostgreSQL's process id; that of nats-server is in nats/server.pid
//! pg-path         only as root, if PostgreSQL's user cannot access the home: the location of its data
//! log/            the output of both servers
//! ```
//!
//! The servers run in process groups of their own, so that Ctrl-C reaches only the parent, which drains first. They
//! survive a parent that is killed; the next start finds them and adopts or replaces them.
//!
//! To read first: `program.rs` (starting and adopting a server), `provision.rs` (databases), `rights.rs` (permissions).

mod config;
mod files;
mod home;
mod info;
mod install;
mod nats;
mod postgres;
mod process;
mod program;
mod provision;
mod rights;
mod run;
mod supervise;
mod tls;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::sync::watch;

pub use config::StackConfig;
pub use info::{StackInfo, find_running};
pub use nats::ensure_keys;
pub use rights::{NatsUser, NatsUsers, production_users_conf, users_of};
pub use tls::TlsFiles;

use crate::home::Home;
use crate::nats::Nats;
use crate::postgres::Postgres;
use crate::program::launch;
use crate::supervise::Supervised;

/// Receives one line per step.
pub(crate) type Progress = Arc<dyn Fn(&str) + Send + Sync>;

/// A running local stack. [`Stack::stop`] ends it; dropping a stack signals both servers but does not wait for them.
pub struct Stack {
    info: StackInfo,
    nats: Option<Supervised>,
    postgres: Supervised,
    stop: watch::Sender<bool>,
    // Held while the stack owns the servers: a second start on the same home is rejected.
    _lock: File,
}

impl Stack {
    /// Installs missing programs, starts or adopts both servers, creates databases, roles and NATS users, and returns
    /// when both servers answer. `progress` receives one line per step.
    pub async fn start(mut config: StackConfig, progress: impl Fn(&str) + Send + Sync + 'static) -> Result<Stack> {
        config.validate()?;
        config.tls = config.tls.as_ref().map(TlsFiles::resolved).transpose()?;
        let progress: Progress = Arc::new(progress);
        let (home, lock) = Home::open(&config.home)?;

        // Sequential: both may need apt-get, which runs once at a time.
        let postgres_bin = install::postgres(&home, &progress).await?;
        let nats = match &config.nats {
            Some(users) => Some(Nats::prepare(&home, install::nats_server(&home, &progress).await?, users, &config)?),
            None => None,
        };
        let (postgres, postgres_changed) = Postgres::prepare(&home, postgres_bin, &config, &progress).await?;

        // Runs both to completion even if one fails: a future dropped half way would leave a server behind.
        let nats_server = async {
            match &nats {
                Some((nats, changed)) => launch(nats, *changed, &progress).await.map(Some),
                None => Ok(None),
            }
        };
        let (nats_server, postgres_server) = tokio::join!(nats_server, launch(&postgres, postgres_changed, &progress));
        let (nats_server, postgres_server) = match (nats_server, postgres_server) {
            (Ok(nats_server), Ok(postgres_server)) => (nats_server, postgres_server),
            (nats_server, postgres_server) => {
                let mut error = None;
                for result in [nats_server.transpose(), Some(postgres_server)].into_iter().flatten() {
                    match result {
                        Ok(server) => server.stop().await,
                        Err(cause) => error = Some(error.unwrap_or(cause)),
                    }
                }
                return Err(error.unwrap_or_else(|| anyhow::anyhow!("a server did not start")));
            }
        };

        let info = StackInfo::new(&home, nats.as_ref().map(|(nats, _)| nats), &postgres, &config);
        let ready = match provision::provision(&info, &progress).await {
            Ok(()) => info.write(),
            Err(error) => Err(error),
        };
        if let Err(error) = ready {
            if let Some(nats_server) = nats_server {
                nats_server.stop().await;
            }
            postgres_server.stop().await;
            return Err(error);
        }

        let (stop, stopping) = watch::channel(false);
        let nats = nats.zip(nats_server);
        Ok(Stack {
            nats: nats.map(|((nats, _), server)| Supervised::watch(nats, server, stopping.clone())),
            postgres: Supervised::watch(postgres, postgres_server, stopping),
            info,
            stop,
            _lock: lock,
        })
    }

    /// The description that other processes get from [`find_running`].
    pub fn info(&self) -> &StackInfo {
        &self.info
    }

    /// `nats://127.0.0.1:<port>`, or `tls://`.
    pub fn nats_url(&self) -> String {
        self.info.nats_url()
    }

    /// The directory with one nkey seed per NATS user, `<user>.nk`.
    pub fn nats_keys(&self) -> &Path {
        self.info.nats_keys()
    }

    /// The URL of a domain's database with the role of the domain.
    pub fn database_url(&self, domain: &str) -> Result<String> {
        self.info.database_url(domain)
    }

    /// The URL of any database with the superuser role, for tests and set-up.
    pub fn superuser_url(&self, database: &str) -> String {
        self.info.superuser_url(database)
    }

    /// The URL of any database with the role `souk_check`, which may read everything and write nothing.
    pub fn check_url(&self, database: &str) -> String {
        self.info.check_url(database)
    }

    /// The current process id of nats-server, if the stack has one; it changes with a restart.
    pub fn nats_pid(&self) -> Option<u32> {
        self.nats.as_ref().map(Supervised::pid)
    }

    /// The current process id of PostgreSQL's postmaster; it changes with a restart.
    pub fn pg_pid(&self) -> u32 {
        self.postgres.pid()
    }

    /// Stops both servers, gracefully and in bounded time, and releases the home.
    pub async fn stop(mut self) -> Result<()> {
        self.halt().await
    }

    /// Stops both servers and removes the home and all data. For tests and benches.
    pub async fn destroy(mut self) -> Result<()> {
        self.halt().await?;
        for path in [self.info.pg_dir.clone(), self.info.home.clone()] {
            if path.exists() {
                std::fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        if let Some(parent) = self.info.pg_dir.parent().filter(|parent| *parent == postgres::elsewhere()) {
            // Fails, as intended, while another home has its data there.
            let _ = std::fs::remove_dir(parent);
        }
        Ok(())
    }

    async fn halt(&mut self) -> Result<()> {
        // Without receivers, both tasks have already ended.
        let _ = self.stop.send(true);
        let nats = async {
            match &mut self.nats {
                Some(nats) => nats.stopped().await,
                None => Ok(()),
            }
        };
        let (nats, postgres) = tokio::join!(nats, self.postgres.stopped());
        self.info.remove()?;
        nats.and(postgres)
    }
}

/// A free port on loopback, outside the range of ephemeral ports.
pub fn free_port() -> Result<u16> {
    home::choose_port(0, None, false)
}

/// The nats-server program that a stack in this home would run, fetched if necessary.
pub async fn nats_server_program(home: &Path, progress: impl Fn(&str) + Send + Sync + 'static) -> Result<PathBuf> {
    let progress: Progress = Arc::new(progress);
    let (home, _lock) = Home::open(home)?;
    install::nats_server(&home, &progress).await
}

impl Drop for Stack {
    fn drop(&mut self) {
        // The supervising tasks stop the servers. If they end with their runtime, dropping the servers signals them.
        let _ = self.stop.send(true);
    }
}
