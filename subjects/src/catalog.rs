//! Products, their variants and categories. Catalog is the price authority.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use contract::{Access, Detail, ErrorKind, Refusal, command, event, query};
use serde::{Deserialize, Serialize};

use crate::{CategoryId, Currency, Money, PageRequest, Pagination, ProductId, UserId, VariantId, roles};

/// The domain's name.
pub const DOMAIN: &str = "catalog";

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
    /// Of the first variant.
    pub price: Money,
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

/// One product, by id or slug. Inactive and deleted ones are found by nobody but their seller and admins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetProduct {
    /// Id or slug.
    pub id: String,
}
query!(GetProduct, DOMAIN, "get_product", Access::Public => Product, CatalogError);

/// The order of a list of products.
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

/// Active products, filtered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListProducts {
    /// Id or slug; products of categories below it are included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Minor units, in `currency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_price: Option<i64>,
    /// Minor units, in `currency`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seller: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_stock: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub featured: Option<bool>,
    /// Words that name or description must hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    #[serde(default)]
    pub sort: ProductSort,
    #[serde(default)]
    pub page: PageRequest,
}
query!(ListProducts, DOMAIN, "list_products", Access::Public => Products, CatalogError);

/// Every category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListCategories {
    #[serde(default)]
    pub page: PageRequest,
}
query!(ListCategories, DOMAIN, "list_categories", Access::Public => Categories, CatalogError);

/// A variant of a product that is being made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewVariant {
    pub sku: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The product's price where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    /// Units on the shelf, for inventory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<i64>,
}

/// A product that is being made. Without variants it gets a default one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct NewProduct {
    /// 1 to 200 characters.
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Made from the name where absent; unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category_id: Option<CategoryId>,
    /// Of the default variant; unique.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    pub price: Money,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variants: Option<Vec<NewVariant>>,
    /// Units on the shelf of the default variant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_hand: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare_price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_featured: Option<bool>,
}

/// Makes a product, owned by the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateProduct {
    pub product: NewProduct,
}
command!(CreateProduct, DOMAIN, "create_product", roles::SELLERS => Product, CatalogError, key = |_| None);

/// What changes of a product; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct ProductChanges {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category_id: Option<CategoryId>,
    /// Of every variant that has the product's price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare_price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_price: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_active: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_featured: Option<bool>,
}

/// Changes a product: own ones, an admin any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeProduct {
    pub product_id: ProductId,
    pub changes: ProductChanges,
    /// Refused when the product has another version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_version: Option<i64>,
}
command!(ChangeProduct, DOMAIN, "change_product", roles::SELLERS => Product, CatalogError, key = |c| Some(c.product_id.0));

/// A category that is being made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateCategory {
    pub name: String,
    pub slug: String,
    #[serde(default)]
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<CategoryId>,
}
command!(CreateCategory, DOMAIN, "create_category", roles::ADMINS => Category, CatalogError, key = |_| None);

/// What catalog offers for a variant now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    pub variant_id: VariantId,
    pub product_id: ProductId,
    pub seller_id: UserId,
    pub sku: String,
    pub name: String,
    pub price: Money,
    /// Only these can be bought.
    pub is_active: bool,
    /// The product's version the offer was read at.
    pub version: i64,
}

/// Offers for variants, or for the first variants of products. Unknown ones are absent from the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GetOffers {
    #[serde(default)]
    pub variant_ids: Vec<VariantId>,
    #[serde(default)]
    pub product_ids: Vec<ProductId>,
}
query!(GetOffers, DOMAIN, "offers", Access::Internal => Offers, CatalogError);

/// Offers, and when they were read by the database's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offers {
    pub offers: Vec<Offer>,
    pub at: DateTime<Utc>,
}

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

/// Why catalog refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum CatalogError {
    #[error("There is no such product.")]
    ProductNotFound,
    #[error("There is no such category.")]
    CategoryNotFound,
    #[error("The product cannot be stored with these fields.")]
    InvalidProduct { fields: Vec<(String, String)> },
    #[error("The category cannot be stored with these fields.")]
    InvalidCategory { fields: Vec<(String, String)> },
    #[error("Another product has this slug.")]
    SlugTaken,
    #[error("Another category has this slug.")]
    CategorySlugTaken,
    #[error("Another variant has this SKU.")]
    SkuTaken,
    #[error("The product belongs to another seller.")]
    NotYourProduct,
    #[error("The product was changed meanwhile.")]
    ProductVersionMismatch,
    #[error("The cursor is not one of ours.")]
    InvalidCursor,
}

impl Refusal for CatalogError {
    fn code(&self) -> &'static str {
        match self {
            Self::ProductNotFound => "product_not_found",
            Self::CategoryNotFound => "category_not_found",
            Self::InvalidProduct { .. } => "invalid_product",
            Self::InvalidCategory { .. } => "invalid_category",
            Self::SlugTaken => "slug_taken",
            Self::CategorySlugTaken => "category_slug_taken",
            Self::SkuTaken => "sku_taken",
            Self::NotYourProduct => "not_your_product",
            Self::ProductVersionMismatch => "product_version_mismatch",
            Self::InvalidCursor => "invalid_cursor",
        }
    }

    fn kind(&self) -> ErrorKind {
        match self {
            Self::ProductNotFound | Self::CategoryNotFound => ErrorKind::NotFound,
            Self::InvalidProduct { .. } | Self::InvalidCategory { .. } => ErrorKind::Invalid,
            Self::SlugTaken | Self::CategorySlugTaken | Self::SkuTaken => ErrorKind::Conflict,
            Self::NotYourProduct => ErrorKind::Forbidden,
            Self::ProductVersionMismatch => ErrorKind::PreconditionFailed,
            Self::InvalidCursor => ErrorKind::Malformed,
        }
    }

    fn details(&self) -> Vec<Detail> {
        match self {
            Self::InvalidProduct { fields } | Self::InvalidCategory { fields } => {
                fields.iter().map(|(f, m)| Detail::new(f, m)).collect()
            }
            _ => Vec::new(),
        }
    }
}
