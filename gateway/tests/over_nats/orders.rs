//! Waiting for an order and following it, with a stand-in for the domain of orders.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_nats::HeaderMap;
use contract::{EventHead, Position, Request, header, subject};
use futures::StreamExt;
use serde_json::{Value, json};
use subjects::orders::{GetOrder, PlaceOrder};
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use uuid::Uuid;

use crate::support::{Gateway, gateway, nats, until};

const ORDER: Uuid = Uuid::from_u128(7);

/// An order with a version, whose transitions are driven by the test.
struct Orders {
    connection: async_nats::Client,
    version: AtomicI64,
    reads: AtomicUsize,
}

impl Orders {
    fn state(&self) -> Value {
        let version = self.version.load(Ordering::SeqCst);
        let status = ["pending", "pending", "pending", "confirmed", "processing", "cancelled"]
            [usize::try_from(version).unwrap()];
        let money = json!({"amount": 1, "currency": "USD"});
        json!({
            "id": ORDER, "order_number": "S-7", "status": status, "payment_status": "pending",
            "fulfillment_status": "unfulfilled", "items": [], "currency": "USD",
            "totals": {"subtotal": money, "discount": money, "shipping": money, "tax": money, "total": money},
            "shipping_address": {"street": "1 High St", "city": "York", "zip_code": "YO1", "country": "GB"},
            "payment_deadline": "2026-01-01T00:00:00Z", "version": version,
            "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        })
    }

    async fn listen(connection: async_nats::Client) -> Arc<Self> {
        let orders = Arc::new(Self { connection, version: AtomicI64::new(1), reads: AtomicUsize::new(0) });
        let mut requests = orders.connection.subscribe(subject::requests_of("orders")).await.unwrap();
        orders.connection.flush().await.unwrap();
        let this = orders.clone();
        tokio::spawn(async move {
            while let Some(request) = requests.next().await {
                if request.subject.as_str() == GetOrder::subject() {
                    let capability = request.headers.as_ref().unwrap().get(header::CAPABILITY).unwrap();
                    assert_eq!(capability.as_str(), "guest");
                    this.reads.fetch_add(1, Ordering::SeqCst);
                } else {
                    assert_eq!(request.subject.as_str(), PlaceOrder::subject());
                    assert!(request.headers.as_ref().unwrap().get(header::COMMAND_ID).is_some());
                }
                let mut headers = HeaderMap::new();
                headers.insert(header::CONTENT_TYPE, "application/json");
                let body = this.state().to_string();
                this.connection.publish_with_headers(request.reply.unwrap(), headers, body.into()).await.unwrap();
            }
        });
        orders
    }

    async fn step(&self, is_notified: bool) {
        let version = self.version.fetch_add(1, Ordering::SeqCst) + 1;
        if is_notified {
            let mut headers = HeaderMap::new();
            let head = EventHead {
                id: Uuid::now_v7(),
                source: "orders",
                name: "confirmed",
                entity: ORDER,
                version,
                at: Default::default(),
                position: Position::START,
                cause: Uuid::now_v7(),
                request_id: None,
                traceparent: None,
            };
            for (name, value) in head.headers() {
                headers.insert(name, value);
            }
            self.connection.publish_with_headers(subject::notice("orders", ORDER), headers, "{}".into()).await.unwrap();
        }
    }
}

impl Gateway {
    async fn follow(&self, last: Option<i64>) -> TcpStream {
        let last = last.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        self.send(&format!(
            "GET /api/v1/orders/{ORDER}/stream HTTP/1.1\r\nHost: x\r\nX-Cart-Token: guest\r\n{last}\r\n"
        ))
        .await
    }

    async fn place(&self, wait: u64) -> TcpStream {
        let body = r#"{"shipping_address":{"street":"1 High St","city":"York","zip_code":"YO1","country":"GB"}}"#;
        self.send(&format!(
            "POST /api/v1/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Cart-Token: guest\r\n\
             Prefer: wait={wait}\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await
    }
}

#[tokio::test]
async fn a_wait_ends_when_the_order_is_decided_or_the_time_is_over() {
    let Some((_server, connection)) = nats().await else { return };
    let orders = Orders::listen(connection.clone()).await;
    let gateway = gateway(connection).await;

    let mut hasty = gateway.place(1).await;
    let answer = until(&mut hasty, "\"status\":\"pending\"").await;
    assert!(answer.starts_with("HTTP/1.1 201") && answer.contains("preference-applied: wait=1"), "{answer}");

    let began = std::time::Instant::now();
    let mut waiting = gateway.place(20).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    orders.step(true).await;
    orders.step(true).await;
    let answer = until(&mut waiting, "\"version\":3").await;
    assert!(began.elapsed() < Duration::from_secs(2), "a notice ends the wait");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert!(answer.contains("preference-applied: wait=20"), "{answer}");
    assert!(answer.contains(&format!("location: /api/v1/orders/{ORDER}")), "{answer}");
    assert!(answer.contains("\"status\":\"confirmed\""), "{answer}");
}

#[tokio::test]
async fn a_version_is_an_etag_and_is_not_sent_twice() {
    let Some((_server, connection)) = nats().await else { return };
    let orders = Orders::listen(connection.clone()).await;
    let gateway = gateway(connection).await;
    let get =
        |known: &str| format!("GET /api/v1/orders/{ORDER} HTTP/1.1\r\nHost: x\r\nX-Cart-Token: guest\r\n{known}\r\n");

    let first = until(&mut gateway.send(&get("")).await, "\r\n\r\n").await;
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    assert!(first.contains("cache-control: no-store"), "{first}");
    let tag = etag(&first);
    assert!(tag.starts_with("\"1-"), "the version, and a digest of what changes without it: {tag}");
    let second = until(&mut gateway.send(&get(&format!("If-None-Match: {tag}\r\n"))).await, "\r\n\r\n").await;
    assert!(second.starts_with("HTTP/1.1 304"), "{second}");
    assert_eq!(etag(&second), tag, "{second}");
    orders.step(false).await;
    let third = until(&mut gateway.send(&get(&format!("If-None-Match: {tag}\r\n"))).await, "\r\n\r\n").await;
    assert!(third.starts_with("HTTP/1.1 200"), "{third}");
    assert!(etag(&third).starts_with("\"2-"), "{third}");
}

fn etag(answer: &str) -> &str {
    answer.lines().find_map(|line| line.strip_prefix("etag: ")).expect("an ETag")
}

/// Scenario 27: the last notice is lost.
#[tokio::test]
async fn a_stream_has_every_state_and_ends_with_the_order() {
    let Some((_server, connection)) = nats().await else { return };
    let orders = Orders::listen(connection.clone()).await;
    let gateway = gateway(connection).await;

    let mut stream = gateway.follow(None).await;
    let start = until(&mut stream, "\n\n").await;
    assert!(start.contains("content-type: text/event-stream"), "{start}");
    assert!(start.contains("id: 1\nevent: status\ndata: {"), "{start}");
    let reads = orders.reads.load(Ordering::SeqCst);
    orders.step(true).await;
    let next = until(&mut stream, "\n\n").await;
    assert!(next.contains("id: 2\nevent: status\n"), "{next}");
    assert_eq!(orders.reads.load(Ordering::SeqCst), reads + 1, "one notice, one read");

    // A notice that is lost costs two seconds, not the event.
    orders.step(false).await;
    assert!(until(&mut stream, "\n\n").await.contains("\"status\":\"confirmed\""));

    // A client that reconnects with the last event's id gets newer states at once.
    let mut again = gateway.follow(Some(2)).await;
    assert!(until(&mut again, "\n\n").await.contains("id: 3\n"));
    let mut known = gateway.follow(Some(3)).await;
    until(&mut known, "\r\n\r\n").await;

    orders.step(true).await;
    orders.step(true).await;
    for stream in [&mut stream, &mut again, &mut known] {
        let end = until(stream, "\r\n0\r\n\r\n").await;
        assert!(end.contains("\"status\":\"cancelled\""), "{end}");
    }
    // The order is final: nothing to follow.
    let mut late = gateway.follow(Some(5)).await;
    assert!(until(&mut late, "0\r\n\r\n").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn stopping_ends_waits_and_streams_and_closes_connections() {
    let Some((_server, connection)) = nats().await else { return };
    let _orders = Orders::listen(connection.clone()).await;
    let mut gateway = gateway(connection).await;

    let mut stream = gateway.follow(None).await;
    until(&mut stream, "\n\n").await;
    let mut waiting = gateway.place(30).await;
    let mut idle = gateway.send("GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n").await;
    until(&mut idle, "ok").await;
    tokio::time::sleep(Duration::from_millis(100)).await;

    gateway.stop.take().unwrap().send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    // A connection that was idle is still served, and asked to go.
    idle.write_all(b"GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let answer = until(&mut idle, "not_ready").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("connection: close"), "{answer}");
    until(&mut stream, "0\r\n\r\n").await;
    assert!(until(&mut waiting, "\"status\":\"pending\"").await.starts_with("HTTP/1.1 201"));
    timeout(Duration::from_secs(5), gateway.served).await.expect("it stops by itself").unwrap().unwrap();
}
