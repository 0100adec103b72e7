//! `souk check` and `GET /admin/invariants`: a sound shop is clean, and whatever is planted is named.

mod plants;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use serde_json::{Value, json};

use crate::harness::{NO_FILE, Person, Shop, address, wait_until};
use plants::{Order, Plants, SPOILT, plant_in_streams, sql_plants};

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

/// A variant that a count has made low, and one that a sale has: held for an order without a payment.
async fn low_stock(shop: &Shop, buyer: &Person) -> String {
    let (seller, counted, sold) = (shop.seller().await, shop.product(9, 1000).await, shop.product(9, 1000).await);
    for (variant, on_hand) in [(&counted, 3), (&sold, 4)] {
        let count = json!({"on_hand": on_hand, "min_stock": 3});
        seller.put(&format!("/inventory/{variant}"), &count).await.expect_status(200);
    }
    unpaid(shop, buyer, &sold).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sound_shop_is_clean_and_planted_corruption_of_each_kind_is_named() {
    let shop = Shop::start(&[("SOUK_ORDERS_PAYMENT_DEADLINE", "5s")]).await;
    let buyer = shop.customer().await;
    let delivered = orders_of_every_ending(&shop, &buyer).await;
    let pending = low_stock(&shop, &buyer).await;
    shop.check_clean().await;
    buyer.wait_for_status(&pending, "expired").await;
    work_in_flight_is_no_violation(&shop).await;

    let mut spoilt = Vec::new();
    for _ in 0..SPOILT {
        spoilt.push(confirmed(&shop, &buyer).await);
    }
    let spoilt: [Order; SPOILT] = spoilt.try_into().ok().unwrap();
    let variant = shop.product(1, 1000).await;
    let stuck = Order { id: unpaid(&shop, &buyer, &variant).await, variant };
    let mut plants = Plants::new(&shop);
    sql_plants(&mut plants, &spoilt, &delivered, &stuck).await;
    let restore = plant_in_streams(&mut plants, &delivered).await;
    let found = shop.check().await;
    assert!(!found.is_success, "{:#}", found.report);
    plants.expect_named(&found.report);
    let answer = invariants(&shop).await;
    assert_eq!(answer["is_ok"], false);
    plants.expect_named(&answer);

    plants.undo().await;
    restore.await;
    buyer.wait_for_status(&stuck.id, "expired").await;
    shop.check_clean().await;
    assert_eq!(invariants(&shop).await["is_ok"], true);

    a_check_without_access_says_so(&shop).await;
    a_stream_that_is_gone_is_named(&shop).await;
}

async fn a_check_without_access_says_so(shop: &Shop) {
    let shut = "alter role souk_check nologin;
                select pg_terminate_backend(pid) from pg_stat_activity where usename = 'souk_check'";
    shop.sql("orders", shut).await;
    shop.admin().await.get("/admin/invariants").await.expect_error(503, "check_incomplete");
    let blind = shop.check().await;
    assert!(!blind.is_success, "{:#}", blind.report);
    for check in blind.report["checks"].as_array().unwrap() {
        let reason = check["failure"].as_str().unwrap();
        assert!(reason.contains("cannot be reached") && reason.contains("not permitted to log in"), "{check}");
    }
    shop.sql("orders", "alter role souk_check login").await;
}

/// While its owner is there it makes its stream again.
async fn a_stream_that_is_gone_is_named(shop: &Shop) {
    shop.kill();
    shop.with_servers_only(|| async {
        let operator = async_nats::jetstream::new(shop.nats_as("operator").await);
        operator.delete_stream("CATALOG").await.unwrap();
        let found = shop.check().await;
        let named = ("streams".to_owned(), "catalog: stream".to_owned());
        assert!(!found.is_success && found.violations().contains(&named), "{:#}", found.report);
    })
    .await;
}

#[tokio::test]
async fn a_check_that_cannot_connect_is_no_success_and_says_why() {
    let shop = &crate::harness::shared_shop().await;
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_souk"));
    command
        .arg("check")
        .env("SOUK_CONFIG", NO_FILE)
        .env("SOUK_CHECK_URL", format!("postgres://souk_check:none@{stranger}/postgres"));
    command.env("NATS_URL", &shop.nats).env("SOUK_NATS_KEYS", shop.stack().nats_keys());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let reason = "\nstock could not be completed: the database of inventory cannot be reached: ";
    assert!(said.contains(reason) && said.contains("Connection refused"), "{said}");
}

/// A look amid orders finds suspects, and they move on.
async fn work_in_flight_is_no_violation(shop: &Shop) {
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
    assert!(shop.stock(&variant).await.number_at("/on_hand") < 10_000, "nothing was bought meanwhile");
}

/// The report over HTTP.
async fn invariants(shop: &Shop) -> Value {
    shop.admin().await.get("/admin/invariants").await.expect_status(200).body
}

#[tokio::test]
async fn only_admins_run_the_checks() {
    let shop = &crate::harness::shared_shop().await;
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
