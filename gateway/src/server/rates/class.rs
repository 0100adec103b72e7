//! Classes of routes, and the keys of buckets.

use std::net::IpAddr;

use poem::http::Method;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A class of routes. Each has limits of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Class {
    Auth,
    Payments,
    Writes,
    Reads,
}

impl Class {
    /// The class of a request; `None` if it is exempt: health, and webhooks, which their signature authenticates and
    /// whose sender repeats them.
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        let is_webhook = method == Method::POST && path.starts_with("/api/v1/webhooks/");
        if is_webhook || path == "/health" || path.starts_with("/health/") {
            return None;
        }
        if method.is_safe() {
            return Some(Self::Reads);
        }
        let classes = [("/api/v1/auth/", Self::Auth), ("/api/v1/payments/", Self::Payments)];
        Some(classes.into_iter().find(|(prefix, _)| path.starts_with(prefix)).map_or(Self::Writes, |(_, class)| class))
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Payments => "payments",
            Self::Writes => "writes",
            Self::Reads => "reads",
        }
    }
}

/// What a bucket limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Owner {
    /// The network of a client's address.
    Address(IpAddr),
    Account(Uuid),
    /// All that are new while the gateway has as many buckets as it may.
    Others,
}

impl Owner {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Address(_) => "address",
            Self::Account(_) => "account",
            Self::Others => "others",
        }
    }
}

/// The key of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Key {
    pub(super) class: Class,
    pub(super) owner: Owner,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_route_has_a_class() {
        let document: Value = serde_json::from_str(&crate::openapi_document()).unwrap();
        let class = |method: &str, path: &str| Class::of(&method.to_uppercase().parse().unwrap(), path);
        let (mut counted, mut exempt) = (Vec::new(), Vec::new());
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                match class(method, path) {
                    Some(class) => counted.push((class, format!("{method} {path}"))),
                    None => exempt.push(path.as_str()),
                }
            }
        }
        assert_eq!(exempt, ["/api/v1/webhooks/payments/{provider}", "/health", "/health/live", "/health/ready"]);
        let of = |wanted| counted.iter().filter(move |(class, _)| *class == wanted).map(|(_, route)| route.as_str());
        let auth = ["login", "logout", "refresh", "register"].map(|end| format!("post /api/v1/auth/{end}"));
        assert_eq!(of(Class::Auth).collect::<Vec<_>>(), auth);
        assert_eq!(of(Class::Payments).count(), 3);
        assert!(of(Class::Reads).all(|route| route.starts_with("get ")));
        assert!(of(Class::Writes).any(|route| route == "post /api/v1/orders"));
    }

    #[test]
    fn what_only_looks_exempt_is_counted() {
        for path in ["/healthy", "/api/v1/health", "/api/v1/webhooks", "/api/v1/webhooks/payments/stripe"] {
            assert!(Class::of(&Method::GET, path).is_some(), "{path}");
        }
    }

    #[test]
    fn keys_are_readable_on_the_wire() {
        let address = Key { class: Class::Auth, owner: Owner::Address([203, 0, 113, 7].into()) };
        assert_eq!(json!(address), json!({"class": "auth", "owner": {"address": "203.0.113.7"}}));
        assert_eq!(json!(Owner::Others), json!("others"));
    }
}
