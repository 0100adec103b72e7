//! The HTTP surface without domains behind it: what is rejected at the edge, and in which shape.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by them")]

use std::sync::Arc;

use contract::{ErrorKind, ServiceError};
use gateway::{GatewayConfig, Local, Shutdown, VerifyToken, openapi_document, routes};
use poem::{
    Endpoint, Response,
    http::{Method, StatusCode},
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
    // No server listens there: the client keeps retrying, as in a gateway without NATS.
    let options = async_nats::ConnectOptions::new().retry_on_initial_connect();
    let connection = options.connect("nats://127.0.0.1:9").await.unwrap();
    TestClient::new(routes(GatewayConfig {
        client: Client::new(connection).await.unwrap(),
        verify: verifier(),
        revoked: std::sync::Arc::new(|_| Box::pin(std::future::pending())),
        body_limit: 1000,
        cors_origins: vec!["https://shop.example".into()],
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

#[tokio::test]
async fn an_unknown_path_is_404_and_an_unknown_method_405_with_allow() {
    let client = client().await;
    for path in ["/nothing", "/docs/nothing.md", "/api/v1/nothing", "/api/v1/orders/", "/api/v1/products/a/b"] {
        expect_error(client.get(path).send().await, 404, "route_not_found").await;
    }
    let response = client.request(Method::TRACE, ORDER).send().await;
    response.assert_header("Allow", "GET, HEAD, POST");
    expect_error(response, 405, "method_not_allowed").await;
    let response = client.delete("/api/v1/openapi.json").send().await;
    response.assert_header("Allow", "GET, HEAD");
    expect_error(response, 405, "method_not_allowed").await;
}

#[tokio::test]
async fn what_a_person_opens_in_a_browser_is_a_page_and_the_same_is_there_as_json() {
    let client = client().await;
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
                  frame-ancestors 'none'";
    for path in ["/", "/api/v1", "/api/v1/", "/docs", "/docs/"] {
        let response = client.get(path).header("Accept", browser).send().await;
        response.assert_status_is_ok();
        response.assert_content_type("text/html; charset=utf-8");
        response.assert_header("Content-Security-Policy", policy);
        assert!(response.0.headers().get_all("Vary").iter().any(|value| value == "Accept"), "{path}");
        let page = response.0.into_body().into_string().await.unwrap();
        assert!(page.contains(env!("CARGO_PKG_VERSION")) && page.contains("href=\"/api/v1/docs\""), "{page}");
        assert!(!page.contains("<script") && !page.contains("src="), "{page}");
        assert!(!page.contains("@souk.test") && !page.contains("/metrics\""), "{page}");
        let head = client.head(path).header("Accept", browser).send().await;
        head.assert_status_is_ok();
        head.assert_content_type("text/html; charset=utf-8");
        assert_eq!(head.0.into_body().into_string().await.unwrap(), "");
        // Whatever a page or its JSON leads to is there.
        let json = client.get(path).header("Accept", "application/json").send().await;
        json.assert_content_type("application/json");
        let json: Value = serde_json::from_str(&json.0.into_body().into_string().await.unwrap()).unwrap();
        assert_eq!((&json["name"], &json["version"]), (&json!("souk"), &json!(env!("CARGO_PKG_VERSION"))));
        for link in json["links"].as_object().unwrap().values() {
            let link = link.as_str().unwrap();
            assert!(page.contains(&format!("href=\"{link}\"")), "{link}");
            let found = client.get(link).send().await.0.status().as_u16();
            // The system is not well without NATS, and says so.
            assert!(found == 200 || (link == "/health" && found == 503), "{link}: {found}");
        }
    }
    client.get("/favicon.ico").send().await.assert_status(StatusCode::NO_CONTENT);
    for (path, to) in [("/openapi.json", "/api/v1/openapi.json"), ("/api/v1/docs/", "/api/v1/docs")] {
        let response = client.get(path).send().await;
        response.assert_status(StatusCode::PERMANENT_REDIRECT);
        response.assert_header("Location", to);
    }
    expect_error(client.post("/").send().await, 405, "method_not_allowed").await;
}

#[tokio::test]
async fn a_path_id_that_cannot_be_one_is_404() {
    let client = client().await;
    for path in ["/api/v1/inventory/7", "/api/v1/inventory/x%00", "/api/v1/products/%00", "/api/v1/products/%ff"] {
        expect_error(client.get(path).send().await, 404, "not_found").await;
    }
    let path = "/api/v1/sandbox/payments/pi_1/steal";
    expect_error(client.post(path).send().await, 404, "not_found").await;
    let id = Uuid::nil();
    for (path, field) in [(format!("warehouse/{id}"), "domain"), ("orders/7".into(), "id")] {
        let path = format!("/api/v1/admin/dead-letters/{path}/redrive");
        let response = client.post(path).header("Authorization", "Bearer admin").send().await;
        let body = expect_error(response, 404, "not_found").await;
        assert_eq!(body["details"][0]["field"], field);
    }
}

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
async fn a_panic_is_500_in_the_same_shape() {
    let client = client().await;
    let response = client.get(ORDER).header("Authorization", "Bearer panic").send().await;
    let body = expect_error(response, 500, "internal").await;
    assert_eq!(body["service"], "gateway");
}

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
async fn without_nats_the_gateway_lives_but_is_not_ready() {
    let client = client().await;
    client.get("/health/live").send().await.assert_status_is_ok();
    expect_error(client.get("/health/ready").send().await, 503, "not_ready").await;
    let response = client.get("/health").send().await;
    response.assert_status(StatusCode::SERVICE_UNAVAILABLE);
    let health = response.json().await;
    health.value().object().get("status").assert_string("degraded");
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

#[tokio::test]
async fn the_document_and_its_reader_are_served() {
    let client = client().await;
    let served = client.get("/api/v1/openapi.json").send().await;
    served.assert_text(openapi_document()).await;
    let reader = client.get("/api/v1/docs").send().await;
    reader.assert_content_type("text/html; charset=utf-8");
    let page = reader.0.into_body().into_string().await.unwrap();
    assert!(page.contains("#/components/responses/NotFound"));
    let head = client.head("/api/v1/openapi.json").send().await;
    head.assert_status_is_ok();
    head.assert_text("").await;
}

#[test]
fn the_checked_in_document_is_the_served_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let document = openapi_document();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    let golden = std::fs::read_to_string(path).unwrap_or_default();
    assert!(golden == document, "docs/openapi.json has drifted: make golden");
}

#[test]
fn every_operation_documents_its_failures_and_its_caller() {
    let document: Value = serde_json::from_str(&openapi_document()).unwrap();
    let mut count = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            count += 1;
            let responses = operation["responses"].as_object().unwrap();
            for status in ["405", "500"] {
                assert!(responses.contains_key(status), "{method} {path} lacks {status}");
            }
            if operation.get("requestBody").is_some() {
                for status in ["400", "413", "415", "422"] {
                    assert!(responses.contains_key(status), "{method} {path} lacks {status}");
                }
            }
            assert!(operation["operationId"].is_string(), "{method} {path}");
        }
    }
    assert_eq!(count, 42);
    let security = &document["paths"]["/api/v1/orders"]["post"]["security"];
    assert_eq!(*security, json!([{"bearer": []}, {"cart_token": []}]));
    assert!(document["paths"]["/api/v1/products"]["get"].get("security").is_none());
    assert_eq!(document["components"]["schemas"]["NewOrder"]["additionalProperties"], false);
}
