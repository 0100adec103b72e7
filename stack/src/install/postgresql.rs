//! PostgreSQL, from the system's packages.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::{apt_get, is_root, version};
use crate::Progress;
use crate::files;
use crate::home::Home;
use crate::process::Owner;
use crate::run;

const OLDEST: u32 = 15;
/// Debian's packages create and start a cluster unless this is configured before their installation.
const NO_CLUSTER: &str = "mkdir -p /etc/postgresql-common && f=/etc/postgresql-common/createcluster.conf && \
    { grep -qs '^create_main_cluster *= *false' $f || echo 'create_main_cluster = false' >> $f; }";

/// The PostgreSQL programs and the user that runs them.
pub(crate) struct PostgresBin {
    /// The directory of initdb and postgres.
    pub(crate) dir: PathBuf,
    /// The user to run them as, if the current one is root.
    pub(crate) owner: Option<Owner>,
}

/// Finds PostgreSQL 15 or newer, with the major version of existing data.
pub(crate) async fn postgres(home: &Home, progress: &Progress) -> Result<PostgresBin> {
    let made_by = data_version(home)?;
    let mut found = find(made_by).await;
    if found.is_none() && made_by.is_none() {
        apt_get(&["postgresql"], Some(NO_CLUSTER), progress).await?;
        found = find(None).await;
    }
    let dir = match (found, made_by) {
        (Some(dir), _) => dir,
        (None, Some(major)) => bail!(
            "the data in {} is of PostgreSQL {major}, which is not installed: install it, or remove that \
             directory and start anew",
            home.dir.display()
        ),
        (None, None) => bail!(
            "the system's packages have no PostgreSQL {OLDEST} or newer: add the PostgreSQL project's own packages \
             (Ubuntu 22.04 needs them) and start again"
        ),
    };
    let owner = if is_root() { Some(unprivileged().await?) } else { None };
    Ok(PostgresBin { dir, owner })
}

/// The major version of the existing data of this home, if any.
fn data_version(home: &Home) -> Result<Option<u32>> {
    let dir = match files::read(&home.path("pg-path"))? {
        Some(elsewhere) => PathBuf::from(elsewhere.trim()),
        None => home.path("pg"),
    };
    // Only root and PostgreSQL's user can read this; any other user owns the data.
    Ok(files::read(&dir.join("data/PG_VERSION"))?.and_then(|text| text.trim().parse().ok()))
}

async fn find(major: Option<u32>) -> Option<PathBuf> {
    let mut best: Option<(u32, PathBuf)> = None;
    for dir in candidates() {
        if !dir.join("initdb").exists() {
            continue;
        }
        let Ok(said) = run::output(Command::new(dir.join("postgres")).arg("--version")).await else { continue };
        let Some((version, _)) = version(&said) else { continue };
        let fits = major.map_or(version >= OLDEST, |major| version == major);
        if fits && best.as_ref().is_none_or(|(known, _)| version > *known) {
            best = Some((version, dir));
        }
    }
    best.map(|(_, dir)| dir)
}

/// Directories that may hold PostgreSQL's programs: Debian keeps each version apart and off PATH.
fn candidates() -> Vec<PathBuf> {
    let mut dirs = Vec::new();
    // Untested: the last two, of Homebrew and of the Red Hat family.
    for (parent, prefix, bin) in
        [("/usr/lib/postgresql", "", "bin"), ("/opt/homebrew/opt", "postgresql@", "bin"), ("/usr", "pgsql-", "bin")]
    {
        let Ok(entries) = std::fs::read_dir(parent) else { continue };
        let named = entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        dirs.extend(named.map(|entry| entry.path().join(bin)));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Follows a link on PATH, because PostgreSQL finds its libraries relative to its real location.
    let real = std::env::split_paths(&path).filter_map(|dir| dir.join("initdb").canonicalize().ok());
    dirs.extend(real.filter_map(|initdb| initdb.parent().map(Path::to_path_buf)));
    dirs
}

/// PostgreSQL does not run as root: uses the user `postgres`, or else `nobody`.
async fn unprivileged() -> Result<Owner> {
    for user in ["postgres", "nobody"] {
        let mut ids = Vec::new();
        for flag in ["-u", "-g"] {
            let said = run::output(Command::new("id").args([flag, user])).await.unwrap_or_default();
            ids.extend(said.trim().parse::<u32>());
        }
        if let [uid, gid] = ids[..] {
            return Ok(Owner { uid, gid });
        }
    }
    None.context("PostgreSQL does not run as root, and this system has no user postgres: run as another user")
}
