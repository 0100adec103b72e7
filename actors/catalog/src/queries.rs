//! The queries of the domain: one file each.

mod get_product;
mod list_categories;
mod list_products;
mod offers;
