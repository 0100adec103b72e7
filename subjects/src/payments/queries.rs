//! What can be asked about payments.

use contract::{Access, query};
use serde::{Deserialize, Serialize};

use super::{DOMAIN, Payment, PaymentConfig, PaymentsError};
use crate::{OrderId, PaymentId, roles};

/// The provider and its publishable key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetConfig {}
query!(GetConfig, DOMAIN, "config", Access::Public => PaymentConfig, PaymentsError);

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
