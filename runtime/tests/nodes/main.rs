//! Several nodes of one domain, on real servers: nodes of two editions, nodes that are given the same commands, and one
//! that is killed by what it hears.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod claims;
mod domains;
mod editions;
mod poison;
mod world;
