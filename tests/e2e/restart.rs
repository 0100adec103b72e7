//! Nodes that are replaced, killed or frozen under load. (Handing the gateway's own socket over is not built yet: the
//! gateway stays up here.)

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

use crate::harness::{Buying, Cluster, Person, address, wait_until};

/// A visitor who never tries anything twice. Gives what went wrong.
async fn visit_until(
    stop: Arc<AtomicBool>,
    requests: Arc<AtomicUsize>,
    person: Person,
    variant: String,
) -> Vec<String> {
    let order = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address(),
        "payment": {"method": "pm_card_visa"}});
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
            // A connection that fails ends the test by panicking.
            let answer = person.request(method.clone(), path, body, &headers).await;
            if answer.status >= 400 {
                failures.push(format!("{method} {path}: {} {}", answer.status, answer.body));
            }
            requests.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    failures
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_of_the_domains_fails_no_request() {
    let mut cluster = Cluster::start().await;
    let variant = cluster.shop.product(5000, 100).await;
    let (stop, requests) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let mut visitors = Vec::new();
    for _ in 0..4 {
        let person = cluster.shop.customer().await;
        visitors.push(tokio::spawn(visit_until(stop.clone(), requests.clone(), person, variant.clone())));
    }
    let more = async |count: usize| {
        let wanted = requests.load(Ordering::Relaxed) + count;
        wait_until("visits go on", || async { requests.load(Ordering::Relaxed) >= wanted }).await;
    };
    more(50).await;
    for node in 0..cluster.size() {
        cluster.signal(node, Signal::TERM);
        cluster.replace(node).await;
        more(50).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut failures = Vec::new();
    for visitor in visitors {
        failures.extend(visitor.await.unwrap());
    }
    assert!(failures.is_empty(), "{} of {}: {failures:#?}", failures.len(), requests.load(Ordering::Relaxed));
    wait_until("nothing is held any more", || async { cluster.shop.stock(&variant).await.number_at("/reserved") == 0 })
        .await;
    cluster.shop.check_clean().await;
}

/// Scenario 9: a killed node had pulled what nobody else will be given.
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
    cluster.shop.check_clean().await;
}
