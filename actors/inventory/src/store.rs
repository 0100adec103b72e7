//! All SQL of inventory.

mod movements;
mod reservations;
mod shelves;

pub(crate) use movements::{count_movements, insert_movements, merge_movements, movements};
pub(crate) use reservations::{lock_reservations, write_reservations};
pub(crate) use shelves::{available, insert_shelves, lock_shelves, shelf, shelves, update_shelves};
