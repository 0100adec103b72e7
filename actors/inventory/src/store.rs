//! All SQL of inventory.

mod movements;
mod reservations;
mod shelves;

pub(crate) use movements::{count_movements, insert_movements, merge_movements, movements};
pub(crate) use reservations::{lock_reservations, write_reservations};
pub(crate) use shelves::{
    available, count_low_shelves, insert_shelves, lock_shelves, low_shelves, shelf, shelves, update_shelves,
    write_products,
};
