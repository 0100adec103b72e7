//! Webhooks that come twice, late, out of order or from an impostor; and those that never come.

use futures::future::join_all;
use hmac::{Hmac, Mac};
use reqwest::Method;
use serde_json::json;
use sha2::Sha256;
use sqlx::AssertSqlSafe;

use super::{PRICE, market, payment};
use crate::harness::{provider::WEBHOOK_SECRET, wait_until};

#[tokio::test]
async fn a_webhook_that_comes_twice_counts_once() {
    let market = market().await;
    let order = market.is_charged_once_by("pm_sandbox_duplicate_webhook").await;
    market.wait_for_webhooks(&order, 200, 2).await;
    assert_eq!((market.charges(&order).await, market.money(&order).await), (1, PRICE));
    let event = "select count(distinct event_id) from webhook w join intent i on i.id = w.intent_id
                 where i.metadata->>'order_id' = '$'";
    assert_eq!(market.at_provider(&order, event).await, 1, "it was one event");
}

/// PAY-08.
#[tokio::test]
async fn a_webhook_that_comes_a_hundred_times_at_once_counts_once() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let order = market.order(&buyer, Some("pm_sandbox_late_webhook")).await;
    let stored = format!(
        "select body::text from webhook w join intent i on i.id = w.intent_id
         where i.metadata->>'order_id' = '{order}' and type = 'payment_intent.succeeded'"
    );
    let body = std::cell::RefCell::new(None);
    wait_until("the charge has a webhook", || async {
        let mut sandbox = market.shop.superuser("sandbox").await;
        let found = sqlx::query_scalar(AssertSqlSafe(stored.clone())).fetch_optional(&mut sandbox).await.unwrap();
        *body.borrow_mut() = found;
        body.borrow().is_some()
    })
    .await;
    let body: String = body.into_inner().unwrap();
    let now = chrono::Utc::now().timestamp();
    let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
    mac.update(format!("{now}.{body}").as_bytes());
    let signature: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let signature = format!("t={now},v1={signature}");
    let headers = [("Stripe-Signature", signature.as_str()), ("Content-Type", "application/json")];
    let anyone = market.shop.anonymous();
    let path = "/webhooks/payments/stripe";
    for received in join_all((0..100).map(|_| anyone.raw_with(Method::POST, path, &headers, body.clone()))).await {
        received.expect_status(200);
    }
    market.ends_confirmed(&buyer, &order).await;
    let event: serde_json::Value = serde_json::from_str(&body).unwrap();
    let receipts = format!("select count(*) from provider_notices where id = '{}'", event["id"].as_str().unwrap());
    assert_eq!(market.shop.number("payments", receipts).await, 1);
}

#[tokio::test]
async fn a_late_webhook_confirms_the_order_that_waited_for_it() {
    let market = market().await;
    let order = market.is_charged_once_by("pm_sandbox_late_webhook").await;
    market.wait_for_webhooks(&order, 200, 1).await;
}

/// Scenario 20: money for an order that was cancelled.
#[tokio::test]
async fn money_that_came_to_a_cancelled_order_goes_back_once_and_a_later_webhook_changes_nothing() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let order = market.order(&buyer, Some("pm_sandbox_late_webhook")).await;
    wait_until("it is charged", || async { market.charges(&order).await == 1 }).await;
    buyer.post_once(&format!("/orders/{order}/cancel"), &json!({})).await.expect_status(200);
    wait_until("the money is back", || async { market.money(&order).await == 0 }).await;
    market.wait_for_webhooks(&order, 200, 1).await;
    wait_until("the refund is known", || async { payment(&buyer, &order).await.text_at("/status") == "refunded" })
        .await;
    assert_eq!(market.refunds(&order).await, 1);
    assert_eq!(buyer.order_status(&order).await, "cancelled");
}

#[tokio::test]
async fn webhooks_out_of_order_take_nothing_back() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let order = market.order(&buyer, Some("pm_sandbox_reordered_webhooks")).await;
    market.wait_for_webhooks(&order, 200, 3).await;
    market.ends_confirmed(&buyer, &order).await;
}

#[tokio::test]
async fn forged_webhooks_are_rejected_and_confirm_nothing() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let order = market.order(&buyer, Some("pm_sandbox_forged_webhook")).await;
    // By another secret, with a time that is over, and without a signature.
    market.wait_for_webhooks(&order, 400, 3).await;
    buyer.wait_for_status(&order, "failed").await;
    assert_eq!(payment(&buyer, &order).await.text_at("/status"), "failed");
    assert_eq!(market.charges(&order).await, 0);
    nothing_is_kept_of_rejected_webhooks(market).await;
}

/// Webhooks are public: with a row for each, unauthenticated traffic could fill the table.
async fn nothing_is_kept_of_rejected_webhooks(market: &super::Market) {
    let kept = "select count(*) from command_log where operation = 'receive_webhook' and status <> 0";
    assert_eq!(market.shop.number("payments", kept).await, 0);
}

#[tokio::test]
async fn a_webhook_without_a_right_signature_has_the_errors_shape() {
    let market = market().await;
    let anyone = market.shop.anonymous();
    let body = json!({"id": "evt_1", "type": "payment_intent.succeeded"});
    anyone.post("/webhooks/payments/stripe", &body).await.expect_error(400, "invalid_signature");
    let signature = [("Stripe-Signature", "t=1,v1=00")];
    let signed = anyone.request(Method::POST, "/webhooks/payments/stripe", Some(&body), &signature).await;
    signed.expect_error(400, "invalid_signature");
    anyone.post("/webhooks/payments/other", &body).await.expect_error(404, "unknown_provider");
    nothing_is_kept_of_rejected_webhooks(market).await;
}

/// The provider has the money, and no webhook reports it.
async fn paid_in_silence(buyer: &crate::harness::Person) -> String {
    let market = market().await;
    let order = market.order_with_intent(buyer).await;
    let object = payment(buyer, &order).await.text_at("/provider_transaction_id");
    let pay = format!(
        "update intent set status = 'succeeded' where id = '{object}';
         insert into charge (id, intent_id, amount) values ('ch_{object}', '{object}', {PRICE})"
    );
    market.shop.sql("sandbox", pay).await;
    order
}

#[tokio::test]
async fn a_buyers_request_reads_the_payment_at_the_provider() {
    let market = market().await;
    let (buyer, stranger) = (market.shop.customer().await, market.shop.customer().await);
    let order = paid_in_silence(&buyer).await;
    let id = payment(&buyer, &order).await.text_at("/id");
    let verify = format!("/payments/{id}/verify");
    stranger.post(&verify, &json!({})).await.expect_error(404, "payment_not_found");
    let verified = buyer.post(&verify, &json!({})).await.expect_status(200);
    assert_eq!(verified.text_at("/status"), "succeeded");
    market.ends_confirmed(&buyer, &order).await;
}

/// Scenario 3: a charge of a node that was frozen is found when the key's life is over.
#[tokio::test]
async fn money_without_a_webhook_is_found_after_the_first_day() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let order = paid_in_silence(&buyer).await;
    let due = format!("update payments set read_again_at = clock_timestamp() where order_id = '{order}'");
    market.shop.sql("payments", due).await;
    market.ends_confirmed(&buyer, &order).await;
}
