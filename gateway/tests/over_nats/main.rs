//! The gateway over a real nats-server, with stand-ins for domains.
//!
//! Skipped with a message if there is no nats-server on PATH or in the cache of the local stack.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by them")]

mod admission;
mod orders;
mod reads;
mod support;
