//! Finds out which published messages the stream has lost, and publishes them again from the event log.
//!
//! To read first: `checkpoints.rs` (losses at the end of the stream), `gaps.rs` (losses within it), `republish.rs`.

pub(crate) mod checkpoints;
pub(crate) mod gaps;
pub(crate) mod republish;
