//! `souk trim`: what every consumer has handled and is old enough leaves the logs, and the shop goes on. The ledger of
//! stock is merged.

use serde_json::{Value, json};

use crate::harness::{Shop, wait_until};

const COMMITS: &str = "select count(*) from event_log";

/// Consumers' cursors stand at or above the newest commit of `orders`.
async fn everything_is_handled(shop: &Shop) {
    for consumer in ["inventory", "payments", "carts"] {
        wait_until("the cursors have moved up", || async {
            let newest =
                shop.number("orders", "select xid::bigint from event_log order by epoch desc, xid desc limit 1").await;
            let lowest = "select coalesce(min(xid), 0)::bigint from cursor where source = 'orders'";
            shop.number(consumer, lowest).await >= newest
        })
        .await;
    }
}

async fn age(shop: &Shop, domain: &str, days: u32) {
    shop.sql(domain, format!("update event_log set at = at - interval '{days} days'")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_old_and_handled_leaves_the_log_and_the_shop_goes_on() {
    let shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(50, 1000).await, shop.customer().await);
    for _ in 0..3 {
        buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201);
    }
    wait_until("the orders are confirmed", || async {
        shop.number("orders", "select count(*) from orders where status <> 'confirmed'").await == 0
    })
    .await;
    everything_is_handled(&shop).await;
    let before = shop.number("orders", COMMITS).await;

    // Young commits stay.
    let (ok, said) = shop.souk(&["trim", "orders"]).await;
    assert!(ok && said.contains("orders: 0 commits deleted"), "{said}");
    assert_eq!(shop.number("orders", COMMITS).await, before);

    // Old ones go; one that is young meanwhile stays.
    age(&shop, "orders", 91).await;
    buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201);
    let (ok, said) = shop.souk(&["trim", "orders"]).await;
    assert!(ok && said.contains(&format!("orders: {before} commits deleted")), "{said}");
    assert!(shop.number("orders", COMMITS).await > 0);
    assert_eq!(shop.number("orders", "select count(*) from log_trim").await, 1);

    // What is shown of a log keeps it whole, unless that is given up.
    age(&shop, "inventory", 91).await;
    let kept = shop.number("inventory", COMMITS).await;
    let (ok, said) = shop.souk(&["trim", "inventory"]).await;
    assert!(ok && said.contains("inventory: kept, catalog is rebuilt from it"), "{said}");
    assert_eq!(shop.number("inventory", COMMITS).await, kept);
    let (ok, said) = shop.souk(&["trim", "inventory", "--without-rebuild"]).await;
    assert!(ok && said.contains("commits deleted"), "{said}");
    assert!(shop.number("inventory", COMMITS).await < kept);
    let (ok, said) = shop.souk(&["replay", "inventory", "--into", "catalog"]).await;
    assert!(!ok && said.contains("log_trimmed"), "{said}");

    // Orders of before and of now are as they were; the checks, which look when the shop is dropped, find nothing.
    let order = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": crate::harness::address(),
        "payment": {"method": "pm_card_visa"}});
    buyer.post_once("/orders", &order).await.expect_status(201);
    wait_until("all are confirmed", || async {
        shop.number("orders", "select count(*) from orders where status = 'confirmed'").await == 5
    })
    .await;
}

/// A consumer that has not come so far keeps what it has to read.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_consumer_has_not_handled_stays() {
    let shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(50, 1000).await, shop.customer().await);
    buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201);
    wait_until("the order is confirmed", || async {
        shop.number("orders", "select count(*) from orders where status <> 'confirmed'").await == 0
    })
    .await;
    everything_is_handled(&shop).await;
    age(&shop, "orders", 91).await;
    let before = shop.number("orders", COMMITS).await;
    // Restored to before its first event, and kept from catching up for now.
    let mut holder = shop.superuser("carts").await;
    sqlx::raw_sql("begin; lock table source_epoch in exclusive mode").execute(&mut holder).await.unwrap();
    shop.sql("carts", "update cursor set epoch = 0, xid = 0 where source = 'orders'").await;
    let (ok, said) = shop.souk(&["trim", "orders"]).await;
    assert!(ok && said.contains("orders: kept, carts has not handled any of it"), "{said}");
    assert_eq!(shop.number("orders", COMMITS).await, before);
    sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
    everything_is_handled(&shop).await;
    let (ok, said) = shop.souk(&["trim", "orders", "carts"]).await;
    assert!(ok && said.contains(&format!("orders: {before} commits deleted")), "{said}");
    let (ok, said) = shop.souk(&["trim", "nothing"]).await;
    assert!(!ok && said.contains("there is no domain \"nothing\""), "{said}");
}

/// The ledger of stock is trimmed though the log is kept, and still adds up.
#[tokio::test(flavor = "multi_thread")]
async fn old_entries_of_the_ledger_become_one_opening_balance() {
    let shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(50, 1000).await, shop.customer().await);
    let ordered = async |count: i64| {
        buyer.order(&variant, 2, Some("pm_card_visa")).await.expect_status(201);
        wait_until("the units are sold", || async {
            shop.number("inventory", "select count(*) from movement where reason = 'committed'").await == count
        })
        .await;
    };
    let ledger = async || {
        let path = format!("/inventory/{variant}/movements");
        let page = shop.seller().await.get(&path).await.expect_status(200);
        let entries = page.body["data"].as_array().unwrap().clone();
        let text = |entry: &Value| (entry["reason"].as_str().unwrap().to_owned(), entry["on_hand_delta"].as_i64());
        entries.iter().map(text).collect::<Vec<_>>()
    };
    ordered(1).await;
    assert_eq!(ledger().await.len(), 3);
    let (ok, said) = shop.souk(&["trim", "inventory"]).await;
    assert!(ok && !said.contains("history"), "{said}");

    // The shop has other goods, too.
    let trimmed = async || {
        let old = "select count(*) from movement where reason <> 'opening' and at < now() - interval '90 days'";
        let old = shop.number("inventory", old).await;
        let (ok, said) = shop.souk(&["trim", "inventory"]).await;
        assert!(ok && said.contains("inventory: kept, catalog is rebuilt from it"), "{said}");
        assert!(said.contains(&format!("inventory: {old} rows of its history trimmed")), "{said}");
    };
    let long_ago = "update movement set at = at - interval '91 days'";
    shop.sql("inventory", long_ago).await;
    ordered(2).await;
    trimmed().await;
    let entry = |reason: &str, units| (reason.to_owned(), Some(units));
    assert_eq!(ledger().await, [entry("committed", -2), entry("reserved", 0), entry("opening", 48)]);
    shop.check_clean().await;

    // What has become old since then joins the same balance.
    shop.sql("inventory", long_ago).await;
    trimmed().await;
    assert_eq!(ledger().await, [entry("opening", 46)]);
    let sold = format!("select sold from movement where variant_id = '{variant}'");
    assert_eq!(shop.number("inventory", sold).await, 4);
    let (ok, said) = shop.souk(&["trim", "inventory"]).await;
    assert!(ok && !said.contains("history"), "{said}");
}
