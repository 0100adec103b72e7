//! Following one order: server-sent events until its last event.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Events, Person, shared_shop};

async fn follow(person: &Person, order: &str, last: Option<i64>) -> Events {
    Events::open(person, &format!("/orders/{order}/stream"), "status", last).await
}

#[tokio::test]
async fn an_order_is_followed_to_its_end_and_again_from_where_one_was() {
    let shop = &shared_shop().await;
    let variant = shop.product(3, 1500).await;
    let buyer = shop.customer().await;
    let body =
        json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": crate::harness::address()});
    let id = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");

    let mut events = follow(&buyer, &id, None).await;
    let first = events.next().await.unwrap();
    assert_eq!((&first.data["id"], &first.data["status"]), (&json!(id), &json!("pending")));
    buyer.post(&format!("/orders/{id}/cancel"), &json!({})).await.expect_status(200);
    let rest = events.rest().await;
    let last = rest.last().expect("the cancellation is reported");
    assert_eq!(last.data["status"], "cancelled");
    let ids: Vec<i64> = std::iter::once(&first).chain(&rest).map(|event| event.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert!(rest.iter().all(|event| event.data["version"] == event.id));

    let resumed = follow(&buyer, &id, Some(first.id)).await.rest().await;
    assert_eq!(resumed.last().map(|event| event.id), Some(last.id));
    assert!(resumed.iter().all(|event| event.id > first.id), "{resumed:?}");
    assert!(follow(&buyer, &id, Some(last.id)).await.rest().await.is_empty(), "nothing is new");
}

#[tokio::test]
async fn a_paid_order_is_streamed_as_confirmed_and_its_delivery_ends_the_stream() {
    let shop = &shared_shop().await;
    let variant = shop.product(3, 1500).await;
    let (buyer, seller) = (shop.customer().await, shop.seller().await);
    let body =
        json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": crate::harness::address()});
    let id = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    let mut events = follow(&buyer, &id, None).await;
    events.next().await.unwrap();
    let intent = buyer.post_once("/payments/intents", &json!({ "order_id": id })).await.expect_status(201);
    let path = format!("/sandbox/payments/{}/confirm", intent.text_at("/id"));
    shop.anonymous().post(&path, &json!({})).await.expect_status(200);
    let confirmed = loop {
        let event = events.next().await.expect("a confirmed order may still be shipped");
        if event.data["status"] != "pending" {
            break event;
        }
    };
    assert_eq!(
        (&confirmed.data["status"], &confirmed.data["payment_status"]),
        (&json!("confirmed"), &json!("succeeded"))
    );
    for status in ["processing", "shipped", "delivered"] {
        seller.put(&format!("/orders/{id}/status"), &json!({ "status": status })).await.expect_status(200);
    }
    assert_eq!(events.rest().await.last().map(|event| event.data["status"].clone()), Some(json!("delivered")));
}

#[tokio::test]
async fn a_stream_ends_when_its_callers_token_is_revoked() {
    let shop = &shared_shop().await;
    let variant = shop.product(3, 1500).await;
    let buyer = shop.customer().await;
    let body =
        json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": crate::harness::address()});
    let id = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    let mut events = follow(&buyer, &id, None).await;
    events.next().await.unwrap();
    buyer.request(reqwest::Method::POST, "/auth/logout", None, &[]).await.expect_status(204);
    // Unpaid, the order stays pending: nothing else ends the stream.
    let rest = tokio::time::timeout(Duration::from_secs(10), events.rest()).await.expect("the stream ends");
    assert!(rest.iter().all(|event| event.data["status"] == "pending"), "{rest:?}");
}

#[tokio::test]
async fn an_order_is_followed_by_its_buyer_only() {
    let shop = &shared_shop().await;
    let variant = shop.product(3, 1500).await;
    let order = shop.customer().await.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201);
    let path = format!("/orders/{}/stream", order.text_at("/id"));
    shop.customer().await.get(&path).await.expect_error(404, "order_not_found");
    shop.anonymous().get(&path).await.expect_error(401, "unauthenticated");
}
