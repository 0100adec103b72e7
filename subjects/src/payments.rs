//! Payments: one per order, through a provider. Tokens of payment methods only, never card data.

use chrono::{DateTime, Utc};
use contract::{Access, Answer, Detail, ErrorKind, Refusal, command, event, query};
use serde::{Deserialize, Serialize};

use crate::{Money, OrderId, PaymentId, RefundId, orders::Failure, roles};

/// The domain's name.
pub const DOMAIN: &str = "payments";

/// What a browser needs to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct PaymentConfig {
    /// `simulated`, or the name of a real provider.
    pub provider: String,
    pub publishable_key: String,
}

/// The provider and its publishable key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetConfig {}
query!(GetConfig, DOMAIN, "config", Access::Public => PaymentConfig, PaymentsError);

/// A refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Refund {
    pub id: RefundId,
    /// `pending`, `succeeded` or `failed`.
    pub status: String,
    pub amount: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub reason: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// The payment of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Payment {
    pub id: PaymentId,
    pub order_id: OrderId,
    pub order_number: String,
    /// `pending`, `processing`, `succeeded`, `failed`, `cancelled`, `partially_refunded` or `refunded`.
    pub status: String,
    pub amount: Money,
    pub provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub provider_transaction_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub payment_method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub failure: Option<Failure>,
    pub refunds: Vec<Refund>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Which order is to be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewIntent {
    pub order_id: OrderId,
}

/// Opens the payment of an order, so that the buyer's browser can confirm it. The same order gives the same intent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateIntent {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_token: Option<String>,
    pub intent: NewIntent,
}
command!(CreateIntent, DOMAIN, "create_intent", roles::SIGNED_IN_OR_GUEST => Intent, PaymentsError,
    key = |c| Some(c.intent.order_id.0), capability = |c| c.cart_token.as_deref(), answer = Answer::Secret);

/// An open payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Intent {
    pub id: PaymentId,
    pub order_id: OrderId,
    pub order_number: String,
    /// For the buyer's browser only.
    pub client_secret: String,
    pub publishable_key: String,
    pub amount: Money,
    pub status: String,
}

/// One payment, by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPayment {
    pub payment_id: PaymentId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_token: Option<String>,
}
query!(GetPayment, DOMAIN, "get", roles::SIGNED_IN_OR_GUEST => Payment, PaymentsError, capability = |q| q.cart_token.as_deref());

/// The payment of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPaymentOfOrder {
    pub order_id: OrderId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_token: Option<String>,
}
query!(GetPaymentOfOrder, DOMAIN, "get_by_order", roles::SIGNED_IN_OR_GUEST => Payment, PaymentsError,
    capability = |q| q.cart_token.as_deref());

/// How much goes back, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewRefund {
    /// All that is left where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Gives money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundPayment {
    pub payment_id: PaymentId,
    pub refund: NewRefund,
}
command!(RefundPayment, DOMAIN, "refund", roles::ADMINS => Refund, PaymentsError, key = |c| Some(c.payment_id.0));

/// Reads the payment at the provider and takes over what it says: for whoever waits for a webhook that does not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyPayment {
    pub payment_id: PaymentId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_token: Option<String>,
}
command!(VerifyPayment, DOMAIN, "verify", roles::SIGNED_IN_OR_GUEST => Payment, PaymentsError,
    key = |c| Some(c.payment_id.0), capability = |c| c.cart_token.as_deref());

/// A message of the provider, as it came. Only its signature lets it in, and what it says of a payment is not believed:
/// the payment is read at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiveWebhook {
    /// By name, as in [`PaymentConfig`].
    pub provider: String,
    /// The header in which the provider signs.
    pub signature: String,
    /// Byte by byte what was signed.
    pub body: String,
}
command!(ReceiveWebhook, DOMAIN, "receive_webhook", Access::Public => WebhookReceipt, PaymentsError, key = |_| None);

/// The provider need not send it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct WebhookReceipt {
    /// Always true.
    pub received: bool,
}

/// A day after its beginning a payment is read at the provider once more: by then it has forgotten every key, so nothing
/// that was on its way can still change it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadAgain {
    pub payment_id: PaymentId,
}
command!(ReadAgain, DOMAIN, "read_again", Access::Internal => ReadingAsked, PaymentsError,
    key = |c| Some(c.payment_id.0));

