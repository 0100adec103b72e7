//! The certificate of a stack whose servers require TLS.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

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
    /// `SOUK_STACK_CA`, `SOUK_STACK_CERT` and `SOUK_STACK_KEY`: all of them, or none.
    pub(crate) fn from_env() -> Result<Option<Self>> {
        let file = |variable| std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
        match (file("SOUK_STACK_CA"), file("SOUK_STACK_CERT"), file("SOUK_STACK_KEY")) {
            (Some(ca), Some(certificate), Some(key)) => Ok(Some(Self { ca, certificate, key })),
            (None, None, None) => Ok(None),
            _ => bail!("SOUK_STACK_CA, SOUK_STACK_CERT and SOUK_STACK_KEY belong together: some of them are not set"),
        }
    }

    /// Returns the files with absolute paths.
    pub(crate) fn resolved(&self) -> Result<Self> {
        let resolve = |path: &Path| path.canonicalize().with_context(|| format!("the PEM file {}", path.display()));
        Ok(Self { ca: resolve(&self.ca)?, certificate: resolve(&self.certificate)?, key: resolve(&self.key)? })
    }
}
