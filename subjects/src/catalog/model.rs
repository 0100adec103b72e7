//! Products and categories as they are shown.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{CategoryId, Money, Pagination, ProductId, UserId, VariantId};

/// Free properties of a product or a variant, such as `{"colour": "blue"}`.
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
    /// Units that can be bought now, as inventory last told; the cart and the order ask again.
    pub available: i64,
}

/// From the lowest price to the highest.
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
    /// Of the first variant. What the others cost is in `variants`, and from where to where in `price_range`.
    pub price: Money,
    /// The lowest and the highest price of its variants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub price_range: Option<PriceRange>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub compare_price: Option<Money>,
    /// What it cost; shown to its seller and to admins only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", oai(skip_serializing_if_is_none))]
    pub cost_price: Option<Money>,
    pub attributes: Attributes,
    pub variants: Vec<Variant>,
    /// Paths of images.
    pub images: Vec<String>,
    pub is_active: bool,
    pub is_featured: bool,
    /// Counts the product's changes; the `ETag`.
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

/// A category; the tree is in `parent_id`.
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
