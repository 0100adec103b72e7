//! Products and categories in replies.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{CategoryId, Money, Pagination, ProductId, UserId, VariantId};

/// Custom attributes of a product or a variant, such as `{"colour": "blue"}`.
pub type Attributes = BTreeMap<String, String>;

/// A sellable unit of a product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Variant {
    pub id: VariantId,
    pub sku: String,
    pub name: String,
    pub price: Money,
    pub attributes: Attributes,
    /// Units available as of the last event of inventory; the cart and the order query it again.
    pub available: i64,
}

/// The range from the lowest price to the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct PriceRange {
    pub min: Money,
    pub max: Money,
}

/// A product with its variants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Product {
    pub id: ProductId,
    pub slug: String,
    pub name: String,
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub category_id: Option<CategoryId>,
    /// The category's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub category: Option<String>,
    pub seller_id: UserId,
    /// The price of the first variant. The prices of all are in `variants`, their range is in `price_range`.
    pub price: Money,
    /// The lowest and the highest price of the variants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub price_range: Option<PriceRange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub compare_price: Option<Money>,
    /// The purchase price; returned to the seller and to admins only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub cost_price: Option<Money>,
    pub attributes: Attributes,
    pub variants: Vec<Variant>,
    /// Paths of images.
    pub images: Vec<String>,
    pub is_active: bool,
    pub is_featured: bool,
    /// Increases with every change of the product; the `ETag`.
    pub version: i64,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A page of products.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Products {
    pub data: Vec<Product>,
    pub pagination: Pagination,
}

/// A category; `parent_id` makes the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
pub struct Category {
    pub id: CategoryId,
    pub slug: String,
    pub name: String,
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub parent_id: Option<CategoryId>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// A page of categories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Categories {
    pub data: Vec<Category>,
    pub pagination: Pagination,
}
