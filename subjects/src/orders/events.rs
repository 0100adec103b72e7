//! The events of orders.

use contract::event;
use serde::{Deserialize, Serialize};

use super::{DOMAIN, Failure, OrderStatus, PaymentStatus};
use crate::{CartId, Money, OrderId, ProductId, UserId, VariantId, carts::Totals, inventory::Units};

/// The data of a line that other domains need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineFact {
    pub product_id: ProductId,
    pub variant_id: VariantId,
    pub seller_id: UserId,
    pub sku: String,
    pub quantity: i64,
    pub unit_price: Money,
}

/// An order was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    pub order_id: OrderId,
    pub order_number: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_id: Option<CartId>,
    pub items: Vec<LineFact>,
    pub totals: Totals,
}
event!(Placed, DOMAIN, "placed", entity = |e| e.order_id.0);

/// The stock is reserved: the order can be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentDue {
    pub order_id: OrderId,
    pub order_number: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    pub amount: Money,
    /// If present, the payment is charged at once; otherwise it waits for an intent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
}
event!(PaymentDue, DOMAIN, "payment_due", entity = |e| e.order_id.0);

/// The order is paid: its stock is sold, and its lines are removed from the cart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    pub order_id: OrderId,
    pub order_number: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_id: Option<CartId>,
    pub items: Vec<Units>,
    pub total: Money,
}
event!(Confirmed, DOMAIN, "confirmed", entity = |e| e.order_id.0);

/// The order failed: out of stock, or the payment was declined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub order_id: OrderId,
    pub failure: Failure,
}
event!(Failed, DOMAIN, "failed", entity = |e| e.order_id.0);

/// Cancelled by a person. Final; money that is captured later is refunded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    pub order_id: OrderId,
    /// The previous status.
    pub was: OrderStatus,
}
event!(Cancelled, DOMAIN, "cancelled", entity = |e| e.order_id.0);

/// The deadline has passed: payments is requested to close the payment. The order expires only when payments has closed
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryDue {
    pub order_id: OrderId,
}
event!(ExpiryDue, DOMAIN, "expiry_due", entity = |e| e.order_id.0);

/// Never paid: the stock is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    pub order_id: OrderId,
}
event!(Expired, DOMAIN, "expired", entity = |e| e.order_id.0);

/// Money was captured for an order that had ended: it is refunded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundDue {
    pub order_id: OrderId,
    /// The order's status.
    pub status: OrderStatus,
}
event!(RefundDue, DOMAIN, "refund_due", entity = |e| e.order_id.0);

/// A status change that has no event of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChanged {
    pub order_id: OrderId,
    pub status: OrderStatus,
    pub payment_status: PaymentStatus,
}
event!(StatusChanged, DOMAIN, "status_changed", entity = |e| e.order_id.0);

/// Units that were sold to the order are available again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returned {
    pub order_id: OrderId,
    pub items: Vec<Units>,
}
event!(Returned, DOMAIN, "returned", entity = |e| e.order_id.0);

/// Handed to the carrier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipped {
    pub order_id: OrderId,
}
event!(Shipped, DOMAIN, "shipped", entity = |e| e.order_id.0);

/// Handed to the customer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    pub order_id: OrderId,
}
event!(Delivered, DOMAIN, "delivered", entity = |e| e.order_id.0);

/// Whether an event with this name leaves its order undecided, with no action required from the buyer.
pub fn leaves_undecided(name: &str) -> bool {
    use contract::Event;
    [Placed::NAME, PaymentDue::NAME, ExpiryDue::NAME].contains(&name)
}
