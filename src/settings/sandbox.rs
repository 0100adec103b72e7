//! Configuration of the payment sandbox.

use std::time::Duration;

use anyhow::{Context, Result};
use sandbox::{SandboxConfig, Webhooks};

use super::{Settings, duration, optional};

/// Reads `SOUK_SANDBOX_*`. Without a database URL, uses the local stack's sandbox database, which is created on demand.
pub(crate) async fn sandbox(settings: &Settings) -> Result<SandboxConfig> {
    let database = match optional("SOUK_SANDBOX_DATABASE_URL")? {
        Some(url) => url,
        None => stack::find_running(&settings.home)?.sandbox_url().await?,
    };
    let webhooks = match optional("SOUK_SANDBOX_WEBHOOK_URL")? {
        Some(url) => {
            let secret = optional("SOUK_STRIPE_WEBHOOK_SECRET")?;
            let secret =
                secret.context("SOUK_SANDBOX_WEBHOOK_URL is set, so SOUK_STRIPE_WEBHOOK_SECRET must be set")?;
            Some(Webhooks { url, secret })
        }
        None => None,
    };
    let key_life = duration("SOUK_SANDBOX_KEY_TTL", Duration::from_secs(24 * 3600))?;
    Ok(SandboxConfig { database, webhooks, key_life })
}
