//! Orders in replies.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{FulfillmentStatus, OrderStatus, PaymentStatus};
use crate::{
    Address, Currency, ItemId, Money, OrderId, Pagination, ProductId, UserId, VariantId,
    carts::Totals,
    payments::PaymentAction,
    pricing::{Discount, ShippingOption, TaxLine},
};

/// A line of an order. Its price was fixed when the order was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct OrderItem {
    pub id: ItemId,
    pub product_id: ProductId,
    pub variant_id: VariantId,
    pub seller_id: UserId,
    pub sku: String,
    pub name: String,
    pub quantity: i64,
    pub unit_price: Money,
    pub line_total: Money,
}

/// Why an order failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Failure {
    /// `out_of_stock`, or the provider's code for a declined payment.
    pub code: String,
    pub message: String,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Order {
    pub id: OrderId,
    /// A readable, unique number.
    pub order_number: String,
    pub status: OrderStatus,
    pub payment_status: PaymentStatus,
    pub fulfillment_status: FulfillmentStatus,
    pub items: Vec<OrderItem>,
    pub totals: Totals,
    /// The tax by rate, including tax that the prices contain. Not returned to sellers.
    #[serde(default)]
    pub tax_lines: Vec<TaxLine>,
    /// What promotions gave. Not returned to sellers.
    #[serde(default)]
    pub discounts: Vec<Discount>,
    /// The chosen shipping method, with its price for the order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub shipping_method: Option<ShippingOption>,
    pub currency: Currency,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub failure: Option<Failure>,
    /// The action that the buyer must take before the card is charged. Returned to the buyer only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub payment: Option<PaymentAction>,
    pub shipping_address: Address,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub billing_address: Option<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub notes: Option<String>,
    /// When the order expires if it is not paid.
    pub payment_deadline: DateTime<Utc>,
    /// Increases with every event of the order; the `ETag`.
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A page of orders, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Orders {
    pub data: Vec<Order>,
    pub pagination: Pagination,
}

/// An entry of an order's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct HistoryEntry {
    /// The event, such as `placed` or `payment_due`.
    #[serde(default)]
    pub event: String,
    pub status: OrderStatus,
    /// The order's version after the event.
    pub version: i64,
    pub at: DateTime<Utc>,
    /// The cause, such as `orders.place` or `payments.succeeded`.
    pub cause: String,
}

/// The history of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct History {
    pub data: Vec<HistoryEntry>,
}
