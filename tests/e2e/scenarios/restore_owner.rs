//! The database of an owner, orders, comes from a backup of minutes ago: payments and inventory
//! have acted on what it emitted since, and it has lost it.

use std::{collections::BTreeSet, time::Instant};

use async_nats::jetstream;
use serde_json::{Value, json};
use sqlx::Connection;

use super::streams::{order, publish_again};
use crate::harness::{Person, Restorable, address, wait_until};

/// An order that waits for its payment, its stock held; with the id of its payment.
async fn unpaid_order(world: &Restorable, buyer: &Person, variant: &str) -> (String, String) {
    let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address()});
    let order = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    let held = format!("select count(*) from orders where id = '{order}' and stock_held");
    wait_until("the stock is held", || async { world.number(&held).await == 1 }).await;
    let intent = buyer.post_once("/payments/intents", &json!({ "order_id": order })).await.expect_status(201);
    (order, intent.text_at("/id"))
}

/// Scenario 2, for a log that others have acted on: no consumer handles what it lost as new, it receives again what
/// others know of its orders (Scenario 25: and emits its events under the same ids), and what is lost is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_owner_gets_the_later_events_of_its_orders_and_what_its_log_lost_is_named() {
    let mut world = Restorable::start("orders").await;
    let variant = world.shop.product(50, 1000).await;
    let ghostly = world.shop.product(5, 1000).await;
    let buyer = world.shop.customer().await;
    let early = order(&buyer, &variant).await;
    buyer.wait_for_status(&early, "confirmed").await;
    let (paid_later, payment) = unpaid_order(&world, &buyer, &variant).await;
    let called_off = order(&buyer, &variant).await;
    buyer.wait_for_status(&called_off, "confirmed").await;
    world.back_up().await;

    // After the backup: one that was pending is paid, one is called off, others are made from beginning to end.
    world.shop.anonymous().post(&format!("/sandbox/payments/{payment}/confirm"), &json!({})).await.expect_status(200);
    buyer.wait_for_status(&paid_later, "confirmed").await;
    buyer.post(&format!("/orders/{called_off}/cancel"), &json!({})).await.expect_status(200);
    let path = format!("/orders/{called_off}");
    wait_until("its money is back", || async { buyer.get(&path).await.text_at("/payment_status") == "refunded" }).await;
    let mut lost = Vec::new();
    for _ in 0..4 {
        let id = order(&buyer, &variant).await;
        buyer.wait_for_status(&id, "confirmed").await;
        lost.push(id);
    }
    let before = world.check().await;
    assert!(before.is_success, "{:#}", before.report["violations"]);
    // And one that inventory has not received when the history ends.
    let mut inventory = world.shop.superuser("inventory").await;
    sqlx::raw_sql("begin; lock table reservation in exclusive mode").execute(&mut inventory).await.unwrap();
    let ghost = order(&buyer, &ghostly).await;
    let unpublished = "select count(*) from outbox";
    wait_until("the stream has the order", || async { world.number(unpublished).await == 0 }).await;
    let stream = jetstream::new(world.shop.nats_as("operator").await).get_stream("ORDERS").await.unwrap();
    let number = stream.cached_info().state.last_sequence;

    let began = Instant::now();
    world.restore().await;
    println!("the restore itself, with two starts, took {:?}", began.elapsed());
    let epoch = world.number("select max(epoch) from epoch").await;
    let seen = "select epoch from source_epoch where source = 'orders'";
    wait_until("inventory has seen the new epoch", || async { world.shop.number("inventory", seen).await == epoch })
        .await;
    // A lane that read before that may still handle what it has as new; it gives up its attempt, and reads again.
    let compared =
        world.shop.number("inventory", "select (extract(epoch from clock_timestamp()) * 1000000)::bigint").await;
    let older = format!(
        "select count(*) from pg_stat_activity where application_name = 'souk-inventory'
             and extract(epoch from xact_start) * 1000000 < {compared}"
    );
    wait_until("no lane acts in the old epoch", || async { world.shop.number("inventory", older.clone()).await == 0 })
        .await;
    inventory.close().await.unwrap();
    // The stream delivers again what is in no log any more.
    let owner = jetstream::new(world.shop.nats_as("orders").await);
    let dropped = world.shop.metric("events_of_older_epochs_total", &[]).await;
    let again = stream.get_raw_message(number).await.unwrap();
    assert!(String::from_utf8_lossy(&again.payload).contains(&ghost), "the last message is another");
    publish_again(&owner, &stream, number).await;
    wait_until("the ghost is dropped", || async {
        world.shop.metric("events_of_older_epochs_total", &[]).await > dropped
    })
    .await;
    let reserved = format!("select count(*) from reservation where order_id = '{ghost}'");
    assert_eq!(world.shop.number("inventory", reserved).await, 0, "a lost order holds stock");

    let mut later = Vec::new();
    for _ in 0..8 {
        let id = order(&buyer, &variant).await;
        buyer.wait_for_status(&id, "confirmed").await;
        later.push(id);
    }
    let declined = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address(),
        "payment": {"method": "pm_card_visa_chargeDeclined"}});
    let declined = buyer.post_once("/orders", &declined).await.expect_status(201).text_at("/id");
    buyer.wait_for_status(&declined, "failed").await;
    println!("from the restore until nine new orders were decided: {:?}", began.elapsed());
    // It receives again what others know of its own orders.
    buyer.wait_for_status(&paid_later, "confirmed").await;
    buyer.wait_for_status(&called_off, "refunded").await;
    assert_eq!(buyer.order_status(&early).await, "confirmed");
    for id in lost.iter().chain([&ghost]) {
        buyer.get(&format!("/orders/{id}")).await.expect_error(404, "order_not_found");
    }
    for id in later.iter().chain([&paid_later]) {
        let payment = buyer.get(&format!("/payments/order/{id}")).await.expect_status(200);
        assert_eq!((payment.text_at("/status"), payment.number_at("/amount/amount")), ("succeeded".into(), 1000));
    }
    // The lost orders were paid for and have their goods: early, paid later, four lost, eight new.
    let stock = world.shop.stock(&variant).await;
    assert_eq!((stock.number_at("/on_hand"), stock.number_at("/reserved")), (50 - 14, 0));
    let stock = world.shop.stock(&ghostly).await;
    assert_eq!((stock.number_at("/on_hand"), stock.number_at("/reserved")), (5, 0));

    let after = world.check().await;
    assert!(!after.is_success, "nothing is said of the orders that were lost");
    let violations = after.report["violations"].as_array().unwrap();
    let (lost_events, others): (Vec<_>, Vec<_>) =
        violations.iter().partition(|violation| violation["check"] == "streams");
    let ended = "a restore of the database has ended its history";
    assert!(lost_events.len() > lost.len(), "{violations:#?}");
    assert!(lost_events.iter().all(|violation| violation["text"].as_str().unwrap().contains(ended)), "{violations:#?}");
    // Every lost order by its goods and its money. The one that was called off is refunded now, not cancelled, for what
    // only orders knew is gone; its goods had returned, and nothing of what came later is named.
    let named: BTreeSet<(&str, &str)> = others.iter().map(|violation| about(violation)).collect();
    let mut expected: BTreeSet<(&str, &str)> = lost.iter().map(|id| ("fulfilment", id.as_str())).collect();
    expected.extend(lost.iter().map(|id| ("balance", id.as_str())));
    assert_eq!(named, expected, "{others:#?}");
}

/// The check and the order of a fault.
fn about(violation: &Value) -> (&str, &str) {
    let key = violation["key"].as_str().unwrap().trim_start_matches("order ");
    (violation["check"].as_str().unwrap(), key.split(',').next().unwrap())
}
