//! The commands of the domain: one file each, with its validation, its decision and its handler.

mod set_stock;
