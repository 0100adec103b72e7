//! What happens to a payment.

use contract::event;
use serde::{Deserialize, Serialize};

use super::{DOMAIN, RefundItem};
use crate::{Money, OrderId, PaymentId, RefundId, orders::Failure};

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// The provider knows the payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntentCreated {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub amount: Money,
}
event!(IntentCreated, DOMAIN, "intent_created", entity = |e| e.payment_id.0);

/// The card's issuer wants the buyer to confirm the charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionRequired {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
}
event!(ActionRequired, DOMAIN, "action_required", entity = |e| e.payment_id.0);

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
    /// The lines that it was for, where it named any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<RefundItem>,
    /// Their units, or those of the whole order where it named none, are available again.
    #[serde(default, skip_serializing_if = "is_false")]
    pub restock: bool,
}
event!(Refunded, DOMAIN, "refunded", entity = |e| e.payment_id.0);

/// The provider would not give money back, or it came back later: a person must look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundFailed {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub refund_id: RefundId,
    pub failure: Failure,
    /// By refunds and lost disputes, without this refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_returned: Option<Money>,
    /// Nothing is left all the same.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_full: bool,
}
event!(RefundFailed, DOMAIN, "refund_failed", entity = |e| e.payment_id.0);

/// The buyer disputes the charge at the bank. The provider holds the money back until that is decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disputed {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    /// The provider's id.
    pub dispute_id: String,
    pub amount: Money,
    /// The provider's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
event!(Disputed, DOMAIN, "disputed", entity = |e| e.payment_id.0);

/// The dispute was decided for the shop: the money stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeWon {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub dispute_id: String,
    pub amount: Money,
}
event!(DisputeWon, DOMAIN, "dispute_won", entity = |e| e.payment_id.0);

/// The dispute was decided for the buyer: the money has gone back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisputeLost {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub dispute_id: String,
    pub amount: Money,
    /// By refunds and lost disputes so far.
    pub total_returned: Money,
    /// Nothing is left.
    pub is_full: bool,
}
event!(DisputeLost, DOMAIN, "dispute_lost", entity = |e| e.payment_id.0);
