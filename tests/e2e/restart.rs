//! Nodes of domains that are replaced, killed or frozen under load. The gateway stays up here; gateway_restart.rs
//! replaces gateways.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::harness::{Buying, Cluster, Person, Shop, paid_order, wait_until};

/// A visitor who never tries anything twice. Gives what went wrong.
async fn visit_until(
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
    person: Person,
    variant: String,
    tries: usize,
) -> Vec<String> {
    let order = paid_order(&variant);
    let line = json!({"variant_id": variant, "quantity": 1});
    let mut failures = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let keys = [uuid::Uuid::now_v7().to_string(), uuid::Uuid::now_v7().to_string()];
        let visits = [
            (Method::GET, "/products?limit=5", None, None),
            (Method::POST, "/cart/items", Some(&line), Some(&keys[0])),
            (Method::GET, "/cart", None, None),
            (Method::POST, "/orders", Some(&order), Some(&keys[1])),
            (Method::GET, "/orders?limit=2", None, None),
        ];
        for (method, path, body, key) in visits {
            let headers: Vec<_> = key.iter().map(|key| ("Idempotency-Key", key.as_str())).collect();
            for left in (0..tries).rev() {
                // A connection that fails ends the test by panicking.
                let answer = person.request(method.clone(), path, body, &headers).await;
                if answer.status < 400 {
                    break;
                }
                // Only what says so may be tried again.
                if left == 0 || ![503, 504].contains(&answer.status) {
                    failures.push(format!("{method} {path}: {} {}", answer.status, answer.body));
                    break;
                }
            }
            requests.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    failures
}

/// Visitors of a shop, who make each request at most as often as configured.
struct Visits {
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
    visitors: Vec<JoinHandle<Vec<String>>>,
    variant: String,
}

impl Visits {
    async fn begin(shop: &Shop, visitors: usize, tries: usize) -> Self {
        let variant = shop.product(5000, 100).await;
        let mut visits = Self { stop: Arc::default(), requests: Arc::default(), visitors: Vec::new(), variant };
        for _ in 0..visitors {
            let person = shop.customer().await;
            let visit =
                visit_until(visits.stop.clone(), visits.requests.clone(), person, visits.variant.clone(), tries);
            visits.visitors.push(tokio::spawn(visit));
        }
        visits.progress(50).await;
        visits
    }

    async fn progress(&self, count: usize) {
        let wanted = self.requests.load(Ordering::Relaxed) + count;
        wait_until("visits go on", || async { self.requests.load(Ordering::Relaxed) >= wanted }).await;
    }

    /// Ends them: no request may have failed, and the books must be in order.
    async fn end(self, shop: &Shop) {
        self.progress(50).await;
        self.stop.store(true, Ordering::Relaxed);
        let mut failures = Vec::new();
        for visitor in self.visitors {
            failures.extend(visitor.await.unwrap());
        }
        let requests = self.requests.load(Ordering::Relaxed);
        assert!(failures.is_empty(), "{} of {requests}: {failures:#?}", failures.len());
        wait_until("nothing is held any more", || async {
            shop.stock(&self.variant).await.number_at("/reserved") == 0
        })
        .await;
        shop.check_clean().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_the_domains_fails_no_request() {
    let mut cluster = Cluster::start().await;
    let visits = Visits::begin(&cluster.shop, 4, 1).await;
    for node in 0..cluster.size() {
        cluster.signal(node, Signal::TERM);
        cluster.replace(node).await;
        visits.progress(50).await;
    }
    visits.end(&cluster.shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_fails_no_request_because_the_gateway_retries_on_another() {
    let mut cluster = Cluster::start().await;
    let visits = Visits::begin(&cluster.shop, 6, 1).await;
    for node in 0..cluster.size() {
        cluster.signal(node, Signal::KILL);
        visits.progress(200).await;
        cluster.replace(node).await;
        visits.progress(50).await;
    }
    visits.end(&cluster.shop).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_node_fails_no_request_for_good() {
    let cluster = Cluster::start().await;
    // Tried again with its key: a request that asks one domain through another may meet the frozen node more than once,
    // and its deadline ends before the server gives the node up.
    let visits = Visits::begin(&cluster.shop, 6, 3).await;
    for node in 0..cluster.size() {
        cluster.signal(node, Signal::STOP);
        // Long enough that the server gives the node up: here the time itself is what is tested.
        tokio::time::sleep(Duration::from_secs(5)).await;
        visits.progress(200).await;
        cluster.signal(node, Signal::CONT);
        cluster.wait_until_ready(node).await;
        visits.progress(50).await;
    }
    visits.end(&cluster.shop).await;
}

/// Scenario 9: a killed node had pulled messages that no other node will get.
/// Scenario 10: a frozen node is still a member of the queue group.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_and_a_frozen_node_cost_no_order_that_is_repeated_with_its_key() {
    let mut cluster = Cluster::start().await;
    let buying = Buying::begin(&cluster.shop, 4, 1000).await;
    buying.progress(20).await;
    cluster.signal(0, Signal::KILL);
    buying.progress(20).await;
    cluster.replace(0).await;
    buying.progress(20).await;

    cluster.signal(1, Signal::STOP);
    // Frozen for a while: here the time itself is what is tested.
    tokio::time::sleep(Duration::from_secs(5)).await;
    buying.progress(20).await;
    cluster.signal(1, Signal::CONT);
    buying.progress(20).await;
    buying.reconcile(&cluster.shop).await;
}
