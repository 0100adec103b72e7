//! Deadlines: acted on soon, also after the whole system was down across them, and never against a buyer who paid.

use std::time::Instant;

use serde_json::json;

use crate::harness::{Person, Shop, address, wait_until};

/// An order that waits for its payment, its stock held; with the id of its payment.
async fn unpaid_order(shop: &Shop, buyer: &Person, variant: &str) -> (String, String) {
    let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address()});
    let order = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    wait_until("the stock is held", || async {
        let held = format!("select count(*) from orders where id = '{order}' and stock_held");
        shop.number("orders", held).await == 1
    })
    .await;
    let intent = buyer.post_once("/payments/intents", &json!({ "order_id": order })).await.expect_status(201);
    (order, intent.text_at("/id"))
}

#[tokio::test]
async fn a_deadline_is_acted_on_within_two_seconds() {
    let shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(10, 500).await, shop.customer().await);
    for _ in 0..5 {
        let (order, _) = unpaid_order(&shop, &buyer, &variant).await;
        shop.make_due([&order]).await;
        buyer.wait_for_status(&order, "expired").await;
    }
    // By the database's own clock. The median, for a test machine may sleep.
    let late = "select (percentile_cont(0.5) within group (order by
            extract(epoch from expiry_requested_at - payment_deadline)) * 1000)::bigint from orders";
    let late = shop.number("orders", late).await;
    assert!((0..2000).contains(&late), "{late} ms");
    wait_until("nothing is held any more", || async { shop.stock(&variant).await.number_at("/reserved") == 0 }).await;
}

/// Scenario 1: the deadlines pass while everything is down and payments' events are unread.
#[tokio::test]
async fn a_shop_that_was_down_across_deadlines_expires_only_unpaid_orders() {
    let mut shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(10, 500).await, shop.customer().await);
    let mut orders = Vec::new();
    for _ in 0..6 {
        orders.push(unpaid_order(&shop, &buyer, &variant).await);
    }
    let (paid, unpaid) = orders.split_at(3);
    // Orders cannot handle the events of payments.
    let mut inbox_lock = shop.superuser("orders").await;
    sqlx::raw_sql("begin; lock table inbox in access exclusive mode").execute(&mut inbox_lock).await.unwrap();
    for (_, payment) in paid {
        let path = format!("/sandbox/payments/{payment}/confirm");
        shop.anonymous().post(&path, &json!({})).await.expect_status(200);
    }
    let money = "select count(*) from payments where status = 'succeeded'";
    wait_until("three have paid", || async { shop.number("payments", money).await == 3 }).await;
    shop.kill();
    sqlx::Connection::close(inbox_lock).await.unwrap();
    shop.make_due(orders.iter().map(|(order, _)| order)).await;
    let untouched = "select count(*) from orders where status = 'expired' or expiry_requested_at is not null";
    assert_eq!(shop.number("orders", untouched).await, 0, "the shop is down when the deadlines pass");
    shop.start_again().await;
    for (order, _) in unpaid {
        buyer.wait_for_status(order, "expired").await;
    }
    for (order, payment) in paid {
        buyer.wait_for_status(order, "confirmed").await;
        let payment = buyer.get(&format!("/payments/{payment}")).await.expect_status(200);
        assert_eq!(payment.text_at("/status"), "succeeded");
    }
    wait_until("the unpaid stock is free", || async {
        let stock = shop.stock(&variant).await;
        (stock.number_at("/on_hand"), stock.number_at("/reserved")) == (7, 0)
    })
    .await;
}

/// Orders that were never placed: their rows, as placing would leave them, with a deadline that is over.
const OVERDUE: &str = "
    create temporary table made as select gen_random_uuid() as id, number from generate_series(1, 10000) as number;
    insert into orders (id, order_number, user_id, subtotal, total_amount, shipping_address, payment_deadline, version,
                        created_at, updated_at)
        select id, 'OVERDUE-' || number, gen_random_uuid(), 100, 100, '{}', now() - interval '1 second', 1, now(), now()
        from made;
    insert into order_items (order_id, position, id, product_id, variant_id, seller_id, sku, item_name, quantity,
                             unit_price, total_price, created_at)
        select id, 0, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'X', 'X', 1, 100, 100,
               now() from made;
    insert into order_history (order_id, version, event, status, payment_status, at, cause)
        select id, 1, 'placed', 'pending', 'pending', now(), 'a test' from made";

#[tokio::test]
async fn ten_thousand_deadlines_at_one_moment_are_all_acted_on() {
    let shop = Shop::start(&[]).await;
    // The orders have no events, and no stock.
    shop.leave_in_disorder();
    shop.sql("orders", OVERDUE).await;
    let began = Instant::now();
    let requested = "select count(*) from orders where expiry_requested_at is not null";
    wait_until("every deadline is acted on", || async { shop.number("orders", requested).await == 10_000 }).await;
    // By the database's own clock, from the moment that all were due at: a second before they were written.
    let late = "select (extract(epoch from max(expiry_requested_at) - max(payment_deadline)) * 1000)::bigint - 1000
         from orders";
    println!("10,000 deadlines acted on within {} ms", shop.number("orders", late).await);
    let expired = "select count(*) from orders where status = 'expired'";
    wait_until("every order is expired", || async { shop.number("orders", expired).await == 10_000 }).await;
    println!("10,000 orders expired within {:?}", began.elapsed());
    // Once each: the history has one step for each event.
    let steps = "select count(*) from (select 1 from order_history group by order_id having count(*) <> 3) as odd";
    assert_eq!(shop.number("orders", steps).await, 0);
    for domain in ["orders", "payments", "inventory"] {
        assert_eq!(shop.number(domain, "select count(*) from dead_letter").await, 0, "{domain}");
    }
}
