//! Transactions that change stock run side by side, and take their locks in one order: none waits for another in a
//! circle.

use std::time::Duration;

use futures::future::join_all;
use rand::{Rng, seq::SliceRandom};
use serde_json::json;

use crate::harness::{Cluster, Person, address, wait_until};

/// What waits for a row of `stock`, by the inventory database's own account.
const WAITING: &str = "select count(*) from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and query like '%from stock%for update%'";
const DEADLOCKS: &str = "select deadlocks from pg_stat_database where datname = current_database()";

/// An order for some of the variants, in whatever order these are named.
async fn order_some(buyer: &Person, variants: &[String]) -> String {
    let mut picked: Vec<&String> = {
        let mut rng = rand::rng();
        let count = rng.random_range(5..20);
        variants.iter().filter(|_| rng.random_ratio(count, 200)).collect()
    };
    picked.shuffle(&mut rand::rng());
    picked.truncate(50);
    picked.extend(variants.first().filter(|_| picked.is_empty()));
    let items: Vec<_> = picked.iter().map(|id| json!({"variant_id": id, "quantity": 1})).collect();
    let body = json!({"items": items, "shipping_address": address()});
    loop {
        let answer = buyer.place(&body, &uuid::Uuid::now_v7().to_string()).await;
        if answer.status != 503 && answer.status != 504 {
            return answer.expect_status(201).text_at("/id");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_for_the_same_variants_on_two_nodes_never_deadlock() {
    let cluster = Cluster::start().await;
    let shop = &cluster.shop;
    let mut variants = Vec::new();
    for _ in 0..4 {
        variants.extend(shop.variants(50, 100).await);
    }
    let seller = shop.seller().await;
    let buyers = join_all((0..8).map(|_| shop.customer())).await;
    // Placed, cancelled and counted at once: batches of every kind, with locks on many variants each.
    let rounds = buyers.iter().map(async |buyer| {
        for _ in 0..4 {
            let orders = join_all((0..4).map(|_| order_some(buyer, &variants))).await;
            let cancel = async |order: &String| {
                // Whether it is still in time does not matter here.
                buyer.post_once(&format!("/orders/{order}/cancel"), &json!({})).await;
            };
            join_all(orders.iter().map(cancel)).await;
        }
    });
    let counts = async {
        for variant in variants.iter().rev() {
            seller.put(&format!("/inventory/{variant}"), &json!({"on_hand": 5000})).await;
        }
    };
    tokio::join!(join_all(rounds), counts);
    shop.check_clean().await;
    assert_eq!(shop.number("inventory", DEADLOCKS).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_on_stock_run_side_by_side() {
    let cluster = Cluster::start().await;
    let shop = &cluster.shop;
    let held = shop.product(100, 100).await;
    let buyer = shop.customer().await;
    let mut lock = shop.superuser("inventory").await;
    let hold = format!("begin; select 1 from stock where variant_id = '{held}' for update");
    sqlx::raw_sql(sqlx::AssertSqlSafe(hold)).execute(&mut lock).await.unwrap();
    // In as many lanes as there are, or nearly.
    let place = async |variant: &String| buyer.order(variant, 1, None).await.expect_status(201).text_at("/id");
    let waiting = join_all((0..12).map(|_| place(&held))).await;
    wait_until("two transactions wait for the row", || async { shop.number("inventory", WAITING).await >= 2 }).await;
    sqlx::raw_sql("rollback").execute(&mut lock).await.unwrap();
    for order in waiting {
        let held = format!("select count(*) from reservation where order_id = '{order}' and status = 'held'");
        wait_until("the stock is reserved", || async { shop.number("inventory", held.clone()).await == 1 }).await;
    }
}
