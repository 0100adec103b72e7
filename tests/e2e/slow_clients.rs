//! Clients that hold a connection and send next to nothing. The bounds themselves are tried in `gateway/server`.

use std::time::{Duration, Instant};

use futures::{StreamExt, future::join_all, stream};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::harness::{Connection, Gateways, address, shared_shop, wait_until};

/// The bound of a request head, and what a busy machine may take to keep it.
const HEAD: Duration = Duration::from_secs(10);
const LATE: Duration = Duration::from_secs(3);
const HALF: &[u8] = b"GET /api/v1/products HTTP/1.1\r\nHost: souk\r\n";
const DRAIN: Duration = Duration::from_secs(8);

async fn said(address: &str, text: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text).await.unwrap();
    stream
}

/// How long after `since` the server closes a connection, with a header every five seconds until then.
async fn closed(mut stream: TcpStream, since: Instant) -> Duration {
    let mut byte = [0];
    loop {
        match timeout(Duration::from_secs(5), stream.read(&mut byte)).await {
            Ok(Ok(0) | Err(_)) => return since.elapsed(),
            Ok(Ok(_)) => panic!("an answer to half a request"),
            // It may be closed meanwhile; then the next read shows it.
            Err(_) => drop(stream.write_all(b"X-More: 1\r\n").await),
        }
        assert!(since.elapsed() < HEAD * 3, "it is still open");
    }
}

async fn many_halves(address: &str, count: usize) -> Vec<(TcpStream, Instant)> {
    let opened = stream::iter(0..count).map(|_| async {
        let stream = said(address, HALF).await;
        (stream, Instant::now())
    });
    opened.buffer_unordered(200).collect().await
}

#[tokio::test]
async fn half_a_request_is_closed_at_every_listener() {
    let shop = &shared_shop().await;
    let halves = [&shop.url, &shop.metrics].map(|url| async move {
        let stream = said(url.trim_start_matches("http://"), HALF).await;
        closed(stream, Instant::now()).await
    });
    for took in join_all(halves).await {
        assert!(took < HEAD + LATE && took > HEAD / 2, "{took:?}");
    }
}

#[tokio::test]
async fn a_slow_body_is_a_timeout_of_its_own() {
    let shop = &shared_shop().await;
    let head = "POST /api/v1/auth/login HTTP/1.1\r\nHost: souk\r\nContent-Type: application/json\r\n\
                Content-Length: 100\r\n\r\n{";
    let mut stream = said(shop.url.trim_start_matches("http://"), head.as_bytes()).await;
    let mut answer = String::new();
    timeout(HEAD + LATE, stream.read_to_string(&mut answer)).await.expect("no answer").unwrap();
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body_timeout"), "{answer}");
}

/// Scenario 28: half a request head, ten thousand times.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_halves_of_requests_hurt_no_client_and_delay_no_drain() {
    server::raise_descriptor_limit();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let count = usize::try_from(limit.saturating_sub(1000)).unwrap().min(10_000);
    let mut gateways = Gateways::start(&[("SOUK_DRAIN_SECONDS", &DRAIN.as_secs().to_string())]).await;
    let listens = gateways.shop.url.trim_start_matches("http://").to_owned();
    let variant = gateways.shop.product(100, 100).await;
    let buyer = gateways.shop.customer().await;

    let halves = many_halves(&listens, count).await;
    let order = serde_json::json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address(),
        "payment": {"method": "pm_card_visa"}});
    let served = async {
        for number in 0..20 {
            let (began, key) = (Instant::now(), format!("slow-{number}"));
            let mut fresh = Connection::open(&gateways.shop.url).await.unwrap();
            assert_eq!(fresh.ask(&buyer, "GET", "/products?limit=5", None, &[]).await.unwrap().status, 200);
            let headers = [("Idempotency-Key", key.as_str())];
            assert_eq!(fresh.ask(&buyer, "POST", "/orders", Some(&order), &headers).await.unwrap().status, 201);
            assert!(began.elapsed() < Duration::from_secs(2), "request {number} took {:?}", began.elapsed());
        }
    };
    let ends = join_all(halves.into_iter().map(|(stream, since)| closed(stream, since)));
    let (ends, ()) = tokio::join!(ends, served);
    let slowest = ends.iter().max().unwrap();
    assert!(*slowest < HEAD + LATE, "one of {count} was closed after {slowest:?}");

    let halves = many_halves(&listens, count).await;
    let old = gateways.succeed().await;
    let stopped_at = Instant::now();
    old.terminate();
    assert!(old.left().await.success());
    assert!(stopped_at.elapsed() < DRAIN * 3 / 4, "it took {:?} to leave", stopped_at.elapsed());
    drop(halves);
    wait_until("the other one serves", || async { buyer.try_get("/cart").await == Some(200) }).await;
}
