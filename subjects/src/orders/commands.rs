//! The commands on orders.

use contract::{Access, command};
use serde::{Deserialize, Serialize};

use super::{DOMAIN, Order, OrderRef, OrderStatus, OrdersError};
use crate::{Address, Money, OrderId, ShippingMethodId, inventory::Units, roles};

/// The payment method with which an order is charged when it is placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct PaymentChoice {
    /// A payment method of the provider, such as `pm_card_visa`. Never card data.
    pub method: String,
}

/// A new order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewOrder {
    /// 1 to 100 lines; the lines of the caller's cart if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Units>>,
    pub shipping_address: Address,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_address: Option<Address>,
    /// The e-mail address of a guest; required without an account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// One of the shipping methods of the address. Required if it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping_method: Option<ShippingMethodId>,
    /// The code of a promotion. The order is rejected if it does not apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coupon: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// The total that the buyer has seen. The order is rejected if its total differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_total: Option<Money>,
    /// If present, the order is charged at once; otherwise it waits for a payment until its deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentChoice>,
}

/// Places an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceOrder {
    pub order: NewOrder,
}
command!(PlaceOrder, DOMAIN, "place", roles::SIGNED_IN_OR_GUEST => Order, OrdersError, key = |_| None);

/// Cancels an order: its stock is released and its payment refunded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelOrder {
    /// Id or order number.
    pub order_id: OrderRef,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
command!(CancelOrder, DOMAIN, "cancel", roles::SIGNED_IN_AND_GUEST => Order, OrdersError,
    key = |c| Some(c.order_id.key()));

/// The cancellation of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Cancellation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The new status of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct StatusChange {
    /// `processing`, `shipped` or `delivered`.
    pub status: OrderStatus,
}

/// Updates the status of an order. Sellers may update orders whose lines are all theirs, admins any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetStatus {
    /// Id or order number.
    pub order_id: OrderRef,
    pub change: StatusChange,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(SetStatus, DOMAIN, "set_status", roles::SELLERS => Order, OrdersError, key = |c| Some(c.order_id.key()));

/// Requests payments to close the payment of an unpaid order past its deadline. The order expires only when payments
/// has closed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestExpiry {
    pub order_id: OrderId,
}
command!(RequestExpiry, DOMAIN, "request_expiry", Access::Internal => ExpiryRequested, OrdersError,
    key = |c| Some(c.order_id.0));

/// Whether payments was requested; not if the order was decided meanwhile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryRequested {
    pub was_pending: bool,
}
