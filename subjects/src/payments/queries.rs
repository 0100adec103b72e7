//! The queries of payments.

use contract::{Access, query};
use serde::{Deserialize, Serialize};

use super::{DOMAIN, Payment, PaymentAction, PaymentConfig, PaymentsError};
use crate::{OrderId, PaymentId, orders::OrderRef, roles};

/// Returns the provider and its publishable key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetConfig {}
query!(GetConfig, DOMAIN, "config", Access::Public => PaymentConfig, PaymentsError);

/// Returns a payment by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPayment {
    pub payment_id: PaymentId,
}
query!(GetPayment, DOMAIN, "get", roles::SIGNED_IN_AND_GUEST => Payment, PaymentsError);

/// Returns the payment of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPaymentOfOrder {
    /// Id or order number.
    pub order_id: OrderRef,
}
query!(GetPaymentOfOrder, DOMAIN, "get_by_order", roles::SIGNED_IN_AND_GUEST => Payment, PaymentsError);

/// Returns the action that the buyer of an order must take to pay it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetAction {
    pub order_id: OrderId,
}
query!(GetAction, DOMAIN, "action", Access::Internal => PendingAction, PaymentsError);

/// The action that the buyer must take, if the payment waits for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAction {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<PaymentAction>,
}

/// Whether the captured amount of an order has been refunded in full, including pending refunds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPendingRefund {
    pub order_id: OrderId,
}
query!(GetPendingRefund, DOMAIN, "pending_refund", Access::Internal => PendingRefund, PaymentsError);

/// Whether nothing is left of a payment, pending refunds included.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRefund {
    pub is_full: bool,
}
