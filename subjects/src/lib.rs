//! The shop's messages. A type fixes its subject, its reply and its error; other crates derive subjects from it. Events
//! carry ids and business data. Only `UserRegistered` has personal data: names and an e-mail address.
//!
//! With the feature `openapi` the types that appear over HTTP also carry their schema.
//!
//! To read first: `orders/commands.rs` (typical messages and their subjects), `orders/error.rs` (the text of each
//! error), `registry.rs` (all messages).

#[doc(hidden)]
#[cfg(feature = "sqlx")]
pub use sqlx;

mod address;
pub mod carts;
pub mod catalog;
pub mod identity;
mod ids;
pub mod inventory;
mod labels;
mod money;
pub mod operations;
pub mod orders;
pub mod payments;
pub mod pricing;
mod registry;
pub mod roles;
pub mod shop;

pub use address::Address;
pub use contract::{PageRequest, Pagination};
pub use ids::{
    CartId, CategoryId, ItemId, OrderId, PaymentId, ProductId, PromotionId, RefundId, ShippingMethodId, ShippingZoneId,
    TaxRateId, UserId, VariantId,
};
pub use money::{Currency, Money, MoneyError};
pub use registry::{MessageInfo, MessageKind, registry};

/// The domains of this shop, in the order in which a node starts them.
pub const DOMAINS: [&str; 7] = [
    identity::DOMAIN,
    catalog::DOMAIN,
    inventory::DOMAIN,
    pricing::DOMAIN,
    carts::DOMAIN,
    orders::DOMAIN,
    payments::DOMAIN,
];
