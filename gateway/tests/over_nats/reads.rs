//! Reads that are kept, with a stand-in for catalog that counts them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::HeaderMap;
use contract::{Request, header, subject};
use futures::{StreamExt, future::join_all};
use serde_json::json;
use subjects::catalog::{GetProduct, ListProducts};
use tokio::{io::AsyncReadExt, sync::Semaphore};
use uuid::Uuid;

use crate::support::{Gateway, gateway, nats};

const MUG: Uuid = Uuid::from_u128(7);

/// A product with a price, or without one: then it is hidden.
struct Catalog {
    connection: async_nats::Client,
    price: AtomicI64,
    reads: AtomicUsize,
    /// What an answer waits for.
    turn: Semaphore,
}

impl Catalog {
    async fn listen(connection: async_nats::Client) -> Arc<Self> {
        let turn = Semaphore::new(Semaphore::MAX_PERMITS / 2);
        let (price, reads) = (AtomicI64::new(100), AtomicUsize::new(0));
        let catalog = Arc::new(Self { connection, price, reads, turn });
        let mut requests = catalog.connection.subscribe(subject::requests_of("catalog")).await.unwrap();
        catalog.connection.flush().await.unwrap();
        let this = catalog.clone();
        tokio::spawn(async move {
            while let Some(request) = requests.next().await {
                this.reads.fetch_add(1, Ordering::SeqCst);
                // As it is now: an answer that waits is old when it is sent.
                let (body, is_found) = this.answer(request.subject.as_str());
                this.turn.acquire().await.unwrap().forget();
                let mut headers = HeaderMap::new();
                headers.insert(header::CONTENT_TYPE, "application/json");
                if !is_found {
                    headers.insert(header::SERVICE_ERROR, "product_not_found");
                    headers.insert(header::SERVICE_ERROR_CODE, "404");
                }
                this.connection.publish_with_headers(request.reply.unwrap(), headers, body.into()).await.unwrap();
            }
        });
        catalog
    }

    fn answer(&self, operation: &str) -> (String, bool) {
        if operation == ListProducts::subject() {
            let pagination = json!({"limit": 20, "offset": 0, "total": 0, "is_total_exact": true});
            return (json!({"data": [], "pagination": pagination}).to_string(), true);
        }
        assert_eq!(operation, GetProduct::subject());
        let amount = self.price.load(Ordering::SeqCst);
        if amount == 0 {
            let error = json!({
                "success": false, "code": "product_not_found", "kind": "not_found", "message": "", "service": "catalog",
                "request_id": "", "details": [], "domain_error": {"code": "product_not_found"},
            });
            return (error.to_string(), false);
        }
        let at = "2026-01-01T00:00:00Z";
        let product = json!({
            "id": MUG, "slug": "mug", "name": "Mug", "description": "", "seller_id": MUG, "images": [],
            "price": {"amount": amount, "currency": "USD"}, "attributes": {}, "variants": [], "is_active": true,
            "is_featured": false, "version": amount, "created_at": at, "updated_at": at,
        });
        (product.to_string(), true)
    }

