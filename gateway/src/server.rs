//! What the routes run in: middleware, kept reads, limits, the routing table, and order streams.
//!
//! To read first: `middleware.rs`, `route.rs`, `gateway.rs` (what all requests share), `cache.rs` (kept reads),
//! `rates.rs` (rate limits).

mod cache;
pub(crate) mod context;
mod cors;
pub(crate) mod discovery;
pub(crate) mod follow;
pub(crate) mod gateway;
mod limiter;
pub(crate) mod middleware;
mod page;
pub(crate) mod rates;
pub(crate) mod reads;
mod report;
pub(crate) mod route;
pub(crate) mod stream;
