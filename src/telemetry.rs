//! Logs on standard error, as JSON lines or as text.

use anyhow::{Result, bail};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Starts logging. `SOUK_LOG` filters (default `default_filter`), `SOUK_LOG_FORMAT` is `json` or `text`.
pub(crate) fn start(default_filter: &str, default_format: &str) -> Result<()> {
    let filter = std::env::var("SOUK_LOG").unwrap_or_else(|_| default_filter.to_owned());
    let filter = EnvFilter::try_new(&filter).map_err(|error| anyhow::anyhow!("SOUK_LOG is {filter:?}: {error}"))?;
    let format = std::env::var("SOUK_LOG_FORMAT").unwrap_or_else(|_| default_format.to_owned());
    let registry = tracing_subscriber::registry().with(filter);
    match format.as_str() {
        "json" => registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).init(),
        "text" => registry.with(fmt::layer().compact().with_writer(std::io::stderr)).init(),
        other => bail!("SOUK_LOG_FORMAT is {other:?}, neither json nor text"),
    }
    Ok(())
}
