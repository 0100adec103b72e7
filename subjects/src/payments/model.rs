//! Payments in replies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::RefundItem;
use crate::{Money, OrderId, PaymentId, RefundId, orders::Failure};

/// The configuration that a browser needs to pay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct PaymentConfig {
    /// `simulated`, or the name of a real provider.
    pub provider: String,
    pub publishable_key: String,
}

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
    /// Why it failed; this may be days after it had succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub failure: Option<Failure>,
    /// The refunded lines.
    #[serde(default)]
    pub items: Vec<RefundItem>,
    /// Whether their units, or those of the whole order, become available again when the refund succeeds.
    #[serde(default)]
    pub restock: bool,
    pub created_at: DateTime<Utc>,
}

/// A charge that the buyer disputes at the bank.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Dispute {
    /// The provider's id.
    pub id: String,
    /// `open`, `won` or `lost`.
    pub status: String,
    pub amount: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub reason: Option<String>,
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
    #[serde(default)]
    pub disputes: Vec<Dispute>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// The action that the buyer must take before the card is charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NextAction {
    /// The provider's name of the action, such as `use_stripe_sdk` or `redirect_to_url`.
    #[serde(rename = "type")]
    #[cfg_attr(feature = "openapi", oai(rename = "type"))]
    pub kind: String,
    /// The URL to open in the buyer's browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub redirect_url: Option<String>,
}

/// The data that the buyer's browser needs to confirm a charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct PaymentAction {
    /// For the buyer's browser only.
    pub client_secret: String,
    pub next_action: NextAction,
}

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
