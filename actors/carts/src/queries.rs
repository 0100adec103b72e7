//! The queries of the domain: one file each.

mod get_cart;
mod get_contents;
