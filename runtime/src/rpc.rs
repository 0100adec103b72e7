//! Requests and replies over NATS: the client, the responder, and the verification of access tokens.
//!
//! To read first: `responder.rs` (from a request to its reply), `responder/command.rs` (from a command to its lane),
//! `client.rs` (calls of other domains).

pub(crate) mod auth;
pub(crate) mod builtin;
pub(crate) mod client;
pub(crate) mod command_log;
pub(crate) mod connect;
pub(crate) mod responder;
pub(crate) mod revocations;
