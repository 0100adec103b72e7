//! Payments: one per order, through a provider. Tokens of payment methods only, never card data.

mod commands;
mod error;
mod events;
mod model;
mod queries;

pub use commands::{
    ActInSandbox, CreateIntent, NewIntent, NewRefund, ReadAgain, ReadingAsked, ReceiveWebhook, RefundItem,
    RefundPayment, SandboxAction, VerifyPayment, WebhookReceipt,
};
pub use error::PaymentsError;
pub use events::{
    ActionRequired, DisputeLost, DisputeWon, Disputed, IntentCreated, PaymentCancelled, PaymentFailed, RefundFailed,
    Refunded, Succeeded,
};
pub use model::{Dispute, Intent, NextAction, Payment, PaymentAction, PaymentConfig, Refund};
pub use queries::{
    GetAction, GetConfig, GetPayment, GetPaymentOfOrder, GetPendingRefund, PendingAction, PendingRefund,
};

/// The domain's name.
pub const DOMAIN: &str = "payments";
