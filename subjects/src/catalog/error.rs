//! The errors of catalog.

use contract::{Detail, domain_error};

domain_error! {
    /// The errors of catalog.
    pub enum CatalogError {
        ProductNotFound: NotFound "product_not_found" = "There is no such product.";
        CategoryNotFound: NotFound "category_not_found" = "There is no such category.";
        InvalidProduct { fields: Vec<Detail> }: Invalid "invalid_product" =
            "Some fields of the product are not valid." => fields.clone();
        InvalidCategory { fields: Vec<Detail> }: Invalid "invalid_category" =
            "Some fields of the category are not valid." => fields.clone();
        SlugTaken: Conflict "slug_taken" = "Another product has this slug.";
        CategorySlugTaken: Conflict "category_slug_taken" = "Another category has this slug.";
        SkuTaken: Conflict "sku_taken" = "Another variant has this SKU.";
        NotYourProduct: Forbidden "not_your_product" = "The product belongs to another seller.";
        ProductVersionMismatch: PreconditionFailed "product_version_mismatch" =
            "The product was changed in the meantime.";
        InvalidCursor: Malformed "invalid_cursor" = "The cursor is not valid.";
    }
}
