//! Whatever dies: every accepted order reaches its right ending, nothing is sold twice.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::sync::Mutex;

use crate::harness::{Person, Shop, address, wait_until};

/// Places orders until told to stop, each repeated with its key until it is answered. Gives the accepted ones.
async fn buy_until(stop: Arc<Mutex<bool>>, buyer: Person, variants: Vec<String>) -> Vec<String> {
    let mut accepted = Vec::new();
    for number in 0.. {
        if *stop.lock().await {
            break;
        }
        let variant = &variants[number % variants.len()];
        let method = if number % 7 == 6 { "pm_card_visa_chargeDeclined" } else { "pm_card_visa" };
        let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address(),
            "payment": {"method": method}});
        let key = uuid::Uuid::now_v7().to_string();
        let answer = loop {
            match buyer.try_post("/orders", &body, &[("Idempotency-Key", &key)]).await {
                Some(answer) if answer.status < 500 => break answer,
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        match answer.status {
            201 => accepted.push(answer.text_at("/id")),
            _ => drop(answer.expect_error(409, "out_of_stock")),
        }
    }
    accepted
}

/// Waits until every order is decided, then compares what was sold with what is left.
async fn reconcile(shop: &Shop, buyers: &[(Person, Vec<String>)], variants: &[String], on_hand: i64) {
    let mut confirmed = 0;
    for (buyer, orders) in buyers {
        for id in orders {
            wait_until("the order is decided", || async { buyer.order_status(id).await != "pending" }).await;
            let order = buyer.get(&format!("/orders/{id}")).await.expect_status(200);
            match order.text_at("/status").as_str() {
                "confirmed" => {
                    confirmed += 1;
                    let payment = buyer.get(&format!("/payments/order/{id}")).await.expect_status(200);
                    assert_eq!(payment.text_at("/status"), "succeeded", "a confirmed order is paid");
                }
                "failed" => {
                    let code = order.text_at("/failure/code");
                    assert!(["card_declined", "out_of_stock"].contains(&code.as_str()), "{}", order.body);
                }
                other => panic!("an order ended as {other}: {}", order.body),
            }
        }
    }
    for variant in variants {
        wait_until("nothing is held any more", || async { shop.stock(variant).await.number_at("/reserved") == 0 })
            .await;
    }
    let mut left = 0;
    for variant in variants {
        left += shop.stock(variant).await.number_at("/on_hand");
    }
    assert_eq!(on_hand * variants.len() as i64 - left, confirmed, "units sold are units confirmed");
    assert!(confirmed > 0);
}

async fn variants(shop: &Shop, on_hand: i64) -> Vec<String> {
    let mut variants = Vec::new();
    for _ in 0..3 {
        variants.push(shop.product(on_hand, 1000).await);
    }
    variants
}

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_whole_shop_amid_orders_loses_none_and_doubles_none() {
    let mut shop = Shop::start(&[]).await;
    let variants = variants(&shop, 40).await;
    let mut people = Vec::new();
    for _ in 0..6 {
        people.push(shop.customer().await);
    }
    let stop = Arc::new(Mutex::new(false));
    let buying: Vec<_> =
        people.iter().map(|person| tokio::spawn(buy_until(stop.clone(), person.clone(), variants.clone()))).collect();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(700)).await;
        shop.kill();
        shop.start_again().await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    *stop.lock().await = true;
    let mut buyers = Vec::new();
    for (person, orders) in people.into_iter().zip(futures::future::join_all(buying).await) {
        buyers.push((person, orders.unwrap()));
    }
    reconcile(&shop, &buyers, &variants, 40).await;
    shop.check_clean().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_streams_amid_orders_changes_no_ending() {
    let shop = Shop::start(&[]).await;
    let variants = variants(&shop, 60).await;
    let mut people = Vec::new();
    for _ in 0..4 {
        people.push(shop.customer().await);
    }
    let stop = Arc::new(Mutex::new(false));
    let buying: Vec<_> =
        people.iter().map(|person| tokio::spawn(buy_until(stop.clone(), person.clone(), variants.clone()))).collect();
    let operator = async_nats::jetstream::new(shop.nats_as("operator").await);
    for stream in ["ORDERS", "INVENTORY", "ORDERS"] {
        tokio::time::sleep(Duration::from_millis(400)).await;
        operator.delete_stream(stream).await.unwrap();
    }
    tokio::time::sleep(Duration::from_millis(400)).await;
    *stop.lock().await = true;
    let mut buyers = Vec::new();
    for (person, orders) in people.into_iter().zip(futures::future::join_all(buying).await) {
        buyers.push((person, orders.unwrap()));
    }
    reconcile(&shop, &buyers, &variants, 60).await;
    for stream in ["ORDERS", "INVENTORY"] {
        wait_until("the stream is there again", || async { operator.get_stream(stream).await.is_ok() }).await;
    }
    // Filled again from the logs, too.
    shop.check_clean().await;
}
