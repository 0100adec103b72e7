//! Small file helpers.

use std::fs::{OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result};

use crate::process::Owner;

/// Atomically writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, content: &str, owner: Option<Owner>) -> Result<()> {
    let attempt = || -> std::io::Result<()> {
        let partial = path.with_extension("partial");
        match std::fs::remove_file(&partial) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&partial)?;
        file.write_all(content.as_bytes())?;
        file.sync_all()?;
        if let Some(owner) = owner {
            std::os::unix::fs::fchown(&file, Some(owner.uid), Some(owner.gid))?;
        }
        std::fs::rename(&partial, path)
    };
    attempt().with_context(|| format!("cannot write {}", path.display()))
}

/// Writes like [`write_private`], and returns whether the content changed.
pub(crate) fn update_private(path: &Path, content: &str, owner: Option<Owner>) -> Result<bool> {
    if read(path)?.is_some_and(|present| present == content) {
        return Ok(false);
    }
    write_private(path, content, owner)?;
    Ok(true)
}

/// The text of a file, if it exists.
pub(crate) fn read(path: &Path) -> Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Creates a directory and its parents; the directory itself gets `mode` and `owner`.
pub(crate) fn make_dir(path: &Path, mode: u32, owner: Option<Owner>) -> Result<()> {
    let attempt = || -> std::io::Result<()> {
        std::fs::create_dir_all(path)?;
        std::fs::set_permissions(path, Permissions::from_mode(mode))?;
        match owner {
            Some(owner) => std::os::unix::fs::chown(path, Some(owner.uid), Some(owner.gid)),
            None => Ok(()),
        }
    };
    attempt().with_context(|| format!("cannot create the directory {}", path.display()))
}

/// Removes a file if it exists.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
