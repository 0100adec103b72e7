//! Nodes whose clock is wrong.

use serde_json::Value;

use super::streams::order;
use crate::harness::{Buying, Person, Shop, wait_until};

/// Makes a database's clock differ from all others: functions of the same names are
/// found before its own.
fn shifted(database: &str, by: &str) -> String {
    format!(
        "create schema shifted;
         create function shifted.clock_timestamp() returns timestamptz language sql volatile
             return pg_catalog.clock_timestamp() + interval '{by}';
         create function shifted.now() returns timestamptz language sql stable
             return pg_catalog.now() + interval '{by}';
         grant usage on schema shifted to public;
         -- Leases of the processes that are gone would end by the other clock.
         delete from lease;
         alter database {database} set search_path = public, shifted, pg_catalog"
    )
}

/// Scenario 11: seen from inventory's database its node is an hour ahead, seen from payments' six minutes behind: only
/// the difference of the two clocks is ever visible. No consumer rejects an event for its time, no sweep passes over a
/// commit of a process that died, and the node says that it must not be trusted with new work.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_wrong_clock_is_not_ready_and_costs_no_order() {
    let mut shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(50, 1000).await, shop.customer().await);
    let early = order(&buyer, &variant).await;
    buyer.wait_for_status(&early, "confirmed").await;
    for domain in subjects::DOMAINS {
        wait_until("everything is published", || async {
            shop.number(domain, "select count(*) from outbox").await == 0
        })
        .await;
    }
    shop.kill();
    for (database, by) in [("inventory", "-1 hour"), ("payments", "6 minutes")] {
        shop.sql(database, shifted(database, by)).await;
    }
    shop.start_again().await;
    let apart = "select abs(extract(epoch from clock_timestamp() - pg_catalog.clock_timestamp()))::bigint";
    assert_eq!(shop.number("inventory", apart).await, 3600);

    let node = Person::new(&shop.metrics);
    wait_until("the node is not ready", || async { node.get("//health/ready").await.status == 503 }).await;
    let health = node.get("//health/ready").await.body;
    let domains = health["domains"].as_array().unwrap();
    let unready: Vec<&Value> = domains.iter().filter(|domain| domain["is_ready"] == false).collect();
    assert_eq!(unready.len(), 2, "{health:#}");
    assert!(unready.iter().all(|domain| domain["reason"].as_str().unwrap().contains("clock")), "{health:#}");

    let buying = Buying::begin(&shop, 3, 500).await;
    buying.progress(20).await;
    // Commits of a process that dies are swept by the clock that wrote their lease.
    shop.kill();
    shop.start_again().await;
    buying.progress(20).await;
    println!("{:?}", buying.reconcile(&shop).await);
}
