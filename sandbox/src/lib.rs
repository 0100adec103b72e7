//! A hostile payment provider: the part of Stripe's HTTP API that a shop needs, in a process and a database of its own.
//!
//! It commits before it answers, so a charge survives every crash of either side; and it misbehaves on demand, by the
//! name of the payment method, or by the amount: docs/payments.md lists them. It shares no code with whoever calls it.

mod api;
mod asked;
mod database;
mod disputes;
mod fail;
mod intents;
mod keys;
mod methods;
mod refunds;
mod sending;
mod webhooks;

use std::time::Duration;

use anyhow::Result;
use sqlx::PgPool;
use tokio::net::TcpListener;

/// Where webhooks go.
#[derive(Clone)]
pub struct Webhooks {
    /// The shop's address for them.
    pub url: String,
    /// Signs them.
    pub secret: String,
}

/// How the sandbox runs.
#[derive(Clone)]
pub struct SandboxConfig {
    /// Its own database.
    pub database: String,
    /// Nobody is told where absent.
    pub webhooks: Option<Webhooks>,
    /// How long an idempotency key is remembered.
    pub key_life: Duration,
}

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Sandbox {
    db: PgPool,
    key_life: Duration,
}

/// Serves until `stop` ends.
pub async fn serve(listener: TcpListener, config: SandboxConfig, stop: impl Future<Output = ()>) -> Result<()> {
    let db = database::open(&config.database).await?;
    let settling = tokio::spawn(sending::settle(db.clone()));
    // On its own: a shop that takes its time over a webhook holds up no charge.
    let sending = config.webhooks.map(|webhooks| tokio::spawn(sending::send(db.clone(), webhooks)));
    let sandbox = Sandbox { db, key_life: config.key_life };
    let served = api::serve(listener, sandbox, stop).await;
    settling.abort();
    if let Some(sending) = sending {
        sending.abort();
    }
    served
}
