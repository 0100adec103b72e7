//! Events from the streams of other domains to the lanes: delivery, catch-up, rebuilds and dead letters.
//!
//! To read first: `consumer.rs` (delivery), `catch_up.rs` (what the broker has lost), `dead_letter.rs`.

pub(crate) mod catch_up;
pub(crate) mod consumer;
pub(crate) mod dead_letter;
pub(crate) mod rebuild;
