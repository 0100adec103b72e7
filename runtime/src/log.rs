//! Events from their commit to the stream: the event log, the publisher with its outbox, and the repair of the stream.
//!
//! To read first: `publisher.rs` (where an event is published), `event_log.rs` (what is stored), `repair.rs` (what is
//! republished).

pub(crate) mod event_log;
pub(crate) mod message;
pub(crate) mod publisher;
pub(crate) mod repair;
pub(crate) mod stream;
pub(crate) mod trim;
