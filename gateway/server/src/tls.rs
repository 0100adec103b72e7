//! HTTPS: the certificate, which is reloaded when it changes.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::RwLock;
use tokio::net::TcpStream;
use tokio_rustls::{
    Accept, TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    },
};

/// The interval of checks for changed files; certificates are renewed days ahead.
const INTERVAL: Duration = Duration::from_secs(2);

/// The current certificate of a listener.
#[derive(Clone)]
pub struct Tls(Arc<Certificate>);

struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Loaded>,
}

struct Loaded {
    config: Arc<ServerConfig>,
    /// The bytes it was made of.
    pems: (Vec<u8>, Vec<u8>),
}

impl Tls {
    /// From PEM files with the chain, the gateway's own certificate first, and its key. Both are reloaded when they
    /// change, for as long as this is in use; an invalid one is logged, and the previous one stays in use.
    ///
    /// # Errors
    /// If they cannot be read, or do not belong together.
    pub fn from_files(certificate: &Path, key: &Path) -> io::Result<Self> {
        let current = RwLock::new(load(certificate, key)?);
        let tls = Arc::new(Certificate { certificate: certificate.to_owned(), key: key.to_owned(), current });
        tokio::spawn(watch(Arc::downgrade(&tls)));
        Ok(Self(tls))
    }

    /// The handshake of a connection, with the current certificate.
    pub(crate) fn accept(&self, stream: TcpStream) -> Accept<TcpStream> {
        let config = self.0.current.read().config.clone();
        TlsAcceptor::from(config).accept(stream)
    }
}

async fn watch(tls: Weak<Certificate>) {
    loop {
        tokio::time::sleep(INTERVAL).await;
        let Some(tls) = tls.upgrade() else { return };
        // Two small files, which are in the page cache.
        match tls.reload() {
            Ok(true) => tracing::info!(certificate = %tls.certificate.display(), "certificate reloaded"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "changed certificate cannot be used, keeping the previous one"),
        }
    }
}

impl Certificate {
    /// Whether the files differ.
    fn reload(&self) -> io::Result<bool> {
        let now = read(&self.certificate, &self.key)?;
        if now == self.current.read().pems {
            return Ok(false);
        }
        let loaded = Loaded { config: Arc::new(config_of(&now)?), pems: now };
        *self.current.write() = loaded;
        Ok(true)
    }
}

fn load(certificate: &Path, key: &Path) -> io::Result<Loaded> {
    let pems = read(certificate, key)?;
    Ok(Loaded { config: Arc::new(config_of(&pems)?), pems })
}

fn read(certificate: &Path, key: &Path) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let read = |path: &Path| {
        std::fs::read(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    };
    Ok((read(certificate)?, read(key)?))
}

fn config_of((certificate, key): &(Vec<u8>, Vec<u8>)) -> io::Result<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(certificate)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| io::Error::other(format!("the certificate is not PEM: {error}")))?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| io::Error::other(format!("the certificate's key is no PEM: {error}")))?;
    // Explicit, so that no other crate can change the provider.
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| io::Error::other(format!("certificate and key cannot be used: {error}")))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
