//! How a body is rejected: its form, its length, its fields.

use gateway::openapi_document;
use poem::{http::Method, test::TestResponse};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{client, details_of, expect_error};

#[tokio::test]
async fn bodies_are_rejected_as_documented() {
    let client = client().await;
    let login = || client.post("/api/v1/auth/login");
    expect_error(login().send().await, 400, "malformed_body").await;
    expect_error(login().content_type("application/json").body("{").send().await, 400, "malformed_body").await;
    let body = r#"{"email":"a@b.c","password":"x"}"#;
    expect_error(login().body(body).send().await, 415, "unsupported_media_type").await;
    expect_error(login().content_type("text/plain").body(body).send().await, 415, "unsupported_media_type").await;
    let encoded = login().content_type("application/json").header("Content-Encoding", "gzip").body(body);
    expect_error(encoded.send().await, 415, "unsupported_media_type").await;
    let large = login().content_type("application/json").body("x".repeat(1001)).send().await;
    expect_error(large, 413, "body_too_large").await;
    for charset in ["utf-16", "iso-8859-1", "\"utf-16\""] {
        let typed = login().content_type(format!("application/json; charset={charset}")).body(body);
        expect_error(typed.send().await, 415, "unsupported_media_type").await;
    }
    let typed = login().content_type("Application/JSON; charset=utf-8").body(r#"{"email":1,"password":"x"}"#);
    let body = expect_error(typed.send().await, 422, "invalid_body").await;
    assert_eq!(details_of(&body), json!([{"field": "email", "message": "must be a string"}]));
    let unknown = login().content_type("application/json").body(r#"{"email":"a","password":"x","admin":true}"#);
    let body = expect_error(unknown.send().await, 422, "unknown_field").await;
    assert_eq!(details_of(&body), json!([{"field": "admin", "message": "is not known"}]));
}

#[tokio::test]
async fn a_declared_length_above_the_bound_is_413_before_the_body_is_read() {
    let client = client().await;
    // A body that never comes.
    let body = poem::Body::from_bytes_stream(futures::stream::pending::<std::io::Result<bytes::Bytes>>());
    let login = client.post("/api/v1/auth/login").content_type("application/json").header("Content-Length", "1001");
    let response = tokio::time::timeout(std::time::Duration::from_secs(5), login.body(body).send()).await;
    expect_error(response.expect("answered at once"), 413, "body_too_large").await;
}

#[tokio::test]
async fn a_field_that_cannot_be_read_is_named() {
    let client = client().await;
    let id = Uuid::nil();
    let (product, status) = (format!("/api/v1/products/{id}"), format!("/api/v1/orders/{id}/status"));
    let (user, stock) = (format!("/api/v1/admin/users/{id}"), format!("/api/v1/inventory/{id}"));
    let statuses =
        "must be one of pending, confirmed, processing, shipped, delivered, cancelled, failed, expired, refunded";
    for (method, path, body, field, message) in [
        (Method::PATCH, &product, r#"{"name":null}"#, "name", "must not be null"),
        (Method::PATCH, &product, r#"{"is_active":null}"#, "is_active", "must not be null"),
        (Method::PATCH, &product, r#"{"compare_price":{"amount":null}}"#, "compare_price.amount", "must not be null"),
        (Method::PATCH, &product, r#"{"name":"a","slug":"b","name":"c"}"#, "name", "is given more than once"),
        (Method::PATCH, &product, r#"{"attributes":{"a":"1","a":"2"}}"#, "attributes.a", "is given more than once"),
        (Method::PATCH, &product, r#"{"price":[1,"USD"]}"#, "price", "must be an object"),
        (Method::PATCH, &user, r#"{"role":null}"#, "role", "must not be null"),
        (Method::PUT, &stock, r#"{"on_hand":null}"#, "on_hand", "must not be null"),
        (Method::PUT, &stock, r#"{"min_stock":null}"#, "on_hand", "is required"),
        (Method::PUT, &status, r#"{"status":{"processing":null}}"#, "status", statuses),
        (Method::PUT, &status, r#"{"status":5}"#, "status", statuses),
        (Method::PUT, &status, r#"{"status":["processing"]}"#, "status", statuses),
        (Method::PUT, &status, r#"{"status":"lost"}"#, "status", statuses),
        (Method::PUT, &status, r#"{"status":null}"#, "status", "must not be null"),
    ] {
        let request = client.request(method, path).header("Authorization", "Bearer admin");
        let response = request.content_type("application/json").body(body).send().await;
        let error = expect_error(response, 422, "invalid_body").await;
        assert_eq!(details_of(&error), json!([{"field": field, "message": message}]), "{body}");
    }
}

#[tokio::test]
async fn details_have_codes_and_parameters_for_programs() {
    let client = client().await;
    let product = format!("/api/v1/products/{}", Uuid::nil());
    let patch = |body: &'static str| {
        client.patch(&product).header("Authorization", "Bearer seller").content_type("application/json").body(body)
    };
    for (body, code, params) in [
        (r#"{"name":null}"#, "null", json!({})),
        (r#"{"name":5}"#, "type", json!({"expected": "string"})),
        (r#"{"price":{"amount":5}}"#, "required", json!({})),
        (r#"{"price":{"amount":5,"currency":"ZZZ"}}"#, "format", json!({"format": "currency"})),
        (r#"{"category_id":"x"}"#, "format", json!({"format": "uuid"})),
        (r#"{"name":"a","name":"b"}"#, "repeated", json!({})),
    ] {
        let error = expect_error(patch(body).send().await, 422, "invalid_body").await;
        assert_eq!((&error["details"][0]["code"], &error["details"][0]["params"]), (&json!(code), &params), "{body}");
    }
    for (query, code, params) in [
        ("limit=101", "range", json!({"max": 100})),
        ("limit=many", "type", json!({"expected": "integer"})),
        ("colour=red", "unknown", json!({})),
    ] {
        let error =
            expect_error(client.get(format!("/api/v1/products?{query}")).send().await, 400, "invalid_query").await;
        assert_eq!((&error["details"][0]["code"], &error["details"][0]["params"]), (&json!(code), &params), "{query}");
    }
}

/// Beside an unknown field, null is either the first thing that is wrong or not wrong at all.
#[tokio::test]
async fn the_document_says_where_null_is_allowed() {
    let client = client().await;
    let document: Value = serde_json::from_str(&openapi_document()).unwrap();
    let (mut nullable, mut others) = (0, 0);
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
            let Some(name) = schema.as_str().and_then(|path| path.strip_prefix("#/components/schemas/")) else {
                continue;
            };
            let mut path = path.clone();
            while let Some((start, rest)) = path.split_once('{') {
                path = format!("{start}{}{}", Uuid::nil(), rest.split_once('}').unwrap().1);
            }
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            for (field, schema) in
                document["components"]["schemas"][name]["properties"].as_object().into_iter().flatten()
            {
                let request = client.request(method.clone(), &path).header("Authorization", "Bearer admin");
                let request = request.header("Idempotency-Key", "key").content_type("application/json");
                let response = request.body(json!({field: null, "unknown": 1}).to_string()).send().await;
                let TestResponse(response) = response;
                assert_eq!(response.status().as_u16(), 422, "{method} {path} {field}");
                let body: Value = serde_json::from_str(&response.into_body().into_string().await.unwrap()).unwrap();
                let is_rejected = details_of(&body) == json!([{"field": field, "message": "must not be null"}]);
                assert_eq!(is_rejected, schema["nullable"] != true, "{method} {path} {field}: {body}");
                if is_rejected { others += 1 } else { nullable += 1 }
            }
        }
    }
    assert!(nullable > 20 && others > 10, "{nullable} and {others}");
}
