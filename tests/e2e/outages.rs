//! Servers that go away: clear answers meanwhile, recovery by itself, nothing lost.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use tokio::net::TcpListener;

use crate::harness::{Answer, Buying, Shop, paid_order, send_signal, wait_until};

/// Within the deadline that the gateway gives a query, which is shorter: a request that hangs is rejected after it.
const IN_TIME: Duration = Duration::from_secs(5);

/// 503, when to come back, and soon.
async fn expect_rejection_in_time(requests: impl Future<Output = Answer>) {
    let began = Instant::now();
    let rejected = requests.await;
    let took = began.elapsed();
    assert!(rejected.header("retry-after").is_some(), "{rejected:?}");
    assert!(took < IN_TIME, "it took {took:?}: {rejected:?}");
    rejected.expect_status(503);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_requests_are_rejected_clearly_and_the_shop_recovers_by_itself() {
    let shop = Shop::start(&[]).await;
    let buying = Buying::begin(&shop, 3, 500).await;
    buying.progress(10).await;
    let (variant, buyer) = (shop.product(5, 100).await, shop.customer().await);
    let key = uuid::Uuid::now_v7().to_string();
    let body = paid_order(&variant);
    shop.without_nats(async || {
        wait_until("the gateway knows", || async { shop.anonymous().get("//health/ready").await.status == 503 }).await;
        for _ in 0..3 {
            expect_rejection_in_time(buyer.place(&body, &key)).await;
            expect_rejection_in_time(buyer.get("/cart")).await;
        }
        shop.anonymous().get("//health/live").await.expect_status(200);
        // A gateway that starts now says why it does not, and leaves the next attempt to its supervisor.
        let (status, said) = shop.run_node_to_its_end(&["--gateway"]).await;
        assert!(!status.success() && said.contains("NATS at nats://"), "{status}: {said}");
    })
    .await;
    wait_until("the shop is ready again", || async { shop.anonymous().get("//health/ready").await.status == 200 })
        .await;
    let order = buyer.place_after_outage(&body, &key).await;
    buyer.wait_for_status(&order.text_at("/id"), "confirmed").await;
    buying.progress(10).await;
    buying.reconcile(&shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_postgresql_causes_no_storm_and_every_order_still_ends_right() {
    let shop = Shop::start(&[]).await;
    let buying = Buying::begin(&shop, 3, 500).await;
    buying.progress(10).await;
    for _ in 0..2 {
        let before = shop.postgres_pid();
        send_signal(before, Signal::KILL);
        wait_until("PostgreSQL was started again", || async { shop.postgres_pid() != before }).await;
        buying.progress(10).await;
    }
    // Bounded pools are what keeps a recovery from becoming a storm.
    let connections = "select count(*) from pg_stat_activity where application_name like 'souk-%'";
    let connections = shop.number("orders", connections).await;
    let most = i64::try_from(subjects::DOMAINS.len()).unwrap() * 12;
    assert!(connections <= most, "{connections} connections, {most} at most");
    buying.reconcile(&shop).await;
}

/// PostgreSQL is down for seconds while requests continue: none hangs, and the server is not overwhelmed when it comes
/// back.
#[tokio::test(flavor = "multi_thread")]
async fn while_postgresql_is_down_requests_fail_fast_and_few_probes_connect() {
    let shop = Shop::start(&[]).await;
    let buying = Buying::begin(&shop, 3, 500).await;
    buying.progress(10).await;
    let (variant, buyer) = (shop.product(5, 100).await, shop.customer().await);
    let key = uuid::Uuid::now_v7().to_string();
    let body = paid_order(&variant);
    let port = shop.stack().pg_port;
    shop.without_postgres(async || {
        // Nothing listens.
        for _ in 0..20 {
            expect_rejection_in_time(buyer.place(&body, &key)).await;
            expect_rejection_in_time(buyer.get("/cart")).await;
            expect_rejection_in_time(shop.anonymous().get("/products?limit=1")).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        shop.anonymous().get("//health/live").await.expect_status(200);
        // A listener closes each connection at once, like a server without free connections: each attempt is counted.
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let (attempts, began) = (AtomicUsize::default(), Instant::now());
        let counting = async {
            loop {
                drop(listener.accept().await.unwrap());
                attempts.fetch_add(1, Ordering::Relaxed);
            }
        };
        let clients = futures::future::join_all((0..16).map(async |_| {
            let (person, mut requests) = (shop.anonymous(), 0);
            while began.elapsed() < Duration::from_secs(5) {
                expect_rejection_in_time(person.get("/products?limit=1")).await;
                requests += 1;
            }
            requests
        }));
        let requests: usize = tokio::select! {
            requests = clients => requests.into_iter().sum(),
            () = counting => unreachable!(),
        };
        let (attempts, seconds) = (attempts.into_inner(), began.elapsed().as_secs_f64());
        println!("{requests} requests and {attempts} attempts to connect in {seconds:.1} s");
        // Two a second of each domain, however many ask; the rest is for a busy machine and the server's own parent.
        let most = (subjects::DOMAINS.len() * 4) as f64 * seconds;
        assert!((attempts as f64) < most, "a storm: {attempts} attempts in {seconds} s");
    })
    .await;
    // By itself, and no lost connection is used again.
    assert!(!shop.has_died());
    wait_until("the shop is ready again", || async { shop.anonymous().get("//health/ready").await.status == 200 })
        .await;
    wait_until("its nodes are ready again", || shop.nodes_are_ready()).await;
    // Circuit breakers have opened meanwhile: one request a second finds out that a domain is back.
    wait_until("catalog is asked again", || async { shop.anonymous().get("/products?limit=1").await.status == 200 })
        .await;
    wait_until("carts are asked again", || async { buyer.get("/cart").await.status == 200 }).await;
    wait_until("orders are asked again", || async { buyer.get("/orders").await.status == 200 }).await;
    for _ in 0..20 {
        shop.anonymous().get("/products?limit=1").await.expect_status(200);
        buyer.get("/cart").await.expect_status(200);
    }
    let order = buyer.place_after_outage(&body, &key).await;
    buyer.wait_for_status(&order.text_at("/id"), "confirmed").await;
    buying.progress(10).await;
    buying.reconcile(&shop).await;
}

/// Scenario 2: all streams and all durables are lost at once, twice.
/// Scenario 7: no order waits for the republishing.
#[tokio::test(flavor = "multi_thread")]
async fn losing_every_stream_amid_orders_changes_no_ending() {
    let shop = Shop::start(&[]).await;
    let buying = Buying::begin(&shop, 3, 500).await;
    let operator = async_nats::jetstream::new(shop.nats_as("operator").await);
    // The second loss meets the first one's repair at work.
    for orders in [15, 0, 15] {
        buying.progress(orders).await;
        shop.without_nats(async || shop.wipe_streams()).await;
        wait_until("the streams are made again", || async {
            operator.get_stream("INVENTORY").await.is_ok() && operator.get_stream("ORDERS").await.is_ok()
        })
        .await;
    }
    buying.progress(15).await;
    buying.reconcile(&shop).await;
}