    async fn notify(&self) {
        self.connection.publish(subject::notice("catalog", MUG), "{}".into()).await.unwrap();
        self.connection.flush().await.unwrap();
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

async fn get(gateway: &Gateway, path: &str, headers: &str) -> String {
    let request = format!("GET /api/v1{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
    let mut answer = String::new();
    gateway.send(&request).await.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_product_is_read_once_until_a_notice_of_it_arrives() {
    let Some((_server, connection)) = nats().await else { return };
    let catalog = Catalog::listen(connection.clone()).await;
    let gateway = gateway(connection).await;
    let began = Instant::now();
    let first = get(&gateway, "/products/mug", "").await;
    assert!(first.starts_with("HTTP/1.1 200") && first.contains("\"amount\":100"), "{first}");
    assert!(first.contains("cache-control: public, max-age=0, must-revalidate\r\n"), "{first}");
    let tag = first.lines().find_map(|line| line.strip_prefix("etag: ")).unwrap();
    let again = get(&gateway, "/products/mug?", "X-Request-Id: mine\r\n").await;
    assert!(again.contains("\"amount\":100") && again.contains("x-request-id: mine\r\n"), "{again}");
    assert!(again.contains("vary: Authorization, X-Cart-Token\r\n") && again.contains("nosniff"), "{again}");
    assert_eq!(again.lines().filter(|line| line.starts_with("vary: ")).count(), 1, "{again}");
    let known = get(&gateway, "/products/mug", &format!("If-None-Match: {tag}\r\n")).await;
    assert!(known.starts_with("HTTP/1.1 304") && known.contains(&format!("etag: {tag}\r\n")), "{known}");
    // Nothing here takes a second, except on a machine that does not run the test.
    assert!(catalog.reads() == 1 || began.elapsed() > Duration::from_secs(1), "{} reads", catalog.reads());
    get(&gateway, "/products/mug", "X-Cart-Token: guest\r\n").await;
    assert!(catalog.reads() >= 2, "one with a cart token is read for itself");

    catalog.price.store(200, Ordering::SeqCst);
    catalog.notify().await;
    let changed = async || get(&gateway, "/products/mug", "").await.contains("\"amount\":200");
    while !changed().await {
        assert!(began.elapsed() < Duration::from_secs(10), "the change is never seen");
    }
    catalog.price.store(0, Ordering::SeqCst);
    catalog.notify().await;
    while !get(&gateway, "/products/mug", "").await.starts_with("HTTP/1.1 404") {
        assert!(began.elapsed() < Duration::from_secs(10), "the product is never hidden");
    }
}

#[tokio::test]
async fn without_a_notice_a_product_is_read_again_after_a_second() {
    let Some((_server, connection)) = nats().await else { return };
    let catalog = Catalog::listen(connection.clone()).await;
    let gateway = gateway(connection).await;
    get(&gateway, "/products/mug", "").await;
    catalog.price.store(200, Ordering::SeqCst);
    let since = Instant::now();
    while get(&gateway, "/products/mug", "").await.contains("\"amount\":100") {
        assert!(since.elapsed() < Duration::from_secs(2), "it is served for too long");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn requests_that_arrive_together_are_one_read() {
    let Some((_server, connection)) = nats().await else { return };
    let catalog = Catalog::listen(connection.clone()).await;
    let gateway = gateway(connection).await;
    catalog.turn.forget_permits(Semaphore::MAX_PERMITS);
    for (reads, path) in [(1, "/products?limit=20"), (2, "/products/mug")] {
        let answers = join_all((0..8).map(|_| get(&gateway, path, "")));
        let answering = async {
            while catalog.reads() < reads {
                tokio::task::yield_now().await;
            }
            catalog.turn.add_permits(1);
        };
        let (answers, ()) = tokio::join!(answers, answering);
        assert!(answers.iter().all(|answer| answer.starts_with("HTTP/1.1 200")), "{answers:?}");
        assert_eq!(catalog.reads(), reads, "{path}");
    }
}

#[tokio::test]
async fn a_notice_during_a_read_discards_its_result() {
    let Some((_server, connection)) = nats().await else { return };
    let catalog = Catalog::listen(connection.clone()).await;
    let gateway = gateway(connection.clone()).await;
    catalog.turn.forget_permits(Semaphore::MAX_PERMITS);
    let reading = get(&gateway, "/products/mug", "");
    let changing = async {
        while catalog.reads() == 0 {
            tokio::task::yield_now().await;
        }
        catalog.price.store(200, Ordering::SeqCst);
        catalog.notify().await;
        // The answer takes the same way as the notice, behind it.
        catalog.turn.add_permits(1);
    };
    let (first, ()) = tokio::join!(reading, changing);
    assert!(first.contains("\"amount\":100"), "its read began before the change: {first}");
    catalog.turn.add_permits(1);
    let second = get(&gateway, "/products/mug", "").await;
    assert!(second.contains("\"amount\":200"), "{second}");
}
