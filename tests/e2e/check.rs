//! `souk check` and `GET /admin/invariants`: a sound shop is clean, and whatever is planted is named.

mod plants;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};

use crate::harness::{Person, Shop, address, wait_until};
use plants::{Order, Plants, plant_in_streams, sql_plants};

/// An order without a payment, its stock held.
async fn unpaid(shop: &Shop, buyer: &Person, variant: &str) -> String {
    let before = shop.stock(variant).await.number_at("/reserved");
    let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address()});
    let key = uuid::Uuid::now_v7().to_string();
    let order = buyer.request(reqwest::Method::POST, "/orders", Some(&body), &[("Idempotency-Key", &key)]).await;
    wait_until("the stock is held", || async { shop.stock(variant).await.number_at("/reserved") > before }).await;
    order.expect_status(201).text_at("/id")
}

async fn confirmed(shop: &Shop, buyer: &Person) -> Order {
    let variant = shop.product(5, 1000).await;
    let order = buyer.order(&variant, 2, Some("pm_card_visa")).await.expect_status(201);
    assert_eq!(order.text_at("/status"), "confirmed", "{}", order.body);
    Order { id: order.text_at("/id"), variant }
}

async fn refund(shop: &Shop, order: &str, amount: i64) {
    let admin = shop.admin().await;
    let payment = admin.get(&format!("/payments/order/{order}")).await.expect_status(200).text_at("/id");
    let body = json!({"amount": {"amount": amount, "currency": "USD"}});
    let key = uuid::Uuid::now_v7().to_string();
    let path = format!("/payments/{payment}/refunds");
    admin.request(reqwest::Method::POST, &path, Some(&body), &[("Idempotency-Key", &key)]).await.expect_status(201);
}

/// Orders of every ending; gives one that was delivered.
async fn orders_of_every_ending(shop: &Shop, buyer: &Person) -> Order {
    let delivered = confirmed(shop, buyer).await;
    let seller = shop.seller().await;
    for status in ["processing", "shipped", "delivered"] {
        let path = format!("/orders/{}/status", delivered.id);
        seller.put(&path, &json!({ "status": status })).await.expect_status(200);
    }
    let variant = shop.product(9, 1000).await;
    let declined = buyer.order(&variant, 1, Some("pm_card_visa_chargeDeclined")).await.expect_status(201);
    assert_eq!(declined.text_at("/status"), "failed");
    let scarce = buyer.order(&variant, 10, Some("pm_card_visa")).await;
    assert!([201, 409].contains(&scarce.status), "{}", scarce.body);

    let (unpaid_id, paid) = (unpaid(shop, buyer, &variant).await, confirmed(shop, buyer).await);
    for order in [&unpaid_id, &paid.id] {
        buyer.post(&format!("/orders/{order}/cancel"), &json!({})).await.expect_status(200);
    }
    let (in_part, in_full) = (confirmed(shop, buyer).await, confirmed(shop, buyer).await);
    refund(shop, &in_part.id, 700).await;
    refund(shop, &in_full.id, 2000).await;
    buyer.wait_for_status(&in_full.id, "refunded").await;
    let expired = unpaid(shop, buyer, &variant).await;
    buyer.wait_for_status(&expired, "expired").await;
    delivered
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_shop_is_clean_and_planted_corruption_of_each_kind_is_named() {
    let shop = Shop::start(&[("SOUK_ORDERS_PAYMENT_DEADLINE", "5s")]).await;
    let buyer = shop.customer().await;
    let delivered = orders_of_every_ending(&shop, &buyer).await;
    let pending = unpaid(&shop, &buyer, &delivered.variant).await;
    shop.check_clean().await;
    buyer.wait_for_status(&pending, "expired").await;
    work_in_flight_is_no_fault(&shop).await;

    let mut orders = Vec::new();
    for _ in 0..8 {
        orders.push(confirmed(&shop, &buyer).await);
    }
    let stuck = unpaid(&shop, &buyer, &shop.product(1, 1000).await).await;
    let mut plants = Plants::new(&shop);
    sql_plants(&mut plants, &orders, &delivered, &stuck).await;
    let restore = plant_in_streams(&mut plants, &delivered).await;
    let found = shop.check().await;
    assert!(!found.is_success, "{:#}", found.report);
    plants.expect_named(&found.faults(), &found.report);
    let answer = invariants(&shop).await;
    assert_eq!(answer["is_ok"], false);
    plants.expect_named(&crate::harness::Checked { is_success: false, report: answer.clone() }.faults(), &answer);

    plants.undo().await;
    restore.await;
    buyer.wait_for_status(&stuck, "expired").await;
    shop.check_clean().await;
    assert_eq!(invariants(&shop).await["is_ok"], true);
}

/// A look amid orders finds suspects, and they move on.
async fn work_in_flight_is_no_fault(shop: &Shop) {
    let (variant, stop) = (shop.product(10_000, 1000).await, Arc::new(AtomicBool::new(false)));
    let mut buying = Vec::new();
    for _ in 0..4 {
        let (buyer, variant, stop) = (shop.customer().await, variant.clone(), stop.clone());
        buying.push(tokio::spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201);
            }
        }));
    }
    let amid = shop.check().await;
    stop.store(true, Ordering::Relaxed);
    for buyer in buying {
        buyer.await.unwrap();
    }
    assert!(amid.is_success, "{:#}", amid.report);
    assert!(shop.stock(&variant).await.number_at("/on_hand") < 10_000, "nobody bought anything meanwhile");
}

/// The report over HTTP.
async fn invariants(shop: &Shop) -> Value {
    shop.admin().await.get("/admin/invariants").await.expect_status(200).body
}

#[tokio::test]
async fn only_admins_run_the_checks() {
    let shop = crate::harness::shared_shop().await;
    shop.anonymous().get("/admin/invariants").await.expect_error(401, "unauthenticated");
    shop.seller().await.get("/admin/invariants").await.expect_error(403, "forbidden");
    // Past the gateway's own look: the one who answers checks again.
    let cli = async_nats::connect(&shop.nats).await.unwrap();
    let customer = shop.customer().await;
    for (token, status) in [(None, "401"), (Some(customer.token()), "403"), (Some("forged"), "401")] {
        let mut headers = async_nats::HeaderMap::new();
        if let Some(token) = token {
            headers.insert("Authorization", format!("Bearer {token}"));
        }
        let answer = cli.request_with_headers("req.operations.invariants", headers, "{}".into()).await.unwrap();
        assert_eq!(answer.headers.unwrap().get("Nats-Service-Error-Code").unwrap().as_str(), status);
    }
}
