//! The class of a request, by its method and path: that is known before the body, the token and the route.

use poem::http::Method;
use subjects::{carts, catalog, identity, inventory, operations, orders, payments, pricing};

use crate::http::error::GATEWAY;

/// How soon a request is rejected under overload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// Concerns what exists already, or the node itself. Rejected only at a bound on memory.
    Essential,
    /// Other reads.
    Read,
    /// Work that can come later. It yields to the other two.
    New,
}

impl Class {
    /// The name in logs and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Essential => "essential",
            Self::Read => "read",
            Self::New => "new",
        }
    }
}

/// Paths below a prefix: their service, the class of reads, and that of writes.
type Rule = (&'static str, &'static str, Class, Class);

/// The first rule that matches applies.
const RULES: [Rule; 21] = {
    use Class::{Essential, New, Read};
    [
        ("/api/v1/orders/", orders::DOMAIN, Essential, Essential),
        ("/api/v1/orders", orders::DOMAIN, Essential, New),
        ("/api/v1/payments/", payments::DOMAIN, Essential, Essential),
        // Without credentials, so they take no slots of payments.
        ("/api/v1/webhooks/", "webhooks", Essential, Essential),
        ("/api/v1/sandbox/", payments::DOMAIN, Essential, Essential),
        ("/health", GATEWAY, Essential, Essential),
        ("/api/v1/admin/tax-rates", pricing::DOMAIN, Essential, Essential),
        ("/api/v1/admin/shipping-zones", pricing::DOMAIN, Essential, Essential),
        ("/api/v1/admin/promotions", pricing::DOMAIN, Essential, Essential),
        ("/api/v1/admin/inventory/", inventory::DOMAIN, Read, New),
        ("/api/v1/admin/", operations::DOMAIN, Essential, Essential),
        // A payment or a cancellation may need a fresh token first.
        ("/api/v1/auth/refresh", identity::DOMAIN, Essential, Essential),
        ("/api/v1/auth/logout", identity::DOMAIN, Essential, Essential),
        ("/api/v1/auth/", identity::DOMAIN, Read, New),
        ("/.well-known/", identity::DOMAIN, Read, Read),
        ("/api/v1/cart", carts::DOMAIN, New, New),
        ("/api/v1/products", catalog::DOMAIN, Read, New),
        ("/api/v1/categories", catalog::DOMAIN, Read, New),
        ("/api/v1/inventory/availability", inventory::DOMAIN, Read, Read),
        ("/api/v1/inventory/", inventory::DOMAIN, Read, New),
        ("", GATEWAY, Read, Read),
    ]
};

/// The class of a request, and the service that it concerns.
pub(crate) fn of(method: &Method, path: &str) -> (Class, &'static str) {
    let rule = RULES.iter().find(|(prefix, ..)| path.starts_with(prefix));
    let (_, service, reads, writes) = rule.copied().unwrap_or(("", GATEWAY, Class::Read, Class::Read));
    (if method.is_safe() { reads } else { writes }, service)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_exists_already_comes_before_what_is_new() {
        for (method, path, class, service) in [
            (Method::POST, "/api/v1/orders", Class::New, "orders"),
            (Method::GET, "/api/v1/orders", Class::Essential, "orders"),
            (Method::GET, "/api/v1/orders/7/history", Class::Essential, "orders"),
            (Method::POST, "/api/v1/orders/7/cancel", Class::Essential, "orders"),
            (Method::POST, "/api/v1/webhooks/payments/stripe", Class::Essential, "webhooks"),
            (Method::POST, "/api/v1/payments/intents", Class::Essential, "payments"),
            (Method::GET, "/health/live", Class::Essential, "gateway"),
            (Method::POST, "/api/v1/auth/register", Class::New, "identity"),
            (Method::POST, "/api/v1/auth/refresh", Class::Essential, "identity"),
            (Method::GET, "/api/v1/cart", Class::New, "carts"),
            (Method::POST, "/api/v1/carts", Class::New, "carts"),
            (Method::HEAD, "/api/v1/products/mug", Class::Read, "catalog"),
            (Method::POST, "/api/v1/products", Class::New, "catalog"),
            (Method::POST, "/api/v1/inventory/availability", Class::Read, "inventory"),
            (Method::PUT, "/api/v1/inventory/7", Class::New, "inventory"),
            (Method::GET, "/api/v1/admin/inventory/low-stock", Class::Read, "inventory"),
            (Method::GET, "/", Class::Read, "gateway"),
        ] {
            assert_eq!(of(&method, path), (class, service), "{method} {path}");
        }
    }

    #[test]
    fn every_documented_path_has_a_rule() {
        let document: serde_json::Value = serde_json::from_str(&crate::openapi_document()).unwrap();
        for path in document["paths"].as_object().unwrap().keys() {
            let is_known = RULES.iter().any(|(prefix, ..)| !prefix.is_empty() && path.starts_with(prefix));
            assert!(is_known, "{path}");
        }
    }
}
