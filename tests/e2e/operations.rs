//! What those who run the shop look at: health, metrics, ids that go through everything.

use std::process::Stdio;

use reqwest::Method;
use serde_json::json;
use tokio::{io::AsyncWriteExt, process::Command};

use crate::harness::{Person, programs, shared_shop};

#[tokio::test]
async fn a_healthy_shop_says_so_at_every_endpoint() {
    let shop = &shared_shop().await;
    let gateway = shop.anonymous();
    for path in ["//health/live", "//health/ready", "//health"] {
        let answer = gateway.get(path).await.expect_status(200);
        assert_eq!(answer.body["status"], "ok", "{path}: {}", answer.body);
    }
    let health = gateway.get("//health").await;
    for domain in subjects::DOMAINS {
        let found = health.body["domains"].as_array().unwrap().iter().find(|one| one["name"] == domain);
        assert!(found.is_some_and(|one| one["nodes"].as_u64() >= Some(1)), "{domain}: {}", health.body);
    }
    let node = Person::new(&shop.metrics);
    for path in ["//health/live", "//health/ready", "//health"] {
        assert_eq!(node.get(path).await.expect_status(200).body["status"], "ok", "{path}");
    }
    let domains = node.get("//health/ready").await;
    assert!(domains.body["domains"].as_array().is_some_and(|all| all.iter().all(|one| one["is_ready"] == true)));
}

#[tokio::test]
async fn requests_are_counted_and_timed_by_service() {
    let shop = &shared_shop().await;
    let variant = shop.product(1, 100).await;
    shop.customer().await.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201);
    shop.anonymous().get("/orders").await.expect_error(401, "unauthenticated");
    let metrics = Person::new(&shop.metrics).get("//metrics").await.expect_status(200);
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain"));
    let text = metrics.body.as_str().unwrap();
    let value = |name: &str, labels: &[&str]| {
        let line = text.lines().find(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
        let line = line.unwrap_or_else(|| panic!("no {name} with {labels:?} in\n{text}"));
        line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()
    };
    assert!(value("http_requests_total{", &["service=\"orders\"", "status=\"201\""]) >= 1.0);
    assert!(value("http_requests_total{", &["service=\"orders\"", "status=\"401\""]) >= 1.0);
    let bucket = |le: &str| value("http_request_duration_seconds_bucket{", &["service=\"orders\"", le]);
    assert!(bucket("le=\"0.005\"") <= bucket("le=\"+Inf\""));
    assert_eq!(bucket("le=\"+Inf\""), value("http_request_duration_seconds_count{", &["service=\"orders\""]));
}

#[tokio::test]
async fn a_request_is_known_by_the_id_its_caller_gave() {
    let shop = &shared_shop().await;
    let anyone = shop.anonymous();
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("X-Request-Id", "my-request-1"), ("traceparent", trace)];
    let rejected = anyone.request(Method::GET, "/products/no-such-thing", None, &headers).await;
    let rejected = rejected.expect_error(404, "product_not_found");
    assert_eq!((rejected.header("x-request-id"), rejected.header("traceparent")), (Some("my-request-1"), Some(trace)));
    assert_eq!(rejected.text_at("/request_id"), "my-request-1");
    let made = anyone.get("/products?limit=1").await.expect_status(200);
    assert!(made.header("x-request-id").is_some_and(|id| !id.is_empty()));
    assert_eq!(made.header("x-content-type-options"), Some("nosniff"));
}

#[tokio::test]
async fn a_local_stack_shows_its_demo_accounts_and_where_its_metrics_are_and_they_work() {
    let shop = &shared_shop().await;
    let json = [("Accept", "application/json")];
    let home = shop.anonymous().request(Method::GET, "//", None, &json).await.expect_status(200);
    assert_eq!((home.text_at("/name"), home.header("content-type")), ("souk".into(), Some("application/json")));
    let metrics = home.text_at("/links/metrics");
    assert_eq!(reqwest::get(&metrics).await.unwrap().status(), 200, "{metrics}");
    let page = shop.anonymous().get("//").await.expect_status(200);
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let page = page.body.as_str().unwrap().to_owned();
    for link in home.body["links"].as_object().unwrap().values() {
        assert!(page.contains(&format!("href=\"{}\"", link.as_str().unwrap())), "{link} is not in\n{page}");
    }
    // Only `souk up` makes demo accounts and names them; the nodes of the other form do not.
    assert_eq!(home.body["demo"].is_object(), std::env::var_os("SOUK_E2E_FORM").is_none(), "{}", home.body);
    if home.body["demo"].is_object() {
        for account in home.body["demo"]["accounts"].as_array().unwrap() {
            assert!(page.contains(account["email"].as_str().unwrap()));
            let login = json!({"email": account["email"], "password": home.body["demo"]["password"]});
            shop.anonymous().post("/auth/login", &login).await.expect_status(200);
        }
    }
    let node = reqwest::get(&shop.metrics).await.unwrap();
    assert!(node.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    let node = node.text().await.unwrap();
    assert!(node.contains("souk node") && node.contains("href=\"/metrics\""), "{node}");
}

#[tokio::test]
async fn the_served_document_is_the_one_that_is_checked_in() {
    let shop = &shared_shop().await;
    let served = shop.anonymous().get("/openapi.json").await.expect_status(200);
    let checked_in: serde_json::Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    assert!(served.body == checked_in, "docs/openapi.json has drifted: make golden");
    let reader = shop.anonymous().get("/docs").await.expect_status(200);
    assert!(reader.header("content-type").unwrap().starts_with("text/html"));
    assert_ne!(reader.body, json!(""));
}

/// Every series has a help text, and a name by the conventions of Prometheus.
#[tokio::test]
async fn promtool_finds_nothing_wrong_with_the_metrics() {
    let Some(promtool) = programs::promtool().await else { return };
    let shop = &shared_shop().await;
    let (variant, buyer) = (shop.product(1, 100).await, shop.customer().await);
    let order = buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201).text_at("/id");
    buyer.wait_for_status(&order, "confirmed").await;
    shop.anonymous().get("/orders").await.expect_error(401, "unauthenticated");
    for address in shop.all_metrics() {
        let metrics = Person::new(&address).get("//metrics").await.expect_status(200);
        let mut command = Command::new(&promtool);
        command.args(["check", "metrics"]).kill_on_drop(true);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut check = command.spawn().unwrap();
        // Closed afterwards, by which the program knows the end.
        let mut input = check.stdin.take().unwrap();
        input.write_all(metrics.body.as_str().unwrap().as_bytes()).await.unwrap();
        drop(input);
        let output = check.wait_with_output().await.unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        assert!(output.status.success() && said.is_empty(), "{address}: {said}");
    }
}
