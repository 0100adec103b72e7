//! Refunds over HTTP: whatever becomes of the answer, the money goes back once.

use serde_json::json;

use super::{PRICE, market, payment};
use crate::harness::wait_until;

async fn goes_back_once(method: &str) {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let order = market.order(&buyer, Some(method)).await;
    market.ends_confirmed(&buyer, &order).await;
    let id = payment(&buyer, &order).await.text_at("/id");
    let part = json!({"amount": {"amount": 500, "currency": "USD"}});
    let admin = market.shop.admin().await;
    admin.post_once(&format!("/payments/{id}/refunds"), &part).await.expect_status(201);
    wait_until("the refund is known", || async {
        payment(&buyer, &order).await.text_at("/status") == "partially_refunded"
    })
    .await;
    assert_eq!(payment(&buyer, &order).await.text_at("/refunds/0/status"), "succeeded");
    assert_eq!((market.refunds(&order).await, market.money(&order).await), (1, PRICE - 500));
}

#[tokio::test]
async fn a_refund_goes_back() {
    goes_back_once("pm_card_visa").await;
}

#[tokio::test]
async fn a_refund_whose_answer_never_came_goes_back_once() {
    goes_back_once("pm_sandbox_refund_timeout").await;
}

#[tokio::test]
async fn a_refund_whose_key_has_expired_goes_back_once() {
    goes_back_once("pm_sandbox_refund_forgotten_key").await;
}

#[tokio::test]
async fn a_refund_whose_request_timed_out_on_the_way_goes_back_once() {
    goes_back_once("pm_sandbox_refund_408").await;
}

#[tokio::test]
async fn a_refund_that_was_made_and_rejected_all_the_same_has_not_failed() {
    goes_back_once("pm_sandbox_refund_400").await;
}

#[tokio::test]
async fn a_refund_behind_a_stored_failure_goes_back_once() {
    goes_back_once("pm_sandbox_refund_stored_500").await;
}
