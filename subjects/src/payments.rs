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
pub use events::{IntentCreated, PaymentCancelled, PaymentFailed, RefundFailed, Refunded, Succeeded};
pub use model::{Intent, Payment, PaymentConfig, Refund};
pub use queries::{GetConfig, GetPayment, GetPaymentOfOrder};

/// The domain's name.
pub const DOMAIN: &str = "payments";
