//! Configuration of the payment sandbox.

use anyhow::{Context, Result};
use sandbox::{SandboxConfig, Webhooks};

use super::{
    Settings, Sources,
    table::{SANDBOX_DATABASE_URL, SANDBOX_KEY_TTL, SANDBOX_WEBHOOK_URL, STRIPE_WEBHOOK_SECRET},
};

/// Without a database URL, uses the local stack's sandbox database, which is created on demand.
pub(crate) async fn sandbox(settings: &Settings) -> Result<SandboxConfig> {
    let sources = &settings.sources;
    let database = match sources.optional(&SANDBOX_DATABASE_URL)? {
        Some(url) => url,
        None => stack::find_running(&settings.home)?.sandbox_url().await?,
    };
    Ok(SandboxConfig { database, webhooks: webhooks(sources)?, key_life: sources.read(&SANDBOX_KEY_TTL)? })
}

pub(super) fn webhooks(sources: &Sources) -> Result<Option<Webhooks>> {
    let Some(url) = sources.optional(&SANDBOX_WEBHOOK_URL)? else { return Ok(None) };
    let secret = sources.optional(&STRIPE_WEBHOOK_SECRET)?;
    let secret = secret.context("SOUK_SANDBOX_WEBHOOK_URL is set, so SOUK_STRIPE_WEBHOOK_SECRET must be set")?;
    Ok(Some(Webhooks { url, secret }))
}
