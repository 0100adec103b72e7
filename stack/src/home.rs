//! The home directory: its lock, its secrets, its ports.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use rand::Rng;

use crate::files;

/// An opened home directory, locked by this process.
#[derive(Debug, Clone)]
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
}

impl Home {
    /// Creates the directory if it is missing and takes its lock.
    pub(crate) fn open(dir: &Path) -> Result<(Self, File)> {
        if !dir.exists() {
            // If the current user is root, PostgreSQL runs as another one, which must be able to traverse the directory
            // but not list it.
            files::make_dir(dir, 0o711, None)?;
        }
        let dir = dir.canonicalize().with_context(|| format!("cannot open SOUK_HOME {}", dir.display()))?;
        let text = dir.to_str().with_context(|| format!("SOUK_HOME {} is not UTF-8", dir.display()))?;
        ensure!(!text.contains(['\'', '"', '\\', '\n']), "SOUK_HOME {text:?} must not contain quotes or backslashes");
        let (owner, me) = (std::fs::metadata(&dir)?.uid(), rustix::process::geteuid().as_raw());
        ensure!(
            owner == me,
            "SOUK_HOME {text} belongs to user {owner} and this is user {me}: run as that user or set SOUK_HOME"
        );
        files::make_dir(&dir.join("log"), 0o700, None)?;
        let lock = lock(&dir.join("lock"), &dir)?;
        Ok((Self { dir }, lock))
    }

    /// A path below the home.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.dir.join(below)
    }

    /// The passwords of the named roles; missing ones are generated and stored.
    pub(crate) fn passwords(&self, roles: &[String]) -> Result<BTreeMap<String, String>> {
        let path = self.path("secrets.json");
        let mut known: BTreeMap<String, String> = match files::read(&path)? {
            Some(text) => serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?,
            None => BTreeMap::new(),
        };
        for role in roles {
            known.entry(role.clone()).or_insert_with(|| random_hex(16));
        }
        files::update_private(&path, &serde_json::to_string_pretty(&known)?, None)?;
        Ok(known)
    }
}

/// Random bytes as hexadecimal text.
pub(crate) fn random_hex(bytes: usize) -> String {
    let mut rng = rand::rng();
    (0..bytes).map(|_| format!("{:02x}", rng.random::<u8>())).collect()
}

fn lock(path: &Path, home: &Path) -> Result<File> {
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            file.read_to_string(&mut pid)?;
            bail!("another `souk up` runs in {}, pid {}: stop it or set SOUK_HOME", home.display(), pid.trim());
        }
        Err(TryLockError::Error(error)) => {
            return Err(error).with_context(|| format!("cannot lock {}", path.display()));
        }
    }
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())?;
    Ok(file)
}

/// Whether a process holds the lock of a home.
pub(crate) fn is_locked(home: &Path) -> bool {
    let Ok(file) = File::open(home.join("lock")) else { return false };
    // A shared lock suffices for the test, and concurrent callers do not block each other.
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// The port to use: the requested one, or that of a killed run, or a free one.
pub(crate) fn choose_port(requested: u16, before: Option<u16>, orphan: bool) -> Result<u16> {
    if requested != 0 {
        return Ok(requested);
    }
    if let Some(port) = before
        && (orphan || is_free(port))
    {
        return Ok(port);
    }
    // Below the ephemeral range, whose ports an outgoing connection may take while the server restarts.
    let mut rng = rand::rng();
    (0..200)
        .map(|_| rng.random_range(15_000..32_000))
        .find(|port| is_free(*port))
        .context("no free port found between 15000 and 32000 on 127.0.0.1")
}

/// Whether a loopback port is free.
pub(crate) fn is_free(port: u16) -> bool {
    std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_on_the_same_home_names_the_holder() {
        let dir = tempfile::tempdir().unwrap();
        let (home, lock) = Home::open(dir.path()).unwrap();
        assert!(is_locked(&home.dir));
        let error = Home::open(dir.path()).unwrap_err().to_string();
        assert!(error.contains(&std::process::id().to_string()), "{error}");
        drop(lock);
        assert!(!is_locked(&home.dir));
        Home::open(dir.path()).unwrap();
    }

    #[test]
    fn a_port_taken_by_another_is_not_chosen_again() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let taken = listener.local_addr().unwrap().port();
        assert_eq!(choose_port(taken, None, false).unwrap(), taken);
        assert_ne!(choose_port(0, Some(taken), false).unwrap(), taken);
        assert_eq!(choose_port(0, Some(taken), true).unwrap(), taken);
    }
}
