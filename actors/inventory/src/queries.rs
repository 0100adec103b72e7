//! The queries of the domain: one file each.

mod check_availability;
mod get_product_stock;
mod get_stock;
mod list_low_stock;
mod list_movements;
