//! What happens to a payment.

use contract::event;
use serde::{Deserialize, Serialize};

use super::DOMAIN;
use crate::{Money, OrderId, PaymentId, RefundId, orders::Failure};

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
