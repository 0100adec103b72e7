//! Which paths and methods there are, and what is behind them without NATS.

use poem::http::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{ORDER, client, expect_error};

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
async fn a_panic_is_500_in_the_same_shape() {
    let client = client().await;
    let response = client.get(ORDER).header("Authorization", "Bearer panic").send().await;
    let body = expect_error(response, 500, "internal").await;
    assert_eq!(body["service"], "gateway");
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
