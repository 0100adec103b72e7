//! Why catalog refuses.

use contract::{Detail, ErrorKind, Refusal};
use serde::{Deserialize, Serialize};

/// Why catalog refuses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case")]
pub enum CatalogError {
    #[error("There is no such product.")]
    ProductNotFound,
    #[error("There is no such category.")]
    CategoryNotFound,
    #[error("The product cannot be stored with these fields.")]
    InvalidProduct { fields: Vec<Detail> },
    #[error("The category cannot be stored with these fields.")]
    InvalidCategory { fields: Vec<Detail> },
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
            Self::InvalidProduct { fields } | Self::InvalidCategory { fields } => fields.clone(),
            _ => Vec::new(),
        }
    }
}
