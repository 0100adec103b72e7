//! Work that no request or event asks for: deadlines and maintenance, each on one node at a time.
//!
//! To read first: `deadlines.rs`, `maintenance.rs`, `../database/lease.rs`.

pub(crate) mod deadlines;
pub(crate) mod maintenance;
