//! What happens to products.

use contract::event;
use serde::{Deserialize, Serialize};

use super::DOMAIN;
use crate::{CategoryId, Money, ProductId, UserId, VariantId};

/// A variant, as other domains need to know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VariantFact {
    pub variant_id: VariantId,
    pub sku: String,
    pub name: String,
    pub price: Money,
    /// Initial units on the shelf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<i64>,
}

/// A product was made.
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

/// A product was changed, other than in its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProductUpdated {
    pub product_id: ProductId,
    pub seller_id: UserId,
    pub name: String,
    pub is_active: bool,
}
event!(ProductUpdated, DOMAIN, "product_updated", entity = |e| e.product_id.0);

/// A product has other prices.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriceChanged {
    pub product_id: ProductId,
    pub variants: Vec<VariantFact>,
}
event!(PriceChanged, DOMAIN, "price_changed", entity = |e| e.product_id.0);
