//! What the routes run in: middleware, kept reads, limits, the routing table, and order streams.
//!
//! To read first: `middleware.rs`, `route.rs`, `gateway.rs` (what all requests share), `cache.rs` (kept reads).

mod cache;
pub(crate) mod context;
mod cors;
pub(crate) mod discovery;
pub(crate) mod follow;
pub(crate) mod gateway;
mod limiter;
pub(crate) mod middleware;
pub(crate) mod notices;
mod page;
pub(crate) mod reads;
mod report;
pub(crate) mod route;
pub(crate) mod stream;
