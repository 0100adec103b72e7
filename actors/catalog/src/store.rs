//! All SQL of this domain.

mod categories;
mod listing;
mod offers;
mod products;
mod sellers;
mod stock;

pub(crate) use categories::{category_exists, count_categories, depth_of_category, insert_category, list_categories};
pub(crate) use listing::{Filter, ListedRow, Place, Viewer, count_products, list_products};
pub(crate) use offers::{OfferRow, offers};
pub use products::{FullProduct, ProductRow, VariantRow};
pub(crate) use products::{
    Taken, insert_product, insert_variants, lock_product, products, slug_is_taken, taken, update_product,
    update_variants, variants_of, written_product,
};
pub(crate) use sellers::{SellerRow, delete_sellers, write_sellers};
pub(crate) use stock::{StockRow, delete_stock, write_stock};
