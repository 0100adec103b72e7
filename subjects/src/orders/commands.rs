//! What can be done to an order.

use contract::{Access, command};
use serde::{Deserialize, Serialize};

use super::{DOMAIN, Order, OrderRef, OrderStatus, OrdersError};
use crate::{Address, Money, OrderId, inventory::Units, roles};

/// How an order is paid at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct PaymentChoice {
    /// A payment method of the provider, such as `pm_card_visa`. Never card data.
    pub method: String,
}

/// An order that is being placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewOrder {
    /// 1 to 100 lines; the caller's cart where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Units>>,
    pub shipping_address: Address,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_address: Option<Address>,
    /// Where a guest is written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The total that the buyer has seen. An order with another total is not placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_total: Option<Money>,
    /// With it the order is charged; without it the order waits for a payment until its deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentChoice>,
}

/// Places an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceOrder {
    pub order: NewOrder,
}
command!(PlaceOrder, DOMAIN, "place", roles::SIGNED_IN_OR_GUEST => Order, OrdersError, key = |_| None);

/// Calls an order off: stock goes back, money too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelOrder {
    /// Id or order number.
    pub order_id: OrderRef,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
command!(CancelOrder, DOMAIN, "cancel", roles::SIGNED_IN_AND_GUEST => Order, OrdersError, key = |c| Some(c.order_id.key()));

/// The reason of a cancel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Cancellation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The next step of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct StatusChange {
    /// `processing`, `shipped` or `delivered`.
    pub status: OrderStatus,
}

/// Takes an order a step further: a seller where every line is theirs, an admin any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetStatus {
    /// Id or order number.
    pub order_id: OrderRef,
    pub change: StatusChange,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(SetStatus, DOMAIN, "set_status", roles::SELLERS => Order, OrdersError, key = |c| Some(c.order_id.key()));

/// The deadline of an unpaid order is over: payments shall close its payment. Only its answer expires the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestExpiry {
    pub order_id: OrderId,
}
command!(RequestExpiry, DOMAIN, "request_expiry", Access::Internal => ExpiryRequested, OrdersError,
    key = |c| Some(c.order_id.0));

/// Whether payments was asked; not so where the order had been decided meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryRequested {
    pub was_pending: bool,
}
