//! Translates HTTP requests to messages of the domains, and their replies back. Contains no business rules and no SQL.
//!
//! A route is a method that builds a message, sends it and writes the reply. The shared parts: `Middleware` around all
//! routes, `Caller` for credentials, `Body`, `Reply`, the header parameters, and the one error shape.
//!
//! To read first: `routes/orders.rs` (typical routes), `http/caller.rs` (credentials, calls), `http/error.rs` (errors),
//! `server/middleware.rs`. The texts of domain errors, such as a 409, are in `subjects/src/<domain>/error.rs`; subjects
//! are declared beside the message types in `commands.rs`, `queries.rs` and `events.rs` there. Small domains have one
//! file, `subjects/src/<domain>.rs`.

mod http;
mod openapi;
mod routes;
mod server;

use std::sync::Arc;

use poem::{Endpoint, Response, Route};

use crate::{
    http::error::GATEWAY,
    server::{gateway::Gateway, middleware::Middleware},
};

pub use ::server::{Accounts, Tls};
pub use openapi::openapi_document;
pub use routes::home::Local;
pub use server::gateway::{AwaitRevocation, GatewayConfig, VerifyToken};
pub use server::serve::{Shutdown, serve};

/// The metrics of the gateway and of its HTTP server.
pub const METRICS: &[runtime::MetricInfo] = runtime::metrics! {
    counter "http_requests_total" {service, status} "HTTP requests, by the domain that they concern.";
    histogram "http_request_duration_seconds" {service} "Time from the head of a request to its response.";
    counter "http_rejected_total" {service, kind} "HTTP requests beyond a concurrency limit, answered with 503.";
    counter "http_cache_hits_total" {service}
        "Public reads that were answered from what is kept, or with the result of another request's read.";
    counter "http_cache_misses_total" {service} "Public reads that were sent to a domain, and may be kept.";
    gauge "http_connections" {listener} "Open connections.";
    counter "http_connections_closed_total" {listener, cause} "Connections that were closed at a bound.";
};

/// All routes, for a custom server or a test.
pub fn routes(config: GatewayConfig) -> impl Endpoint<Output = Response> + 'static {
    app(Gateway::new(config))
}

fn app(gateway: Arc<Gateway>) -> Middleware<Route> {
    use subjects::{carts, catalog, identity, inventory, operations, orders, payments};

    let mut route = Route::new();
    route = server::route::mount(route, identity::DOMAIN, routes::auth::AuthApi);
    route = server::route::mount(route, identity::DOMAIN, routes::admin::AdminApi);
    route = server::route::mount(route, operations::DOMAIN, routes::dead_letters::DeadLettersApi);
    route = server::route::mount(route, catalog::DOMAIN, routes::products::ProductsApi);
    route = server::route::mount(route, inventory::DOMAIN, crate::routes::inventory::InventoryApi);
    route = server::route::mount(route, carts::DOMAIN, crate::routes::carts::CartsApi);
    route = server::route::mount(route, orders::DOMAIN, crate::routes::orders::OrdersApi);
    route = server::route::mount(route, payments::DOMAIN, crate::routes::payments::PaymentsApi);
    if gateway.local_stack {
        route = server::route::mount(route, payments::DOMAIN, crate::routes::payments::SandboxApi);
    }
    route = server::route::mount(route, GATEWAY, routes::health::HealthApi);
    route = routes::home::mount(route, &gateway.local);
    let texts = openapi::texts(gateway.local_stack);
    route = server::route::mount_text(route, "/api/v1/openapi.json", "application/json", &texts.document);
    route = server::route::mount_text(route, "/api/v1/docs", "text/html; charset=utf-8", &texts.reader);
    Middleware { inner: route, gateway }
}
