//! What can be asked about payments.

use contract::{Access, query};
use serde::{Deserialize, Serialize};

use super::{DOMAIN, Payment, PaymentAction, PaymentConfig, PaymentsError};
use crate::{OrderId, PaymentId, orders::OrderRef, roles};

/// The provider and its publishable key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetConfig {}
query!(GetConfig, DOMAIN, "config", Access::Public => PaymentConfig, PaymentsError);

/// One payment, by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPayment {
    pub payment_id: PaymentId,
}
query!(GetPayment, DOMAIN, "get", roles::SIGNED_IN_AND_GUEST => Payment, PaymentsError);

/// The payment of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPaymentOfOrder {
    /// Id or order number.
    pub order_id: OrderRef,
}
query!(GetPaymentOfOrder, DOMAIN, "get_by_order", roles::SIGNED_IN_AND_GUEST => Payment, PaymentsError);

/// What the buyer of an order has to do to pay it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetAction {
    pub order_id: OrderId,
}
query!(GetAction, DOMAIN, "action", Access::Internal => PendingAction, PaymentsError);

/// What the buyer has to do; nothing where the payment does not wait for that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingAction {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<PaymentAction>,
}

/// Whether everything that an order has paid has gone back or is on its way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPendingRefund {
    pub order_id: OrderId,
}
query!(GetPendingRefund, DOMAIN, "pending_refund", Access::Internal => PendingRefund, PaymentsError);

/// Whether nothing of a payment is left, refunds that the provider has not answered yet counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingRefund {
    pub is_full: bool,
}
