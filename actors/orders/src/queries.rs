//! The queries of the domain: one file each.

mod get;
mod history;
mod lines;
mod list;
mod payable;
