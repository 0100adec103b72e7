//! Payments: one per order, through a provider. Tokens of payment methods only, never card data.

mod commands;
mod error;
mod events;
mod model;
mod queries;

pub use commands::{
    ActInSandbox, CreateIntent, NewIntent, NewRefund, ReadAgain, ReadingAsked, ReceiveWebhook, RefundPayment,
    SandboxAction, VerifyPayment, WebhookReceipt,
};
pub use error::PaymentsError;
pub use events::{ActionRequired, IntentCreated, PaymentCancelled, PaymentFailed, RefundFailed, Refunded, Succeeded};
pub use model::{Intent, NextAction, Payment, PaymentAction, PaymentConfig, Refund};
pub use queries::{GetAction, GetConfig, GetPayment, GetPaymentOfOrder, PendingAction};

/// The domain's name.
pub const DOMAIN: &str = "payments";
