//! Every ending an order may have, through HTTP.

use serde_json::json;

use crate::harness::{Person, Shop, shared_shop, wait_until};

async fn expect_stock(shop: &Shop, variant: &str, on_hand: i64, reserved: i64) {
    wait_until(&format!("stock of {variant} is {on_hand} with {reserved} reserved"), || async {
        let stock = shop.stock(variant).await;
        (stock.number_at("/on_hand"), stock.number_at("/reserved")) == (on_hand, reserved)
    })
    .await;
}

/// An order that waits for its payment, its stock held.
async fn unpaid_order(shop: &Shop, buyer: &Person, variant: &str) -> String {
    let before = shop.stock(variant).await.number_at("/reserved");
    let body =
        json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": crate::harness::address()});
    let order = buyer
        .request(
            reqwest::Method::POST,
            "/orders",
            Some(&body),
            &[("Idempotency-Key", &uuid::Uuid::now_v7().to_string())],
        )
        .await
        .expect_status(201);
    wait_until("the stock is held", || async { shop.stock(variant).await.number_at("/reserved") == before + 1 }).await;
    order.text_at("/id")
}

async fn intent(buyer: &Person, order: &str) -> String {
    let key = uuid::Uuid::now_v7().to_string();
    let body = json!({ "order_id": order });
    let intent =
        buyer.request(reqwest::Method::POST, "/payments/intents", Some(&body), &[("Idempotency-Key", &key)]).await;
    intent.expect_status(201).text_at("/id")
}

#[tokio::test]
async fn a_declined_order_fails_and_its_stock_is_released() {
    let shop = &shared_shop().await;
    let variant = shop.product(3, 1000).await;
    let buyer = shop.customer().await;
    for (method, code) in [
        ("pm_card_visa_chargeDeclined", "card_declined"),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds"),
    ] {
        let order = buyer.order(&variant, 1, Some(method)).await.expect_status(201);
        assert_eq!(order.text_at("/status"), "failed", "{}", order.body);
        assert_eq!(order.text_at("/failure/code"), code);
        assert_eq!(order.text_at("/payment_status"), "failed");
    }
    expect_stock(shop, &variant, 3, 0).await;
}

#[tokio::test]
async fn an_order_without_enough_stock_holds_nothing() {
    let shop = &shared_shop().await;
    let (scarce, plenty) = (shop.product(1, 1000).await, shop.product(10, 1000).await);
    let buyer = shop.customer().await;
    let body = json!({"items": [{"variant_id": plenty, "quantity": 1}, {"variant_id": scarce, "quantity": 2}],
        "shipping_address": crate::harness::address(), "payment": {"method": "pm_card_visa"}});
    let order = buyer.place(&body, &uuid::Uuid::now_v7().to_string()).await;
    if order.status == 201 {
        assert_eq!(order.text_at("/status"), "failed", "{}", order.body);
        assert_eq!(order.text_at("/failure/code"), "out_of_stock");
    } else {
        order.expect_error(409, "out_of_stock");
    }
    expect_stock(shop, &scarce, 1, 0).await;
    expect_stock(shop, &plenty, 10, 0).await;
}

#[tokio::test]
async fn an_order_is_paid_by_its_buyer_later() {
    let shop = &shared_shop().await;
    let variant = shop.product(2, 1500).await;
    let buyer = shop.customer().await;
    let order = unpaid_order(shop, &buyer, &variant).await;
    let payment = intent(&buyer, &order).await;
    assert_eq!(intent(&buyer, &order).await, payment, "one order has one intent");
    shop.anonymous().post(&format!("/sandbox/payments/{payment}/confirm"), &json!({})).await.expect_status(200);
    buyer.wait_for_status(&order, "confirmed").await;
    expect_stock(shop, &variant, 1, 0).await;
}

#[tokio::test]
async fn an_order_cancelled_before_payment_gives_its_stock_back_and_can_never_be_paid() {
    let shop = &shared_shop().await;
    let variant = shop.product(2, 1500).await;
    let buyer = shop.customer().await;
    let order = unpaid_order(shop, &buyer, &variant).await;
    let payment = intent(&buyer, &order).await;
    let cancelled =
        buyer.post(&format!("/orders/{order}/cancel"), &json!({"reason": "changed my mind"})).await.expect_status(200);
    assert_eq!(cancelled.text_at("/status"), "cancelled");
    expect_stock(shop, &variant, 2, 0).await;
    wait_until("the payment is closed", || async {
        let payment = buyer.get(&format!("/payments/{payment}")).await.expect_status(200);
        payment.text_at("/status") == "cancelled"
    })
    .await;
    let late = shop.anonymous().post(&format!("/sandbox/payments/{payment}/confirm"), &json!({})).await;
    assert!(late.status == 200 || late.status == 409, "{late:?}");
    assert_eq!(buyer.order_status(&order).await, "cancelled");
    buyer.post(&format!("/orders/{order}/cancel"), &json!({})).await.expect_error(409, "illegal_transition");
}

