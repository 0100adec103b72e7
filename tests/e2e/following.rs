//! Following one order: server-sent events until its last event.

use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};

use crate::harness::{Person, shared_shop};

/// An event as its reader sees it.
#[derive(Debug)]
struct Event {
    id: i64,
    order: Value,
}

/// A stream of server-sent events.
struct Events {
    body: futures::stream::BoxStream<'static, reqwest::Result<Vec<u8>>>,
    text: String,
}

impl Events {
    async fn open(person: &Person, order: &str, last: Option<i64>) -> Self {
        let last = last.map(|id| id.to_string());
        let headers: Vec<_> = last.iter().map(|id| ("Last-Event-ID", id.as_str())).collect();
        let response = person.stream(&format!("/orders/{order}/stream"), &headers).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let body = response.bytes_stream().map(|chunk| chunk.map(|chunk| chunk.to_vec())).boxed();
        Self { body, text: String::new() }
    }

    /// The next event; `None` where the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    block.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim().to_owned())
                };
                let event = field("data:").map(|data| Event {
                    id: field("id:").unwrap().parse().unwrap(),
                    order: serde_json::from_str(&data).unwrap(),
                });
                if event.is_some() {
                    assert_eq!(field("event:").as_deref(), Some("status"), "{block}");
                }
                self.text = rest.to_owned();
                // A comment keeps the connection awake and says nothing.
                if event.is_some() {
                    return event;
                }
                continue;
            }
            let chunk = tokio::time::timeout(Duration::from_secs(30), self.body.next()).await.expect("nothing comes");
            match chunk {
                Some(chunk) => self.text.push_str(&String::from_utf8(chunk.unwrap()).unwrap().replace('\r', "")),
                None => return None,
            }
        }
    }

    async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

#[tokio::test]
async fn an_order_is_followed_to_its_end_and_again_from_where_one_was() {
    let shop = &shared_shop().await;
    let variant = shop.product(3, 1500).await;
    let buyer = shop.customer().await;
    let body =
        json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": crate::harness::address()});
    let id = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");

    let mut events = Events::open(&buyer, &id, None).await;
    let first = events.next().await.unwrap();
    assert_eq!((&first.order["id"], &first.order["status"]), (&json!(id), &json!("pending")));
    buyer.post(&format!("/orders/{id}/cancel"), &json!({})).await.expect_status(200);
    let rest = events.rest().await;
    let last = rest.last().expect("the cancellation is reported");
    assert_eq!(last.order["status"], "cancelled");
    let ids: Vec<i64> = std::iter::once(&first).chain(&rest).map(|event| event.id).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    assert!(rest.iter().all(|event| event.order["version"] == event.id));

    let resumed = Events::open(&buyer, &id, Some(first.id)).await.rest().await;
    assert_eq!(resumed.last().map(|event| event.id), Some(last.id));
    assert!(resumed.iter().all(|event| event.id > first.id), "{resumed:?}");
    assert!(Events::open(&buyer, &id, Some(last.id)).await.rest().await.is_empty(), "nothing is new");
}

#[tokio::test]
async fn a_paid_order_is_streamed_as_confirmed_and_its_delivery_ends_the_stream() {
    let shop = &shared_shop().await;
    let variant = shop.product(3, 1500).await;
    let (buyer, seller) = (shop.customer().await, shop.seller().await);
    let body =
        json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": crate::harness::address()});
    let id = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    let mut events = Events::open(&buyer, &id, None).await;
    events.next().await.unwrap();
    let intent = buyer.post_once("/payments/intents", &json!({ "order_id": id })).await.expect_status(201);
    let path = format!("/sandbox/payments/{}/confirm", intent.text_at("/id"));
    shop.anonymous().post(&path, &json!({})).await.expect_status(200);
    let confirmed = loop {
        let event = events.next().await.expect("a confirmed order may still be shipped");
        if event.order["status"] != "pending" {
            break event;
        }
    };
    assert_eq!(
        (&confirmed.order["status"], &confirmed.order["payment_status"]),
        (&json!("confirmed"), &json!("succeeded"))
    );
    for status in ["processing", "shipped", "delivered"] {
        seller.put(&format!("/orders/{id}/status"), &json!({ "status": status })).await.expect_status(200);
    }
    assert_eq!(events.rest().await.last().map(|event| event.order["status"].clone()), Some(json!("delivered")));
}

#[tokio::test]
async fn a_stream_ends_when_its_callers_token_is_revoked() {
    let shop = &shared_shop().await;
    let variant = shop.product(3, 1500).await;
    let buyer = shop.customer().await;
    let body =
        json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": crate::harness::address()});
    let id = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    let mut events = Events::open(&buyer, &id, None).await;
    events.next().await.unwrap();
    buyer.request(reqwest::Method::POST, "/auth/logout", None, &[]).await.expect_status(204);
    // Unpaid, the order stays pending: nothing else ends the stream.
    let rest = tokio::time::timeout(Duration::from_secs(10), events.rest()).await.expect("the stream ends");
    assert!(rest.iter().all(|event| event.order["status"] == "pending"), "{rest:?}");
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