/// Whether the provider is asked; not so where it never had an object for the payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadingAsked {
    pub has_object: bool,
}

/// What a test does to an open payment of the simulated provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
#[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
#[serde(rename_all = "snake_case")]
pub enum SandboxAction {
    /// The buyer pays.
    Confirm,
    /// The card is declined.
    Decline,
}

/// Plays the buyer's part with the simulated provider. Refused by every other provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActInSandbox {
    /// The provider's id of the payment, or the payment's own id.
    pub intent: String,
    pub action: SandboxAction,
}
command!(ActInSandbox, DOMAIN, "act_in_sandbox", Access::Public => Payment, PaymentsError, key = |_| None);

/// The provider knows the payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentCreated {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub amount: Money,
}
event!(IntentCreated, DOMAIN, "intent_created", entity = |e| e.payment_id.0);

/// Paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succeeded {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub amount: Money,
}
event!(Succeeded, DOMAIN, "succeeded", entity = |e| e.payment_id.0);

/// Declined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentFailed {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub failure: Failure,
}
event!(PaymentFailed, DOMAIN, "failed", entity = |e| e.payment_id.0);

/// Closed without money; nobody can pay it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentCancelled {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
}
event!(PaymentCancelled, DOMAIN, "cancelled", entity = |e| e.payment_id.0);

/// Money went back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refunded {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub refund_id: RefundId,
    pub amount: Money,
    /// Of all refunds so far.
    pub total_refunded: Money,
    /// Nothing is left.
    pub is_full: bool,
}
event!(Refunded, DOMAIN, "refunded", entity = |e| e.payment_id.0);

/// The provider would not give money back: a person must look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundFailed {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub refund_id: RefundId,
    pub failure: Failure,
}
event!(RefundFailed, DOMAIN, "refund_failed", entity = |e| e.payment_id.0);

/// Why payments refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum PaymentsError {
    #[error("There is no such payment.")]
    PaymentNotFound,
    #[error("There is no such order.")]
    OrderNotFound,
    #[error("The order cannot be paid.")]
    NotPayable { status: String },
    #[error("More than what is left cannot go back.")]
    RefundTooLarge { left: Money },
    #[error("The payment's status does not allow this.")]
    NotRefundable { status: String },
    #[error("The refund cannot be made with these fields.")]
    InvalidRefund { fields: Vec<(String, String)> },
    #[error("Only payments of the simulated provider can be acted upon.")]
    NotASandbox,
    #[error("The signature is wrong or too old.")]
    InvalidSignature,
    #[error("There is no such payment provider here.")]
    UnknownProvider,
}

impl Refusal for PaymentsError {
    fn code(&self) -> &'static str {
        match self {
            Self::PaymentNotFound => "payment_not_found",
            Self::OrderNotFound => "order_not_found",
            Self::NotPayable { .. } => "not_payable",
            Self::RefundTooLarge { .. } => "refund_too_large",
            Self::NotRefundable { .. } => "not_refundable",
            Self::InvalidRefund { .. } => "invalid_refund",
            Self::NotASandbox => "not_a_sandbox",
            Self::InvalidSignature => "invalid_signature",
            Self::UnknownProvider => "unknown_provider",
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::PaymentNotFound | Self::OrderNotFound | Self::NotASandbox | Self::UnknownProvider => {
                ErrorKind::NotFound
            }
            Self::InvalidSignature => ErrorKind::Malformed,
            Self::NotPayable { .. } | Self::RefundTooLarge { .. } | Self::NotRefundable { .. } => ErrorKind::Conflict,
            Self::InvalidRefund { .. } => ErrorKind::Invalid,
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::InvalidRefund { fields } => fields.iter().map(|(f, m)| Detail::new(f, m)).collect(),
            Self::NotPayable { status } | Self::NotRefundable { status } => {
                vec![Detail::new("status", format!("it is {status}"))]
            }
            Self::RefundTooLarge { left } => {
                vec![Detail::new("amount", format!("{} {} are left", left.amount, left.currency))]
            }
            _ => Vec::new(),
        }
    }
}
