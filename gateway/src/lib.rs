//! Translates HTTP requests to messages of the domains, and their replies back. Contains no business rules and no SQL.
//!
//! A route is a method that builds a message, sends it and writes the reply. The shared parts: `Middleware` around all
//! routes, `Caller` for credentials, `Body`, `Reply`, the header parameters, and the one error shape.
//!
//! To read first: `routes/orders.rs` (typical routes), `http/caller.rs` (credentials, calls), `http/error.rs` (errors),
//! `server/middleware.rs`. The texts of domain errors, such as a 409, are in `subjects/src/<domain>/error.rs`; subjects
//! are declared beside the message types in `commands.rs`, `queries.rs` and `events.rs` there. Small domains have one
//! file, `subjects/src/<domain>.rs`.

mod app;
mod http;
mod openapi;
mod routes;
mod serve;
mod server;

pub use ::server::{Accounts, Tls};
pub use app::routes;
pub use http::address::TrustedProxies;
pub use openapi::openapi_document;
pub use serve::serve;
pub use server::gateway::{AwaitRevocation, GatewayConfig, Local, Shutdown, VerifyToken};
pub use server::rates::{RateLimit, RateLimits};

/// The metrics of the gateway and of its HTTP server.
pub const METRICS: &[runtime::MetricInfo] = runtime::metrics! {
    counter "http_requests_total" {service, status} "HTTP requests, by the domain that they concern.";
    histogram "http_request_duration_seconds" {service} "Time from the head of an admitted request to its response.";
    counter "http_rejected_total" {class, service} "HTTP requests beyond the bound of their class, answered with 503.";
    gauge "http_limit" {class, service} "The current bound on the HTTP requests of a class in flight.";
    gauge "http_in_flight" {class, service} "Admitted HTTP requests without a response yet.";
    counter "http_rate_limited_total" {class, by} "HTTP requests beyond a rate limit, answered with 429.";
    gauge "http_rate_keys" {} "Addresses and accounts whose rate limits are counted, 100,000 at most.";
    gauge "http_rate_gateways" {} "Gateways that exchange the counts of their rate limits, this one included.";
    counter "http_cache_hits_total" {service}
        "Public reads that were answered from what is kept, or with the result of another request's read.";
    counter "http_cache_misses_total" {service} "Public reads that were sent to a domain, and may be kept.";
    gauge "http_connections" {listener} "Open connections.";
    counter "http_connections_closed_total" {listener, cause} "Connections that were closed at a bound.";
};
