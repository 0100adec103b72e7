//! HTTP to messages and back. No rule of the shop stands here, and no SQL.
//!
//! A route is a method that builds a message, sends it and writes the answer. What all routes share is in small parts:
//! `Door` around everything, `Caller` for who asks, `Body`, `Reply`, the header parameters, and the one error shape.

mod admin;
mod auth;
mod body;
mod caller;
mod carts;
mod cors;
mod dead_letters;
mod document;
mod door;
mod error;
mod explain;
mod follow;
mod gateway;
mod header;
mod health;
mod home;
mod inventory;
mod load;
mod orders;
mod payments;
mod probe;
mod products;
mod query;
mod raw_body;
mod reply;
mod route;
mod serve;
mod stream;
mod visit;

use std::sync::Arc;

use poem::{Endpoint, Response, Route};

use crate::{door::Door, error::GATEWAY, gateway::Gateway};

pub use document::openapi_document;
pub use gateway::{AwaitRevocation, GatewayConfig, VerifyToken};
pub use home::Local;
pub use serve::{Leaving, serve};
pub use server::{Accounts, Tls};

/// All routes, for a server of one's own or a test.
pub fn routes(config: GatewayConfig) -> impl Endpoint<Output = Response> + 'static {
    app(Gateway::new(config))
}

fn app(gateway: Arc<Gateway>) -> Door<Route> {
    use subjects::{carts, catalog, identity, inventory, operations, orders, payments};

    let mut route = Route::new();
    route = route::mount(route, identity::DOMAIN, auth::AuthApi);
    route = route::mount(route, identity::DOMAIN, admin::AdminApi);
    route = route::mount(route, operations::DOMAIN, dead_letters::DeadLettersApi);
    route = route::mount(route, catalog::DOMAIN, products::ProductsApi);
    route = route::mount(route, inventory::DOMAIN, crate::inventory::InventoryApi);
    route = route::mount(route, carts::DOMAIN, crate::carts::CartsApi);
    route = route::mount(route, orders::DOMAIN, crate::orders::OrdersApi);
    route = route::mount(route, payments::DOMAIN, crate::payments::PaymentsApi);
    if gateway.local_stack {
        route = route::mount(route, payments::DOMAIN, crate::payments::SandboxApi);
    }
    route = route::mount(route, GATEWAY, health::HealthApi);
    route = home::mount(route, &gateway.local);
    let texts = document::texts(gateway.local_stack);
    route = route::mount_text(route, "/api/v1/openapi.json", "application/json", &texts.document);
    route = route::mount_text(route, "/api/v1/docs", "text/html; charset=utf-8", &texts.reader);
    Door { inner: route, gateway }
}
