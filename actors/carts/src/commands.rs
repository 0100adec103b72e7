//! The commands of the domain: one file each, with its validation, its decision and its handler.

mod add_item;
mod change_item;
mod changing;
mod clear_cart;
mod create_cart;
mod remove_item;
