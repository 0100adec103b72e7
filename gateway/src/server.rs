//! The HTTP server around the routes: shutdown, middleware, kept reads, limits, and order streams.
//!
//! To read first: `serve.rs`, `middleware.rs`, `gateway.rs` (what all requests share), `cache.rs` (kept reads).

mod cache;
pub(crate) mod context;
mod cors;
pub(crate) mod discovery;
pub(crate) mod follow;
pub(crate) mod gateway;
mod limiter;
pub(crate) mod middleware;
mod page;
mod reads;
mod report;
pub(crate) mod route;
pub(crate) mod serve;
pub(crate) mod stream;
