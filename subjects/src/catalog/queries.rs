//! The queries of products and categories, for clients and for other domains.

use chrono::{DateTime, Utc};
use contract::{Access, query};
use serde::{Deserialize, Serialize};
use serde_with::{As, DefaultOnNull};

use super::{CatalogError, Categories, DOMAIN, Product, Products};
use crate::{Currency, Money, PageRequest, ProductId, UserId, VariantId};

/// Returns a product by id or slug. A product that is not for sale (inactive, or of a seller who may not sell) is
/// returned to its seller and to admins only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetProduct {
    /// Id or slug.
    pub id: String,
}
query!(GetProduct, DOMAIN, "get_product", Access::Public => Product, CatalogError);

/// The sort order of a list of products.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProductSort {
    #[default]
    #[serde(rename = "-created_at")]
    Newest,
    #[serde(rename = "name")]
    Name,
    #[serde(rename = "-name")]
    NameDescending,
    #[serde(rename = "price")]
    Price,
    #[serde(rename = "-price")]
    PriceDescending,
}

/// Lists the products that the caller may see, filtered: the public sees products for sale, a seller also all of their
/// own, an admin all. A product matches if one of its variants satisfies `min_price`, `max_price` and `in_stock`
/// together; when sorted by price, the cheapest of those variants counts, or the most expensive for `-price`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListProducts {
    /// Id or slug; products of its subcategories are included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Minor units, in `currency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_price: Option<i64>,
    /// Minor units, in `currency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<i64>,
    /// The shop's currency by default, if the list is filtered or sorted by price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub featured: Option<bool>,
    /// Narrows what the caller may see: `false` returns nothing to the public.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    /// Terms that the name or description must contain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub sort: ProductSort,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub page: PageRequest,
}
query!(ListProducts, DOMAIN, "list_products", Access::Public => Products, CatalogError);

/// Lists all categories.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCategories {
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub page: PageRequest,
}
query!(ListCategories, DOMAIN, "list_categories", Access::Public => Categories, CatalogError);

/// The current offer for a variant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "sqlx", derive(sqlx::FromRow))]
pub struct Offer {
    pub variant_id: VariantId,
    pub product_id: ProductId,
    pub seller_id: UserId,
    pub sku: String,
    pub name: String,
    #[cfg_attr(feature = "sqlx", sqlx(flatten))]
    pub price: Money,
    /// Whether it can be bought: the product is active, and its seller may sell.
    pub is_active: bool,
    /// The product's version when the offer was read.
    pub version: i64,
}

/// Returns the offers for variants, and for every variant of products. Unknown ones are absent from the reply.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetOffers {
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub variant_ids: Vec<VariantId>,
    #[serde(default, deserialize_with = "As::<DefaultOnNull>::deserialize")]
    pub product_ids: Vec<ProductId>,
}
query!(GetOffers, DOMAIN, "offers", Access::Internal => Offers, CatalogError);

/// Offers, and the time when they were read, by the clock of the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offers {
    pub offers: Vec<Offer>,
    pub at: DateTime<Utc>,
}
