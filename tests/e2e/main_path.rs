//! From a login to a confirmed order, and every other ending an order may have.

use reqwest::Method;
use serde_json::json;

use crate::harness::{paid_order, shared_shop, wait_until};

#[tokio::test]
async fn a_paid_order_is_confirmed_and_its_stock_is_sold() {
    let shop = &shared_shop().await;
    let variant = shop.product(5, 1999).await;
    let buyer = shop.customer().await;

    let order = buyer.order(&variant, 2, Some("pm_card_visa")).await.expect_status(201);
    assert_eq!(order.text_at("/status"), "confirmed", "{}", order.body);
    assert_eq!(order.text_at("/payment_status"), "succeeded");
    assert_eq!(order.number_at("/totals/total/amount"), 2 * 1999);
    assert_eq!(order.header("preference-applied"), Some("wait=10"));

    wait_until("the stock is sold", || async { shop.stock(&variant).await.number_at("/on_hand") == 3 }).await;
    let stock = shop.stock(&variant).await;
    assert_eq!((stock.number_at("/reserved"), stock.number_at("/available")), (0, 3));

    let id = order.text_at("/id");
    let history = buyer.get(&format!("/orders/{id}/history")).await.expect_status(200);
    let steps: Vec<&str> =
        history.body["data"].as_array().unwrap().iter().map(|s| s["status"].as_str().unwrap()).collect();
    assert_eq!((steps.first(), steps.last()), (Some(&"pending"), Some(&"confirmed")), "{}", history.body);
    let payment = buyer.get(&format!("/payments/order/{id}")).await.expect_status(200);
    assert_eq!(payment.text_at("/status"), "succeeded");
}

#[tokio::test]
async fn the_same_key_gives_the_same_order() {
    let shop = &shared_shop().await;
    let variant = shop.product(10, 500).await;
    let buyer = shop.customer().await;
    let body = paid_order(&variant);
    let first = buyer.place(&body, "my-key-1").await.expect_status(201);
    let again = buyer.place(&body, "my-key-1").await.expect_status(201);
    assert_eq!(first.text_at("/id"), again.text_at("/id"));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));

    let mut other = body.clone();
    other["items"][0]["quantity"] = json!(2);
    buyer.place(&other, "my-key-1").await.expect_error(422, "command_id_reused");
    buyer.request(Method::POST, "/orders", Some(&body), &[]).await.expect_error(400, "idempotency_key_required");
}
