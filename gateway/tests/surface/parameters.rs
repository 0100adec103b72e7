//! Headers and query parameters: which are rejected, and what the others do.

use poem::http::StatusCode;
use serde_json::json;
use uuid::Uuid;

use crate::{ORDER, client, details_of, expect_error};

#[tokio::test]
async fn rights_are_checked_at_the_edge() {
    let client = client().await;
    expect_error(client.get(ORDER).send().await, 401, "unauthenticated").await;
    expect_error(client.put(format!("{ORDER}/{}/status", Uuid::nil())).send().await, 401, "unauthenticated").await;
    for token in ["Bearer forged", "Basic YTpi", "Bearer", ""] {
        let response = client.get("/api/v1/products").header("Authorization", token).send().await;
        expect_error(response, 401, "invalid_token").await;
    }
    let user = format!("/api/v1/admin/users/{}", Uuid::nil());
    let response = client.patch(&user).header("Authorization", "Bearer seller").send().await;
    expect_error(response, 403, "forbidden").await;
    let letters = "/api/v1/admin/dead-letters?domain=orders";
    expect_error(client.get(letters).send().await, 401, "unauthenticated").await;
    expect_error(client.get(letters).header("Authorization", "Bearer seller").send().await, 403, "forbidden").await;
    // A cart's token stands for a guest, never for an account.
    let response = client.patch(&user).header("X-Cart-Token", "abc").send().await;
    expect_error(response, 401, "unauthenticated").await;
    for wrong in ["", "cart x", &"x".repeat(201)] {
        let response = client.get(ORDER).header("X-Cart-Token", wrong).send().await;
        let body = expect_error(response, 400, "invalid_header").await;
        assert_eq!(body["details"][0]["field"], "X-Cart-Token");
    }
}

#[tokio::test]
async fn a_key_is_needed_where_money_moves() {
    let client = client().await;
    let payments = format!("/api/v1/payments/{}/refunds", Uuid::nil());
    for path in [ORDER, "/api/v1/payments/intents", &payments] {
        let response = client.post(path).header("Authorization", "Bearer admin").send().await;
        expect_error(response, 400, "idempotency_key_required").await;
        let response =
            client.post(path).header("Authorization", "Bearer admin").header("Idempotency-Key", "a b").send().await;
        expect_error(response, 400, "invalid_idempotency_key").await;
    }
}

#[tokio::test]
async fn query_parameters_are_rejected_by_name() {
    let client = client().await;
    for (query, name) in [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("limit=", "limit"),
        ("offset=-1", "offset"),
        ("offset=10001", "offset"),
        ("min_price=-1", "min_price"),
        ("currency=usd", "currency"),
        ("currency=ZZZ", "currency"),
        ("seller=me", "seller"),
        ("in_stock=perhaps", "in_stock"),
        ("sort=random", "sort"),
        ("search=%00", "search"),
        ("search=%ff", "search"),
        ("search=%zz", "search"),
        ("search=a&search=b", "search"),
        ("colour=red", "colour"),
        ("limit=1&Limit=2", "Limit"),
    ] {
        let body =
            expect_error(client.get(format!("/api/v1/products?{query}")).send().await, 400, "invalid_query").await;
        assert_eq!(body["details"][0]["field"], name, "{query}");
    }
    let unknown = client.get(format!("/api/v1/products/{}?fields=name", Uuid::nil())).send().await;
    assert_eq!(expect_error(unknown, 400, "invalid_query").await["details"][0]["field"], "fields");
    for (query, name) in [("", "domain"), ("domain=warehouse", "domain"), ("domain=orders&limit=0", "limit")] {
        let list = client.get(format!("/api/v1/admin/dead-letters?{query}")).header("Authorization", "Bearer admin");
        let body = expect_error(list.send().await, 400, "invalid_query").await;
        assert_eq!(body["details"][0]["field"], name, "{query}");
    }
    let headers = client.patch(format!("/api/v1/products/{}", Uuid::nil())).header("Authorization", "Bearer seller");
    expect_error(headers.header("If-Match", "3").send().await, 400, "invalid_header").await;
}

#[tokio::test]
async fn of_two_hosts_or_credentials_none_is_the_right_one() {
    let client = client().await;
    for (name, value) in [
        ("Host", "a"),
        ("Authorization", "Bearer admin"),
        ("X-Cart-Token", "abc"),
        ("Content-Type", "application/json"),
    ] {
        let twice = client.post(ORDER).header(name, value).header(name, value).send().await;
        let body = expect_error(twice, 400, "invalid_header").await;
        assert_eq!(details_of(&body), json!([{"field": name, "message": "is given more than once"}]));
    }
}

#[tokio::test]
async fn ids_are_taken_or_made_and_always_come_back() {
    let client = client().await;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let response = client.get("/health/live").header("X-Request-Id", "mine").header("traceparent", trace).send().await;
    response.assert_header("X-Request-Id", "mine");
    response.assert_header("traceparent", trace);
    response.assert_json(json!({"status": "ok"})).await;
    let response = client.get("/health/live").header("X-Request-Id", "a b").send().await;
    assert_ne!(response.0.header("X-Request-Id"), Some("a b"));
}

#[tokio::test]
async fn only_listed_origins_may_read_answers() {
    let client = client().await;
    let ask = |origin: &'static str| {
        client.options(ORDER).header("Origin", origin).header("Access-Control-Request-Method", "POST")
    };
    let response = ask("https://shop.example").send().await;
    response.assert_status(StatusCode::NO_CONTENT);
    response.assert_header("Access-Control-Allow-Origin", "https://shop.example");
    let response = ask("https://evil.example").send().await;
    response.assert_status(StatusCode::METHOD_NOT_ALLOWED);
    response.assert_header_is_not_exist("Access-Control-Allow-Origin");
}
