//! Requests over NATS: connections, the client, and the verification of access tokens. Replies are in `responder.rs`.
//!
//! To read first: `client.rs` (calls of other domains), `auth.rs`, `builtin.rs` (the requests of the runtime itself).

pub(crate) mod auth;
pub(crate) mod builtin;
pub(crate) mod client;
pub(crate) mod connect;
pub(crate) mod revocations;
