//! The public reads that the gateway keeps: none of them is outdated.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Person, Shop, shared_shop};

/// How long something old may be shown, with the time that a request takes on a busy machine.
const IN_TIME: Duration = Duration::from_secs(3);

fn product(price: i64) -> Value {
    let name = format!("Mug {}", uuid::Uuid::now_v7().simple());
    json!({"name": name, "price": {"amount": price, "currency": "USD"}})
}

async fn price_at(anyone: &Person, path: &str) -> i64 {
    anyone.get(path).await.expect_status(200).number_at("/price/amount")
}

#[tokio::test]
async fn a_changed_product_is_changed_by_every_name_and_in_every_list() {
    let shop = &shared_shop().await;
    let ((seller, id), anyone) = (shop.new_seller().await, shop.anonymous());
    let made = seller.post("/products", &product(100)).await.expect_status(201);
    let (by_id, by_slug) = (made.text_at("/id"), made.text_at("/slug"));
    let (by_id, by_slug) = (format!("/products/{by_id}"), format!("/products/{by_slug}"));
    let list = format!("/products?seller={id}");
    for price in [200, 300, 400] {
        let change = json!({"price": {"amount": price, "currency": "USD"}});
        // Both are kept when it changes.
        let tag = anyone.get(&by_id).await.header("etag").unwrap().to_owned();
        anyone.get(&by_slug).await.expect_status(200);
        anyone.get(&list).await.expect_status(200);
        seller.patch(&by_id, &change).await.expect_status(200);
        for path in [&by_id, &by_slug] {
            assert_eq!(price_at(&anyone, path).await, price, "{path}");
        }
        let listed = anyone.get(&list).await.expect_status(200);
        assert_eq!(listed.number_at("/data/0/price/amount"), price);
        let known = [("If-None-Match", tag.as_str())];
        assert_eq!(anyone.request(Method::GET, &by_id, None, &known).await.status, 200);
    }
    seller.patch(&by_id, &json!({"is_active": false})).await.expect_status(200);
    for path in [&by_id, &by_slug] {
        anyone.get(path).await.expect_error(404, "product_not_found");
        seller.get(path).await.expect_status(200);
    }
    assert_eq!(anyone.get(&list).await.expect_status(200).number_at("/pagination/total"), 0);
}

/// Past the gateway: it learns of the change by the notice.
async fn change_over_nats(shop: &Shop, seller: &Person, id: &str, changes: Value) {
    let nats = async_nats::connect(&shop.nats).await.unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("Authorization", format!("Bearer {}", seller.token()));
    let body = json!({"product_id": id, "changes": changes}).to_string();
    let answer = nats.request_with_headers("req.catalog.change_product", headers, body.into()).await.unwrap();
    let product: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(product["id"], id, "{product}");
}

#[tokio::test]
async fn a_change_that_does_not_come_through_the_gateway_is_seen_in_time() {
    let shop = &shared_shop().await;
    let ((seller, _), anyone) = (shop.new_seller().await, shop.anonymous());
    let id = seller.post("/products", &product(100)).await.expect_status(201).text_at("/id");
    let path = format!("/products/{id}");
    assert_eq!(price_at(&anyone, &path).await, 100);
    change_over_nats(shop, &seller, &id, json!({"price": {"amount": 200, "currency": "USD"}})).await;
    let since = Instant::now();
    while price_at(&anyone, &path).await != 200 {
        assert!(since.elapsed() < IN_TIME, "the old price is shown for too long");
    }
    change_over_nats(shop, &seller, &id, json!({"is_active": false})).await;
    let since = Instant::now();
    while anyone.get(&path).await.status != 404 {
        assert!(since.elapsed() < IN_TIME, "a hidden product is shown for too long");
    }
}

#[tokio::test]
async fn what_is_kept_is_asked_for_once_and_counted() {
    let shop = Shop::start(&[]).await;
    let made = shop.seller().await.post("/products", &product(100)).await.expect_status(201);
    let (anyone, path) = (shop.anonymous(), format!("/products/{}", made.text_at("/id")));
    let queries = async || shop.metric("requests_total", &["subject=\"req.catalog.get_product\""]).await;
    let hits = async || shop.metric("http_cache_hits_total", &["service=\"catalog\""]).await;
    let misses = async || shop.metric("http_cache_misses_total", &["service=\"catalog\""]).await;
    let before = (queries().await, hits().await, misses().await);
    let began = Instant::now();
    let pages = futures::future::join_all((0..50).map(|_| anyone.get(&path))).await;
    for page in pages {
        page.expect_status(200);
    }
    let took = began.elapsed();
    let after = (queries().await, hits().await, misses().await);
    // One at the start of each second.
    let most = took.as_secs_f64().ceil();
    assert!((1.0..=most).contains(&(after.0 - before.0)), "{before:?} {after:?} in {took:?}");
    assert!((after.2 - before.2 - (after.0 - before.0)).abs() < 0.5, "{before:?} {after:?}");
    assert!((after.1 - before.1 + after.2 - before.2 - 50.0).abs() < 0.5, "{before:?} {after:?}");
}
