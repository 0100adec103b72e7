//! The queries of orders.

use contract::{Access, query};
use serde::{Deserialize, Serialize};
use serde_with::{As, DefaultOnNull};
use uuid::Uuid;

use super::{DOMAIN, History, Order, OrderRef, OrderStatus, Orders, OrdersError};
use crate::{ItemId, Money, OrderId, PageRequest, UserId, roles};

/// Returns an order by id or number: to its buyer, to an admin, and to a seller with only their lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetOrder {
    /// Id or order number.
    pub id: String,
}
query!(GetOrder, DOMAIN, "get", roles::SIGNED_IN_AND_GUEST => Order, OrdersError);

/// Lists the caller's orders; for a seller, the orders with lines of theirs, and only those lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListOrders {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<OrderStatus>,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub page: PageRequest,
}
query!(ListOrders, DOMAIN, "list", roles::SIGNED_IN_OR_GUEST => Orders, OrdersError);

/// Returns the history of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetHistory {
    /// Id or order number.
    pub id: String,
}
query!(GetHistory, DOMAIN, "history", roles::SIGNED_IN_AND_GUEST => History, OrdersError);

/// Whether the caller may pay an order or read its payment, and its amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPayable {
    /// Id or order number.
    pub order_id: OrderRef,
    /// The caller's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Uuid>,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub is_admin: bool,
    /// The digest of the cart token, if the caller sent one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Uuid>,
}
query!(GetPayable, DOMAIN, "payable", Access::Internal => Payable, OrdersError);

/// The amount due for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payable {
    pub order_id: OrderId,
    pub order_number: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    pub amount: Money,
    pub status: OrderStatus,
}

/// Returns the lines of an order with the data that a refund needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetLines {
    pub order_id: OrderId,
}
query!(GetLines, DOMAIN, "lines", Access::Internal => Lines, OrdersError);

/// The lines of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    pub lines: Vec<Line>,
}

/// A line, with its price and its units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub line_id: ItemId,
    pub unit_price: Money,
    pub quantity: i64,
    /// What the buyer pays for the line: its price after discounts with the tax that is added to it. If absent, the
    /// price of its units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid: Option<Money>,
    /// Units sold and not returned.
    pub returnable: i64,
}
