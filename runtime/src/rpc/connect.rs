//! Connections to NATS: an nkey and an inbox prefix per user, and endless reconnects with growing pauses.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use async_nats::{ConnectOptions, Event};

use crate::error::InternalError;

/// The NATS servers, and how to connect to them.
#[derive(Debug, Clone)]
pub struct NatsConfig {
    /// One or several servers, comma-separated.
    pub url: String,
    /// A directory with one nkey seed per user (`<user>.nk`); without it, connections have no credentials.
    pub keys: Option<PathBuf>,
    /// The certificates of the connection.
    pub tls: NatsTls,
}

impl NatsConfig {
    /// Creates a configuration without TLS, with a directory of nkeys.
    pub fn new(url: String, keys: &Path) -> Self {
        Self { url, keys: Some(keys.to_owned()), tls: NatsTls::default() }
    }
}

/// The certificates of a connection to NATS. With any of them, or a URL that begins with `tls://`, TLS is required.
#[derive(Debug, Clone, Default)]
pub struct NatsTls {
    /// A PEM file with the root certificates for servers; those of the system if absent.
    pub ca: Option<PathBuf>,
    /// PEM files with the client's certificate and its key, for servers that request it.
    pub client: Option<(PathBuf, PathBuf)>,
}

impl NatsConfig {
    fn requires_tls(&self) -> bool {
        let is_requested = self.url.split(',').any(|server| server.trim().starts_with("tls://"));
        is_requested || self.tls.ca.is_some() || self.tls.client.is_some()
    }
}

/// Connects as `user`. With a directory of nkeys, replies go to an inbox prefix of the user's own.
///
/// # Errors
/// If the seed or a certificate cannot be read, or no server answers.
pub async fn connect(config: &NatsConfig, user: &str, purpose: &str) -> Result<async_nats::Client, InternalError> {
    let name = format!("{}-{user}-{purpose}", contract::SYSTEM);
    let logged = name.clone();
    let mut options = ConnectOptions::new()
        .name(name)
        .connection_timeout(Duration::from_secs(5))
        // As the server does: a suspended server is disconnected after the second ping without an answer.
        .ping_interval(Duration::from_secs(1))
        .subscription_capacity(32 * 1024)
        .client_capacity(8 * 1024)
        .event_callback(move |event| {
            let name = logged.clone();
            async move { note(&name, &event) }
        })
        .reconnect_delay_callback(|attempts| {
            let doublings = u32::try_from(attempts.min(8)).unwrap_or(8);
            let longest = Duration::from_millis(10 * 2_u64.pow(doublings)).min(Duration::from_secs(2));
            longest.mul_f64(0.5 + 0.5 * rand::random::<f64>())
        });
    if let Some(keys) = &config.keys {
        let path = keys.join(format!("{user}.nk"));
        let seed = tokio::fs::read_to_string(&path)
            .await
            .map_err(|error| InternalError::other(format!("the nkey {} cannot be read: {error}", path.display())))?;
        options = options.nkey(seed.trim().to_owned()).custom_inbox_prefix(format!("_INBOX_{user}"));
    }
    // Applies to every server, including those that a server announces; no server can disable it.
    options = options.require_tls(config.requires_tls());
    if let Some(ca) = &config.tls.ca {
        options = options.add_root_certificates(readable(ca).await?);
    }
    if let Some((certificate, key)) = &config.tls.client {
        options = options.add_client_certificate(readable(certificate).await?, readable(key).await?);
    }
    let servers: Vec<&str> = config.url.split(',').map(str::trim).collect();
    options.connect(servers).await.map_err(|error| InternalError::other(format!("NATS at {}: {error}", config.url)))
}

/// Returns the path if the file can be read, or an error that names it.
async fn readable(path: &Path) -> Result<PathBuf, InternalError> {
    match tokio::fs::read(path).await {
        Ok(_) => Ok(path.to_owned()),
        Err(error) => Err(InternalError::other(format!("{} cannot be read: {error}", path.display()))),
    }
}

fn note(connection: &str, event: &Event) {
    match event {
        Event::Connected => tracing::debug!(connection, "connected to NATS"),
        Event::Disconnected => {
            metrics::counter!("nats_disconnects_total").increment(1);
            tracing::warn!(connection, "disconnected from NATS");
        }
        Event::SlowConsumer(_) => {
            metrics::counter!("nats_slow_consumer_total").increment(1);
            tracing::warn!(connection, "messages dropped, slow subscription");
        }
        // A denied permission is reported only here: the request itself times out.
        Event::ServerError(error) => {
            metrics::counter!("nats_server_errors_total").increment(1);
            tracing::error!(connection, %error, "error reported by NATS");
        }
        other => tracing::debug!(connection, event = %other, "NATS event"),
    }
}
