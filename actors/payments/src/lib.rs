//! Payments: one per order, through a provider.
//!
//! Guarantees: the provider's object is created and its id committed before it can be confirmed; `failed` and
//! `cancelled` are emitted only when nothing can be charged any more; a capture that is found on an ended payment is
//! refunded, once. [`story`] is the state machine. Requests to the provider are effects or precede a transaction,
//! never part of one.

mod act_in_sandbox;
mod action;
mod config;
mod create_intent;
mod effects;
mod fields;
mod get;
mod ids;
mod ledger;
mod look;
mod pending_refund;
pub mod provider;
mod reactions;
mod read_again;
mod receive_webhook;
mod refund;
mod store;
pub mod story;
mod terms;
mod verify;

use std::{fmt, sync::Arc};

use runtime::{Domain, Registry};
use sqlx::migrate::Migrator;
use subjects::{orders, payments as messages};

use crate::provider::Provider;

/// The configuration of payments.
#[derive(Clone)]
pub struct PaymentsConfig {
    /// The payment provider.
    pub provider: Arc<dyn Provider>,
}

impl Default for PaymentsConfig {
    /// Uses the simulated provider.
    fn default() -> Self {
        Self { provider: Arc::new(provider::Simulated::default()) }
    }
}

impl fmt::Debug for PaymentsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaymentsConfig").field("provider", &self.provider.name()).finish()
    }
}

/// The payments domain.
#[derive(Debug)]
pub struct Payments {
    config: PaymentsConfig,
}

impl Payments {
    /// Creates the domain.
    pub fn new(config: PaymentsConfig) -> Self {
        Self { config }
    }

    fn provider(&self) -> &dyn Provider {
        &*self.config.provider
    }
}

impl Domain for Payments {
    const NAME: &'static str = messages::DOMAIN;

    fn migrations() -> Migrator {
        sqlx::migrate!("../../migrations/payments")
    }

    fn register(routes: &mut Registry<Self>) {
        routes.query::<messages::GetConfig>();
        routes.query::<messages::GetPayment>();
        routes.query::<messages::GetPaymentOfOrder>();
        routes.query::<messages::GetAction>();
        routes.query::<messages::GetPendingRefund>();
        routes.prepared_command::<messages::CreateIntent>();
        routes.prepared_command::<messages::RefundPayment>();
        routes.prepared_command::<messages::VerifyPayment>();
        routes.prepared_command::<messages::ReceiveWebhook>();
        routes.command::<messages::ReadAgain>();
        routes.deadline::<messages::ReadAgain>();
        routes.command::<messages::ActInSandbox>();

        routes.event::<orders::PaymentDue>();
        routes.event::<orders::ExpiryDue>();
        routes.event::<orders::Cancelled>();
        routes.event::<orders::Failed>();
        routes.event::<orders::RefundDue>();

        routes.effect::<effects::CreateObject>();
        routes.effect::<effects::Confirm>();
        routes.effect::<effects::CancelObject>();
        routes.effect::<effects::RefundMoney>();
        routes.effect::<look::Look>();
    }
}
