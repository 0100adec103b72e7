//! What the routes run in: middleware, admission, kept reads, the routing table, and streams of events.
//!
//! To read first: `middleware.rs`, `admission.rs` (limits by load), `rates.rs` (limits by client).

pub(crate) mod admission;
mod cache;
mod client_streams;
pub(crate) mod context;
mod cors;
pub(crate) mod discovery;
pub(crate) mod follow;
pub(crate) mod follow_stock;
pub(crate) mod gateway;
pub(crate) mod middleware;
pub(crate) mod notices;
mod page;
pub(crate) mod rates;
pub(crate) mod reads;
mod report;
pub(crate) mod route;
mod shared_stock;
pub(crate) mod stream;
