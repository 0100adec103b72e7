//! Orders: the author of an order's story.

use chrono::{DateTime, Utc};
use contract::{Access, Detail, ErrorKind, Refusal, command, event, query};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Address, CartId, Currency, ItemId, Money, OrderId, PageRequest, Pagination, ProductId, UserId, VariantId,
    carts::Totals, inventory::Units, roles,
};

/// The domain's name.
pub const DOMAIN: &str = "orders";

/// The most lines an order holds.
pub const MAX_LINES: usize = 100;
/// The most units a line holds.
pub const MAX_QUANTITY: i64 = 10_000;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "openapi", derive(poem_openapi::Enum))]
        #[cfg_attr(feature = "openapi", oai(rename_all = "snake_case"))]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that stands for it outside.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|one| one.word() == text).ok_or_else(|| format!("unknown word {text:?}"))
            }
        }
    };
}

words! {
    /// Where an order stands.
    OrderStatus {
        /// Not decided: stock or payment is open.
        Pending = "pending",
        /// Paid, its stock sold.
        Confirmed = "confirmed",
        /// Being packed.
        Processing = "processing",
        /// With the carrier.
        Shipped = "shipped",
        /// With the customer.
        Delivered = "delivered",
        /// Called off by a person.
        Cancelled = "cancelled",
        /// Out of stock, or declined.
        Failed = "failed",
        /// Never paid.
        Expired = "expired",
        /// All money returned without a cancel.
        Refunded = "refunded",
    }
}

words! {
    /// Where an order's money stands.
    PaymentStatus {
        Pending = "pending",
        Processing = "processing",
        Succeeded = "succeeded",
        Failed = "failed",
        Cancelled = "cancelled",
        PartiallyRefunded = "partially_refunded",
        Refunded = "refunded",
    }
}

words! {
    /// Where an order's goods stand.
    FulfillmentStatus {
        Unfulfilled = "unfulfilled",
        Partial = "partial",
        Fulfilled = "fulfilled",
        Returned = "returned",
    }
}

/// A line of an order. Its price is the one of the moment of placing, for ever.
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
    /// `out_of_stock`, or the provider's word for a declined payment.
    pub code: String,
    pub message: String,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Order {
    pub id: OrderId,
    /// Readable and unique.
    pub order_number: String,
    pub status: OrderStatus,
    pub payment_status: PaymentStatus,
    pub fulfillment_status: FulfillmentStatus,
    pub items: Vec<OrderItem>,
    pub totals: Totals,
    pub currency: Currency,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub failure: Option<Failure>,
    pub shipping_address: Address,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub billing_address: Option<Address>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub notes: Option<String>,
    /// When an unpaid order ends.
    pub payment_deadline: DateTime<Utc>,
    /// Counts the order's events; the `ETag`.
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
    /// With it the order is charged; without it the order waits for a payment until its deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment: Option<PaymentChoice>,
}

/// Places an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceOrder {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_token: Option<String>,
    pub order: NewOrder,
}
command!(PlaceOrder, DOMAIN, "place", roles::SIGNED_IN_OR_GUEST => Order, OrdersError, key = |_| None,
    capability = |c| c.cart_token.as_deref());

/// One order, by id or number: the buyer's, a seller's part of it, or any for an admin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetOrder {
    /// Id or order number.
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_token: Option<String>,
}
query!(GetOrder, DOMAIN, "get", roles::SIGNED_IN_OR_GUEST => Order, OrdersError, capability = |q| q.cart_token.as_deref());

/// The caller's orders; for a seller, those with a line of theirs and only those lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListOrders {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<OrderStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_token: Option<String>,
    #[serde(default)]
    pub page: PageRequest,
}
query!(ListOrders, DOMAIN, "list", roles::SIGNED_IN_OR_GUEST => Orders, OrdersError, capability = |q| q.cart_token.as_deref());

/// A step of an order's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct HistoryEntry {
    /// The event that told it, such as `placed` or `payment_due`.
    #[serde(default)]
    pub event: String,
    pub status: OrderStatus,
    /// The order's version after the step.
    pub version: i64,
    pub at: DateTime<Utc>,
    /// What caused it, such as `orders.place` or `payments.succeeded`.
    pub cause: String,
}

/// How an order came to its status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct History {
    pub data: Vec<HistoryEntry>,
}

/// The history of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetHistory {
    /// Id or order number.
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_token: Option<String>,
}
query!(GetHistory, DOMAIN, "history", roles::SIGNED_IN_OR_GUEST => History, OrdersError, capability = |q| q.cart_token.as_deref());

/// Calls an order off: stock goes back, money too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelOrder {
    pub order_id: OrderId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
command!(CancelOrder, DOMAIN, "cancel", roles::SIGNED_IN_OR_GUEST => Order, OrdersError, key = |c| Some(c.order_id.0),
    capability = |c| c.cart_token.as_deref());

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
    pub order_id: OrderId,
    pub change: StatusChange,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(SetStatus, DOMAIN, "set_status", roles::SELLERS => Order, OrdersError, key = |c| Some(c.order_id.0));

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

