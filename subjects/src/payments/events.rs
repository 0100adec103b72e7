//! The events of payments.

use contract::event;
use serde::{Deserialize, Serialize};

use super::{DOMAIN, RefundItem};
use crate::{Money, OrderId, PaymentId, RefundId, orders::Failure};

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The payment was created at the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentCreated {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub amount: Money,
}
event!(IntentCreated, DOMAIN, "intent_created", entity = |e| e.payment_id.0);

/// The card's issuer requires the buyer to authenticate the charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRequired {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
}
event!(ActionRequired, DOMAIN, "action_required", entity = |e| e.payment_id.0);

/// The payment was captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succeeded {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub amount: Money,
}
event!(Succeeded, DOMAIN, "succeeded", entity = |e| e.payment_id.0);

/// The payment was declined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentFailed {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub failure: Failure,
}
event!(PaymentFailed, DOMAIN, "failed", entity = |e| e.payment_id.0);

/// Closed without a capture; it cannot be paid any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentCancelled {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
}
event!(PaymentCancelled, DOMAIN, "cancelled", entity = |e| e.payment_id.0);

/// Money was refunded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refunded {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub refund_id: RefundId,
    pub amount: Money,
    /// The sum of all refunds so far.
    pub total_refunded: Money,
    /// Whether nothing is left of the payment.
    pub is_full: bool,
    /// The refunded lines, if the refund named any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<RefundItem>,
    /// Whether their units, or those of the whole order if it named none, are available again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub restock: bool,
}
event!(Refunded, DOMAIN, "refunded", entity = |e| e.payment_id.0);

/// A refund failed at the provider, at once or later: manual action is required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundFailed {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub refund_id: RefundId,
    pub failure: Failure,
    /// The sum of refunds and lost disputes, without this refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_returned: Option<Money>,
    /// Whether nothing is left of the payment nevertheless.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_full: bool,
}
event!(RefundFailed, DOMAIN, "refund_failed", entity = |e| e.payment_id.0);

/// The buyer disputes the charge at the bank. The provider withholds the money until the dispute is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disputed {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    /// The provider's id.
    pub dispute_id: String,
    pub amount: Money,
    /// The reason given by the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
event!(Disputed, DOMAIN, "disputed", entity = |e| e.payment_id.0);

/// The dispute was decided in favour of the shop, which keeps the money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeWon {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub dispute_id: String,
    pub amount: Money,
}
event!(DisputeWon, DOMAIN, "dispute_won", entity = |e| e.payment_id.0);

/// The dispute was decided in favour of the buyer, who got the money back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeLost {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub dispute_id: String,
    pub amount: Money,
    /// The sum of refunds and lost disputes so far.
    pub total_returned: Money,
    /// Whether nothing is left of the payment.
    pub is_full: bool,
}
event!(DisputeLost, DOMAIN, "dispute_lost", entity = |e| e.payment_id.0);
