//! Several nodes of one domain, on real servers: nodes of two editions, nodes that are given the same commands, nodes
//! that call the outside world for the same entities or see the same deadline, one that is killed by an event, one
//! that cannot read it, and some that receive it again; nodes that have too much to do, are asked
//! much at once, lose a lane or do not start.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod admission;
mod claims;
mod coalescing;
mod command_batches;
mod deadlines;
mod domains;
mod editions;
mod effects;
mod lanes;
mod poison;
mod projection;
mod query_batches;
mod rebuild;
mod registration;
mod services;
mod start_up;
mod unreadable;
mod world;
