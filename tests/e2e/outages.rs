//! Servers that go away: clear answers meanwhile, recovery by itself, nothing lost.

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Buying, Shop, address, send_signal, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn without_nats_requests_are_refused_clearly_and_the_shop_recovers_by_itself() {
    let shop = Shop::start(&[]).await;
    let buying = Buying::begin(&shop, 3, 500).await;
    buying.progress(10).await;
    let (variant, buyer) = (shop.product(5, 100).await, shop.customer().await);
    let key = uuid::Uuid::now_v7().to_string();
    let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address(),
        "payment": {"method": "pm_card_visa"}});
    shop.without_nats(async || {
        wait_until("the gateway knows", || async { shop.anonymous().get("//health/ready").await.status == 503 }).await;
        for _ in 0..3 {
            let refused = buyer.place(&body, &key).await;
            assert!(refused.header("retry-after").is_some(), "{refused:?}");
            refused.expect_status(503);
            let refused = buyer.get("/cart").await;
            assert!(refused.header("retry-after").is_some(), "{refused:?}");
            refused.expect_status(503);
        }
        shop.anonymous().get("//health/live").await.expect_status(200);
        // A gateway that starts now says why it does not, and leaves the next try to whoever started it.
        let (status, said) = shop.run_node_to_its_end(&["--gateway"]).await;
        assert!(!status.success() && said.contains("NATS at nats://"), "{status}: {said}");
    })
    .await;
    wait_until("the shop is ready again", || async { shop.anonymous().get("//health/ready").await.status == 200 })
        .await;
    let order = buyer.place(&body, &key).await.expect_status(201);
    buyer.wait_for_status(&order.text_at("/id"), "confirmed").await;
    buying.progress(10).await;
    buying.reconcile(&shop).await;
    shop.check_clean().await;
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
    let most = i64::try_from(subjects::DOMAINS.len()).unwrap() * 11;
    assert!(connections <= most, "{connections} connections, {most} at most");
    buying.reconcile(&shop).await;
    shop.check_clean().await;
}

/// Scenario 2: all streams and all durables are lost at once, twice.
/// Scenario 7: no order waits for the refill.
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
    shop.check_clean().await;
}