/// Whether somebody may pay an order, or look at its payment, and how much it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetPayable {
    pub order_id: OrderId,
    /// The caller's account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<Uuid>,
    #[serde(default)]
    pub is_admin: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cart_token: Option<String>,
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

/// A line, as the trade needs to know it.
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

/// The stock is held: the order can be paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentDue {
    pub order_id: OrderId,
    pub order_number: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    pub amount: Money,
    /// Charged at once where present; waits for an intent where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_method: Option<String>,
}
event!(PaymentDue, DOMAIN, "payment_due", entity = |e| e.order_id.0);

/// Paid: the stock is sold, the lines leave the cart.
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

/// Out of stock, or declined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub order_id: OrderId,
    pub failure: Failure,
}
event!(Failed, DOMAIN, "failed", entity = |e| e.order_id.0);

/// Called off by a person. Final at once; money that comes later goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    pub order_id: OrderId,
    /// The status it had.
    pub was: OrderStatus,
}
event!(Cancelled, DOMAIN, "cancelled", entity = |e| e.order_id.0);

/// The deadline is over: payments is asked to close the payment. Only its answer expires the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryDue {
    pub order_id: OrderId,
}
event!(ExpiryDue, DOMAIN, "expiry_due", entity = |e| e.order_id.0);

/// Never paid: the stock goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    pub order_id: OrderId,
}
event!(Expired, DOMAIN, "expired", entity = |e| e.order_id.0);

/// Money came for an order that had ended: it goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundDue {
    pub order_id: OrderId,
    /// The order's status.
    pub status: OrderStatus,
}
event!(RefundDue, DOMAIN, "refund_due", entity = |e| e.order_id.0);

/// A step that has no event of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusChanged {
    pub order_id: OrderId,
    pub status: OrderStatus,
    pub payment_status: PaymentStatus,
}
event!(StatusChanged, DOMAIN, "status_changed", entity = |e| e.order_id.0);

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

/// Why orders refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum OrdersError {
    #[error("There is no such order.")]
    OrderNotFound,
    #[error("The order cannot be placed with these fields.")]
    InvalidOrder { fields: Vec<(String, String)> },
    #[error("There is nothing in the cart.")]
    CartEmpty,
    #[error("There is no such cart.")]
    CartNotFound,
    #[error("An order made from this cart is not decided yet, or was confirmed with the cart unchanged.")]
    CartInCheckout { order_id: OrderId, order_number: String },
    #[error("There is no such product to buy.")]
    NotForSale { variant_id: VariantId },
    #[error("So many units cannot be had.")]
    OutOfStock { variant_id: VariantId, available: i64 },
    #[error("The order's status does not allow this.")]
    IllegalTransition { status: OrderStatus },
    #[error("The order holds lines of other sellers.")]
    NotYourOrder,
    #[error("The order was changed meanwhile.")]
    OrderVersionMismatch,
    #[error("The cursor is not one of ours.")]
    InvalidCursor,
}

impl Refusal for OrdersError {
    fn code(&self) -> &'static str {
        match self {
            Self::OrderNotFound => "order_not_found",
            Self::InvalidOrder { .. } => "invalid_order",
            Self::CartEmpty => "cart_empty",
            Self::CartNotFound => "cart_not_found",
            Self::CartInCheckout { .. } => "cart_in_checkout",
            Self::NotForSale { .. } => "not_for_sale",
            Self::OutOfStock { .. } => "out_of_stock",
            Self::IllegalTransition { .. } => "illegal_transition",
            Self::NotYourOrder => "not_your_order",
            Self::OrderVersionMismatch => "order_version_mismatch",
            Self::InvalidCursor => "invalid_cursor",
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::OrderNotFound | Self::CartNotFound | Self::NotForSale { .. } => ErrorKind::NotFound,
            Self::InvalidOrder { .. } => ErrorKind::Invalid,
            Self::CartEmpty
            | Self::CartInCheckout { .. }
            | Self::OutOfStock { .. }
            | Self::IllegalTransition { .. } => ErrorKind::Conflict,
            Self::NotYourOrder => ErrorKind::Forbidden,
            Self::OrderVersionMismatch => ErrorKind::PreconditionFailed,
            Self::InvalidCursor => ErrorKind::Malformed,
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::InvalidOrder { fields } => fields.iter().map(|(f, m)| Detail::new(f, m)).collect(),
            Self::CartInCheckout { order_id, order_number } => {
                vec![Detail::new("order_id", order_id.to_string()), Detail::new("order_number", order_number)]
            }
            Self::NotForSale { variant_id } => vec![Detail::new("variant_id", variant_id.to_string())],
            Self::OutOfStock { variant_id, available } => vec![
                Detail::new("variant_id", variant_id.to_string()),
                Detail::new("quantity", format!("{available} units are available")),
            ],
            Self::IllegalTransition { status } => {
                vec![Detail::new("status", format!("the order is {}", status.word()))]
            }
            _ => Vec::new(),
        }
    }
}
