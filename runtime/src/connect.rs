//! Connections to NATS: an nkey and an inbox prefix per user, patience on every loss.

use std::{path::PathBuf, time::Duration};

use async_nats::{ConnectOptions, Event};

use crate::failure::Breakage;

/// Where NATS is, and as whom we come.
#[derive(Debug, Clone)]
pub struct NatsConfig {
    /// One or several servers, comma-separated.
    pub url: String,
    /// A directory with one nkey seed per user (`<user>.nk`); without it we come without credentials.
    pub keys: Option<PathBuf>,
}

/// Connects as `user`, whose answers come to an inbox prefix of its own.
///
/// # Errors
/// Where the seed cannot be read or no server answers.
pub async fn connect(config: &NatsConfig, user: &str, purpose: &str) -> Result<async_nats::Client, Breakage> {
    let name = format!("{}-{user}-{purpose}", contract::SYSTEM);
    let logged = name.clone();
    let mut options = ConnectOptions::new()
        .name(name)
        .connection_timeout(Duration::from_secs(5))
        .ping_interval(Duration::from_secs(5))
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
            .map_err(|error| Breakage::other(format!("the nkey {} cannot be read: {error}", path.display())))?;
        options = options.nkey(seed.trim().to_owned()).custom_inbox_prefix(format!("_INBOX_{user}"));
    }
    let servers: Vec<&str> = config.url.split(',').map(str::trim).collect();
    options.connect(servers).await.map_err(|error| Breakage::other(format!("NATS at {}: {error}", config.url)))
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
            tracing::warn!(connection, "messages were dropped: a subscription is slow");
        }
        // A denied permission shows itself here only: the request itself just times out.
        Event::ServerError(error) => {
            metrics::counter!("nats_server_errors_total").increment(1);
            tracing::error!(connection, %error, "NATS refused something");
        }
        other => tracing::debug!(connection, event = %other, "a NATS event"),
    }
}
