//! Payments: one per order, through a provider.
//!
//! Guarantees: the provider's object is created and its id committed before it is confirmed; `failed` and
//! `cancelled` are emitted only when nothing can be charged any more; a capture that is found on an ended payment is
//! refunded, once. [`machine`] is the state machine. Requests to the provider are effects or precede a transaction,
//! never part of one.
//!
//! To read first: `machine.rs` (the transitions), `effects.rs` (calls of the provider), `provider.rs` (what a provider
//! is).

mod commands;
mod config;
mod effects;
mod fields;
mod ids;
pub mod machine;
pub mod provider;
mod queries;
mod reactions;
mod store;
mod terms;

pub use config::PaymentsConfig;

use std::sync::Arc;

use futures::future::FutureExt;
use runtime::{Batcher, Context, Domain, Registry};
use sqlx::migrate::Migrator;
use subjects::{orders, payments as messages};

use crate::{provider::Provider, store::CreatedObject};

/// The payments domain.
pub struct Payments {
    config: PaymentsConfig,
    /// Commits the ids of objects before they are confirmed.
    objects: Arc<Batcher<Context, CreatedObject, bool>>,
}

impl std::fmt::Debug for Payments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Payments").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Payments {
    /// Creates the domain.
    pub fn new(config: PaymentsConfig) -> Self {
        let commit = |cx: Context, objects: Vec<Arc<CreatedObject>>| {
            async move { store::commit_objects(cx.writes_before_call(), &objects).await }.boxed()
        };
        Self { config, objects: Batcher::new("payments.objects", 1, Box::new(commit)) }
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

        routes.calls::<orders::GetPayable>();
        routes.calls::<orders::GetLines>();

        routes.event::<orders::PaymentDue>();
        routes.event::<orders::ExpiryDue>();
        routes.event::<orders::Cancelled>();
        routes.event::<orders::Failed>();
        routes.event::<orders::RefundDue>();

        routes.effect::<effects::Charge>();
        routes.effect::<effects::Confirm>();
        routes.effect::<effects::CancelObject>();
        routes.effect::<effects::RefundMoney>();
        routes.effect::<effects::read_object::ReadObject>();
    }
}
