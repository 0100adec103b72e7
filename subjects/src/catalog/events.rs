//! The events of products.

use contract::event;
use serde::{Deserialize, Serialize};

use super::DOMAIN;
use crate::{CategoryId, Money, ProductId, UserId, VariantId};

/// The data of a variant that other domains need.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantFact {
    pub variant_id: VariantId,
    pub sku: String,
    pub name: String,
    pub price: Money,
    /// The initial units in stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<i64>,
}

/// A product was created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductCreated {
    pub product_id: ProductId,
    pub seller_id: UserId,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category_id: Option<CategoryId>,
    pub variants: Vec<VariantFact>,
}
event!(ProductCreated, DOMAIN, "product_created", entity = |e| e.product_id.0);

/// Fields of a product other than its price have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductUpdated {
    pub product_id: ProductId,
    pub seller_id: UserId,
    pub name: String,
    pub is_active: bool,
}
event!(ProductUpdated, DOMAIN, "product_updated", entity = |e| e.product_id.0);

/// Prices of a product have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceChanged {
    pub product_id: ProductId,
    pub variants: Vec<VariantFact>,
}
event!(PriceChanged, DOMAIN, "price_changed", entity = |e| e.product_id.0);
