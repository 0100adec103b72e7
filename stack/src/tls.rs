//! The certificate of a stack whose servers require TLS.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// PEM files for both servers. The certificate must be valid for 127.0.0.1, where clients reach them.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// The root certificates by which clients verify the servers.
    pub ca: PathBuf,
    /// The servers' certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Returns the files with absolute paths.
    pub(crate) fn resolved(&self) -> Result<Self> {
        let resolve = |path: &Path| path.canonicalize().with_context(|| format!("the PEM file {}", path.display()));
        Ok(Self { ca: resolve(&self.ca)?, certificate: resolve(&self.certificate)?, key: resolve(&self.key)? })
    }
}
