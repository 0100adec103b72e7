//! Every statement of this domain.

mod categories;
mod listing;
mod offers;
mod products;
mod sellers;
mod stock;

pub(crate) use categories::{CategoryRow, category_exists, count_categories, insert_category, list_categories};
pub(crate) use listing::{Filter, ListedRow, Viewer, count_products, list_products};
pub(crate) use offers::{OfferRow, clock, offers_of_products, offers_of_variants};
pub(crate) use products::{
    NewVariantRow, ProductRow, Taken, VariantRow, insert_product, insert_variants, lock_product, product_by_id,
    product_by_slug, slug_is_taken, taken, update_product, update_variants, variants_of,
};
pub(crate) use sellers::{SellerRow, forget_sellers, write_sellers};
pub(crate) use stock::{StockRow, forget_stock, write_stock};
