//! All routes under one middleware: which API belongs to which domain, and the pages beside them.

use std::sync::Arc;

use poem::{Endpoint, Response, Route};
use subjects::{carts, catalog, identity, inventory, operations, orders, payments, pricing};

use crate::{
    http::error::GATEWAY,
    openapi,
    routes::{
        admin::AdminApi,
        audit_log::AuditLogApi,
        auth::AuthApi,
        carts::CartsApi,
        dead_letters::DeadLettersApi,
        health::HealthApi,
        home,
        inventory::InventoryApi,
        orders::OrdersApi,
        payments::{PaymentsApi, SandboxApi},
        pricing::PricingApi,
        products::ProductsApi,
    },
    server::{
        gateway::{Gateway, GatewayConfig},
        middleware::Middleware,
        route::{mount, mount_text},
    },
};

/// All routes, for a custom server or a test.
pub fn routes(config: GatewayConfig) -> impl Endpoint<Output = Response> + 'static {
    app(Gateway::new(config))
}

pub(crate) fn app(gateway: Arc<Gateway>) -> Middleware<Route> {
    let mut route = Route::new();
    route = mount(route, identity::DOMAIN, AuthApi);
    route = mount(route, identity::DOMAIN, AdminApi);
    route = mount(route, operations::DOMAIN, DeadLettersApi);
    route = mount(route, operations::DOMAIN, AuditLogApi);
    route = mount(route, catalog::DOMAIN, ProductsApi);
    route = mount(route, inventory::DOMAIN, InventoryApi);
    route = mount(route, pricing::DOMAIN, PricingApi);
    route = mount(route, carts::DOMAIN, CartsApi);
    route = mount(route, orders::DOMAIN, OrdersApi);
    route = mount(route, payments::DOMAIN, PaymentsApi);
    if gateway.local_stack {
        route = mount(route, payments::DOMAIN, SandboxApi);
    }
    route = mount(route, GATEWAY, HealthApi);
    route = home::mount(route, &gateway.local);
    let texts = openapi::texts(gateway.local_stack);
    route = mount_text(route, "/api/v1/openapi.json", "application/json", &texts.document);
    route = mount_text(route, "/api/v1/docs", "text/html; charset=utf-8", &texts.reader);
    Middleware { inner: route, gateway }
}
