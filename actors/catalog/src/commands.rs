//! The commands of the domain: one file each, with its validation, its decision and its handler.

mod change_product;
mod create_category;
mod create_product;
