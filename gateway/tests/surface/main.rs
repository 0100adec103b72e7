//! The HTTP surface without domains behind it: what is rejected at the edge, and in which shape.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by them")]

mod bodies;
mod document;
mod parameters;
mod paths;
mod rates;

use std::sync::Arc;

use contract::{ErrorKind, ServiceError};
use gateway::{GatewayConfig, Local, RateLimits, Shutdown, TrustedProxies, VerifyToken, routes};
use poem::{
    Endpoint, Response,
    test::{TestClient, TestResponse},
};
use runtime::{Client, Identity};
use serde_json::{Value, json};
use uuid::Uuid;

/// Takes a role for a token.
fn verifier() -> VerifyToken {
    Arc::new(|authorization| {
        Box::pin(async move {
            let role = authorization.strip_prefix("Bearer ").unwrap_or_default().to_owned();
            if ["customer", "seller", "admin"].contains(&role.as_str()) {
                return Ok(Identity { id: Uuid::nil(), role, version: 1, session: Uuid::nil(), issued_at: 0 });
            }
            assert_ne!(role, "panic", "a defect");
            Err(ServiceError::new(ErrorKind::Unauthenticated, "invalid_token", "The access token is not valid."))
        })
    })
}

async fn client() -> TestClient<impl Endpoint<Output = Response>> {
    client_with(RateLimits::LOCAL).await
}

async fn client_with(rates: RateLimits) -> TestClient<impl Endpoint<Output = Response>> {
    // No server listens there: the client keeps retrying, as in a gateway without NATS.
    let options = async_nats::ConnectOptions::new().retry_on_initial_connect();
    let connection = options.connect("nats://127.0.0.1:9").await.unwrap();
    TestClient::new(routes(GatewayConfig {
        client: Client::new(connection).await.unwrap(),
        verify: verifier(),
        revoked: std::sync::Arc::new(|_| Box::pin(std::future::pending())),
        body_limit: 1000,
        cors_origins: vec!["https://shop.example".into()],
        trusted_proxies: TrustedProxies::default(),
        rates,
        local_stack: true,
        local: Local::default(),
        tls: None,
        shutdown: Shutdown::default(),
    }))
}

async fn expect_error(response: TestResponse, status: u16, code: &str) -> Value {
    let TestResponse(response) = response;
    assert_eq!(response.status().as_u16(), status, "{code}");
    assert_eq!(response.content_type(), Some("application/json"));
    let request_id = response.header("X-Request-Id").unwrap().to_owned();
    assert!(response.header("traceparent").is_some());
    assert_eq!(response.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(response.header("Cache-Control"), Some("no-store"));
    if status == 401 {
        assert_eq!(response.header("WWW-Authenticate"), Some("Bearer"));
    }
    if status == 503 {
        assert!(response.header("Retry-After").is_some());
    }
    let body: Value = serde_json::from_str(&response.into_body().into_string().await.unwrap()).unwrap();
    let mut names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["code", "details", "message", "request_id", "service", "success"]);
    assert_eq!(body["code"], code);
    assert_eq!(body["success"], false);
    assert_eq!(body["request_id"], request_id);
    body
}

/// The messages of an error's details, by field.
fn details_of(body: &Value) -> Value {
    let details = body["details"].as_array().unwrap().iter();
    details.map(|detail| json!({"field": detail["field"], "message": detail["message"]})).collect()
}

const ORDER: &str = "/api/v1/orders";
