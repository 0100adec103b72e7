//! Payments: one per order, through a provider. Tokens of payment methods only, never card data.

mod commands;
mod error;
mod events;
mod model;
mod queries;

use crate::registry::MessageInfo;

pub use commands::{
    ActInSandbox, CreateIntent, NewIntent, NewRefund, ReadAgain, ReadingRequested, ReceiveWebhook, RefundItem,
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

/// Every message of the domain.
pub(crate) fn messages() -> Vec<MessageInfo> {
    vec![
        MessageInfo::query::<GetConfig>(),
        MessageInfo::command::<CreateIntent>(),
        MessageInfo::query::<GetPayment>(),
        MessageInfo::query::<GetPaymentOfOrder>(),
        MessageInfo::query::<GetAction>(),
        MessageInfo::query::<GetPendingRefund>(),
        MessageInfo::command::<RefundPayment>(),
        MessageInfo::command::<VerifyPayment>(),
        MessageInfo::command::<ReceiveWebhook>(),
        MessageInfo::command::<ReadAgain>(),
        MessageInfo::command::<ActInSandbox>(),
        MessageInfo::event::<IntentCreated>(),
        MessageInfo::event::<ActionRequired>(),
        MessageInfo::event::<Succeeded>(),
        MessageInfo::event::<PaymentFailed>(),
        MessageInfo::event::<PaymentCancelled>(),
        MessageInfo::event::<Refunded>(),
        MessageInfo::event::<RefundFailed>(),
        MessageInfo::event::<Disputed>(),
        MessageInfo::event::<DisputeWon>(),
        MessageInfo::event::<DisputeLost>(),
    ]
}
