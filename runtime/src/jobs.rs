//! Work that is not part of a request or an event: effects, deadlines and maintenance, each on one node at a time.
//!
//! To read first: `effects.rs`, `deadlines.rs`, `lease.rs`.

pub(crate) mod deadlines;
pub(crate) mod effects;
pub(crate) mod lease;
pub(crate) mod maintenance;