#[tokio::test]
async fn an_order_cancelled_after_payment_is_refunded_and_its_stock_comes_back() {
    let shop = &shared_shop().await;
    let variant = shop.product(2, 1500).await;
    let buyer = shop.customer().await;
    let order = buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201).text_at("/id");
    buyer.post(&format!("/orders/{order}/cancel"), &json!({})).await.expect_status(200);
    expect_stock(shop, &variant, 2, 0).await;
    wait_until("the money went back", || async {
        let order = buyer.get(&format!("/orders/{order}")).await.expect_status(200);
        order.text_at("/payment_status") == "refunded"
    })
    .await;
    let payment = buyer.get(&format!("/payments/order/{order}")).await.expect_status(200);
    assert_eq!(
        (payment.text_at("/status"), payment.text_at("/refunds/0/status")),
        ("refunded".into(), "succeeded".into())
    );
    assert_eq!(buyer.order_status(&order).await, "cancelled");
}

#[tokio::test]
async fn an_admin_refunds_in_part_then_in_full_and_never_more() {
    let shop = &shared_shop().await;
    let variant = shop.product(2, 1500).await;
    let (buyer, admin) = (shop.customer().await, shop.admin().await);
    let order = buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201).text_at("/id");
    let payment = buyer.get(&format!("/payments/order/{order}")).await.expect_status(200).text_at("/id");
    let refund = async |amount: i64, key: &str| {
        let body = json!({"amount": {"amount": amount, "currency": "USD"}, "reason": "a scratch"});
        admin
            .request(
                reqwest::Method::POST,
                &format!("/payments/{payment}/refunds"),
                Some(&body),
                &[("Idempotency-Key", key)],
            )
            .await
    };
    let first = refund(500, &format!("{payment}-1")).await.expect_status(201);
    let again = refund(500, &format!("{payment}-1")).await.expect_status(201);
    assert_eq!(first.text_at("/id"), again.text_at("/id"), "the same key is one refund");
    refund(1001, &format!("{payment}-2")).await.expect_error(409, "refund_too_large");
    refund(1000, &format!("{payment}-3")).await.expect_status(201);
    buyer.wait_for_status(&order, "refunded").await;
    refund(1, &format!("{payment}-4")).await;
    let payment = buyer.get(&format!("/payments/{payment}")).await.expect_status(200);
    assert_eq!(payment.text_at("/status"), "refunded");
}

#[tokio::test]
async fn an_order_that_is_never_paid_expires_at_its_deadline() {
    let shop = Shop::start(&[]).await;
    let variant = shop.product(2, 1500).await;
    let buyer = shop.customer().await;
    let (bare, with_intent) =
        (unpaid_order(&shop, &buyer, &variant).await, unpaid_order(&shop, &buyer, &variant).await);
    let payment = intent(&buyer, &with_intent).await;
    shop.make_due([&bare, &with_intent]).await;
    buyer.wait_for_status(&bare, "expired").await;
    buyer.wait_for_status(&with_intent, "expired").await;
    expect_stock(&shop, &variant, 2, 0).await;
    let late = shop.anonymous().post(&format!("/sandbox/payments/{payment}/confirm"), &json!({})).await;
    assert!(late.status == 200 || late.status == 409, "{late:?}");
    assert_eq!(buyer.order_status(&with_intent).await, "expired");
    let key = uuid::Uuid::now_v7().to_string();
    let rejected = buyer
        .request(
            reqwest::Method::POST,
            "/payments/intents",
            Some(&json!({"order_id": bare})),
            &[("Idempotency-Key", &key)],
        )
        .await;
    rejected.expect_error(409, "not_payable");
}

#[tokio::test]
async fn a_seller_takes_an_own_order_through_its_legal_steps_only() {
    let shop = &shared_shop().await;
    let variant = shop.product(2, 1500).await;
    let (buyer, seller) = (shop.customer().await, shop.seller().await);
    let order = buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201).text_at("/id");
    let set = async |status: &str| seller.put(&format!("/orders/{order}/status"), &json!({ "status": status })).await;
    set("delivered").await.expect_error(409, "illegal_transition");
    for status in ["processing", "shipped", "delivered"] {
        assert_eq!(set(status).await.expect_status(200).text_at("/status"), status);
    }
    set("shipped").await.expect_error(409, "illegal_transition");
    buyer.post(&format!("/orders/{order}/cancel"), &json!({})).await.expect_error(409, "illegal_transition");
    buyer.put(&format!("/orders/{order}/status"), &json!({"status": "shipped"})).await.expect_error(403, "forbidden");
}
