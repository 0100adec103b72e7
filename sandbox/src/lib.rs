//! A misbehaving payment provider: the part of Stripe's HTTP API that a shop needs, in a process and a database of its
//! own.
//!
//! It commits before it replies, so a charge survives every crash of either side. It misbehaves on demand, selected by
//! the name of the payment method or by the amount: docs/payments.md lists how. It shares no code with its callers.
//!
//! To read first: `api.rs` (HTTP), `intents.rs` (payments), `methods.rs` (the ways to misbehave).

mod api;
mod database;
mod disputes;
mod fail;
mod intents;
mod keys;
mod methods;
mod operation;
mod refunds;
mod sending;
mod webhooks;

use std::time::Duration;

use anyhow::Result;
use sqlx::PgPool;
use tokio::net::TcpListener;

/// The destination of webhooks.
#[derive(Clone)]
pub struct Webhooks {
    /// The URL of the shop's webhook endpoint.
    pub url: String,
    /// The secret that signs webhooks.
    pub secret: String,
}

/// Configuration of the sandbox.
#[derive(Clone)]
pub struct SandboxConfig {
    /// The URL of the sandbox's database.
    pub database: String,
    /// The destination of webhooks; without one, none are sent.
    pub webhooks: Option<Webhooks>,
    /// How long an idempotency key is kept.
    pub key_life: Duration,
}

/// The state shared by the handlers.
#[derive(Clone)]
pub(crate) struct Sandbox {
    db: PgPool,
    key_life: Duration,
}

/// Serves until `stop` completes.
pub async fn serve(listener: TcpListener, config: SandboxConfig, stop: impl Future<Output = ()>) -> Result<()> {
    let db = database::open(&config.database).await?;
    let settling = tokio::spawn(sending::settle(db.clone()));
    // A separate task, so that a shop that is slow to accept a webhook does not delay charges.
    let sending = config.webhooks.map(|webhooks| tokio::spawn(sending::send(db.clone(), webhooks)));
    let sandbox = Sandbox { db, key_life: config.key_life };
    let served = api::serve(listener, sandbox, stop).await;
    settling.abort();
    if let Some(sending) = sending {
        sending.abort();
    }
    served
}
