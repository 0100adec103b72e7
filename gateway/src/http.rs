//! Request and response types of the routes: bodies, queries, headers, credentials, replies and errors.
//!
//! To read first: `caller.rs` (credentials and calls of the domains), `body.rs`, `reply.rs`.

pub(crate) mod address;
pub(crate) mod body;
pub(crate) mod caller;
pub(crate) mod error;
pub(crate) mod explain;
pub(crate) mod header;
pub(crate) mod query;
pub(crate) mod raw_body;
pub(crate) mod reply;
pub(crate) mod tag;
