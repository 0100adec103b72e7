//! Cards whose issuer asks the buyer, and buyers who try another card.

use serde_json::json;

use crate::harness::{Answer, Person, Shop, address, shared_shop, wait_until};

async fn act(shop: &Shop, payment: &str, action: &str) -> Answer {
    shop.anonymous().post(&format!("/sandbox/payments/{payment}/{action}"), &json!({})).await
}

async fn payment(buyer: &Person, order: &str) -> Answer {
    buyer.get(&format!("/payments/order/{order}")).await.expect_status(200)
}

/// An order that waits for its buyer's payment, and the payment's id.
async fn order_with_intent(shop: &Shop, buyer: &Person) -> (String, String) {
    let variant = shop.product(3, 1500).await;
    let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address()});
    let order = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    let intent = buyer.post_once("/payments/intents", &json!({ "order_id": order })).await.expect_status(201);
    (order, intent.text_at("/id"))
}

/// An order that is charged at once, by a card whose issuer asks the buyer.
async fn order_that_asks(shop: &Shop, buyer: &Person) -> Answer {
    let variant = shop.product(3, 1500).await;
    let order = buyer.order(&variant, 1, Some("pm_card_authenticationRequired")).await.expect_status(201);
    assert_eq!(order.text_at("/status"), "pending", "{}", order.body);
    order
}

async fn tried(shop: &Shop, payment: &str, attempt: usize) {
    let what = format!("attempt {attempt} is declined");
    let query = format!(
        "select count(*) from payments where id = '{payment}' and jsonb_array_length(declines) = {attempt}
         and status = 'pending'"
    );
    wait_until(&what, || async { shop.number("payments", query.clone()).await == 1 }).await;
}

#[tokio::test]
async fn an_order_whose_card_needs_authentication_waits_for_its_buyer_and_shows_the_action_to_no_other() {
    let shop = &shared_shop().await;
    let buyer = shop.customer().await;
    let placed = order_that_asks(shop, &buyer).await;
    let (order, secret) = (placed.text_at("/id"), placed.text_at("/payment/client_secret"));
    assert_eq!(placed.text_at("/payment/next_action/type"), "use_sandbox");
    let seen = buyer.get(&format!("/orders/{order}")).await.expect_status(200);
    assert_eq!(seen.text_at("/payment/client_secret"), secret);
    for other in [shop.admin().await, shop.seller().await] {
        let seen = other.get(&format!("/orders/{order}")).await.expect_status(200);
        assert!(seen.body.get("payment").is_none(), "{}", seen.body);
    }
    for database in ["orders", "payments"] {
        let kept =
            format!("select count(*) from command_log where position('{secret}' in encode(reply, 'escape')) > 0");
        assert_eq!(shop.number(database, kept).await, 0, "{database} keeps the secret");
    }

    act(shop, &payment(&buyer, &order).await.text_at("/id"), "authenticate").await.expect_status(200);
    buyer.wait_for_status(&order, "confirmed").await;
    let seen = buyer.get(&format!("/orders/{order}")).await.expect_status(200);
    assert!(seen.body.get("payment").is_none(), "{}", seen.body);
}

#[tokio::test]
async fn an_order_whose_buyer_does_not_confirm_the_charge_fails() {
    let shop = &shared_shop().await;
    let buyer = shop.customer().await;
    let order = order_that_asks(shop, &buyer).await.text_at("/id");
    act(shop, &payment(&buyer, &order).await.text_at("/id"), "fail_authentication").await.expect_status(200);
    buyer.wait_for_status(&order, "failed").await;
    let seen = buyer.get(&format!("/orders/{order}")).await.expect_status(200);
    assert_eq!(seen.text_at("/failure/code"), "payment_intent_authentication_failure");
}

#[tokio::test]
async fn an_order_whose_buyer_never_answers_the_issuer_expires_at_its_deadline() {
    let shop = Shop::start(&[("SOUK_ORDERS_PAYMENT_DEADLINE", "3s")]).await;
    let buyer = shop.customer().await;
    let order = order_that_asks(&shop, &buyer).await.text_at("/id");
    buyer.wait_for_status(&order, "expired").await;
}

#[tokio::test]
async fn a_buyer_whose_card_is_declined_pays_with_another_one() {
    let shop = &shared_shop().await;
    let buyer = shop.customer().await;
    let (order, id) = order_with_intent(shop, &buyer).await;
    for attempt in 1..=2 {
        act(shop, &id, "decline").await.expect_status(200);
        tried(shop, &id, attempt).await;
        assert_eq!(payment(&buyer, &order).await.text_at("/failure/code"), "card_declined");
        assert_eq!(buyer.order_status(&order).await, "pending");
    }
    act(shop, &id, "authenticate").await.expect_error(409, "not_payable");
    act(shop, &id, "require_authentication").await.expect_status(200);
    wait_until("the buyer is asked", || async {
        let order = buyer.get(&format!("/orders/{order}")).await.expect_status(200);
        order.body.pointer("/payment/client_secret").is_some()
    })
    .await;
    act(shop, &id, "authenticate").await.expect_status(200);
    buyer.wait_for_status(&order, "confirmed").await;
    assert!(payment(&buyer, &order).await.body.get("failure").is_none());
}

#[tokio::test]
async fn a_third_card_that_is_declined_ends_the_order() {
    let shop = &shared_shop().await;
    let buyer = shop.customer().await;
    let (order, id) = order_with_intent(shop, &buyer).await;
    for attempt in 1..=2 {
        act(shop, &id, "decline").await.expect_status(200);
        tried(shop, &id, attempt).await;
    }
    act(shop, &id, "decline").await.expect_status(200);
    buyer.wait_for_status(&order, "failed").await;
    assert_eq!(payment(&buyer, &order).await.text_at("/status"), "failed");
}
