//! What can be asked about orders.

use contract::{Access, query};
use serde::{Deserialize, Serialize};
use serde_with::{As, DefaultOnNull};
use uuid::Uuid;

use super::{DOMAIN, History, Order, OrderRef, OrderStatus, Orders, OrdersError};
use crate::{ItemId, Money, OrderId, PageRequest, UserId, roles};

/// One order, by id or number: the buyer's, a seller's part of it, or any for an admin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetOrder {
    /// Id or order number.
    pub id: String,
}
query!(GetOrder, DOMAIN, "get", roles::SIGNED_IN_AND_GUEST => Order, OrdersError);

/// The caller's orders; for a seller, those with a line of theirs and only those lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListOrders {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<OrderStatus>,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub page: PageRequest,
}
query!(ListOrders, DOMAIN, "list", roles::SIGNED_IN_OR_GUEST => Orders, OrdersError);

/// The history of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetHistory {
    /// Id or order number.
    pub id: String,
}
query!(GetHistory, DOMAIN, "history", roles::SIGNED_IN_AND_GUEST => History, OrdersError);

/// Whether somebody may pay an order, or look at its payment, and how much it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPayable {
    /// Id or order number.
    pub order_id: OrderRef,
    /// The caller's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Uuid>,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub is_admin: bool,
    /// The digest of the cart token of a caller who shows one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<Uuid>,
}
query!(GetPayable, DOMAIN, "payable", Access::Internal => Payable, OrdersError);

/// What is owed for an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payable {
    pub order_id: OrderId,
    pub order_number: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    pub amount: Money,
    pub status: OrderStatus,
}

/// The lines of an order with what a refund of them needs to know.
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

/// A line, with its price and what became of its units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    pub line_id: ItemId,
    pub unit_price: Money,
    pub quantity: i64,
    /// Sold, and not returned.
    pub returnable: i64,
}
