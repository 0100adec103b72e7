//! What becomes of money after it was taken: refunds on their way, refunds that fail later, disputes.

use serde_json::{Value, json};

use super::{Market, PRICE, market, payment};
use crate::harness::{Answer, Person, wait_until};

impl Market {
    async fn confirmed(&self, buyer: &Person, method: &str) -> String {
        let order = self.order(buyer, Some(method)).await;
        buyer.wait_for_status(&order, "confirmed").await;
        order
    }

    async fn refund(&self, order: &str, body: &Value) -> Answer {
        let admin = self.shop.admin().await;
        let id = payment(&admin, order).await.text_at("/id");
        admin.post_once(&format!("/payments/{id}/refunds"), body).await
    }

    /// Decides the dispute of an order's charge by the shop's evidence.
    async fn decides(&self, buyer: &Person, order: &str, evidence: &str) {
        let dispute = payment(buyer, order).await.text_at("/disputes/0/id");
        let form = [("evidence[uncategorized_text]", evidence)];
        self.sandbox.person().post_form(&format!("//v1/disputes/{dispute}"), &form).await.expect_status(200);
    }

    /// How often payments has emitted an event about an order.
    async fn emitted(&self, order: &str, event: &str) -> i64 {
        let query = format!(
            "select count(*) from event_log l cross join lateral json_to_recordset(l.events) as e(name text, data json)
             where e.name = '{event}' and e.data ->> 'order_id' = '{order}'"
        );
        self.shop.number("payments", query).await
    }
}

async fn wait_for_dispute(buyer: &Person, order: &str, status: &str) {
    wait_until(&format!("the dispute of {order} is {status}"), || async {
        payment(buyer, order).await.body.pointer("/disputes/0/status") == Some(&json!(status))
    })
    .await;
}

async fn available(market: &Market, buyer: &Person, order: &str) -> i64 {
    let order = buyer.get(&format!("/orders/{order}")).await.expect_status(200);
    market.shop.stock(&order.text_at("/items/0/variant_id")).await.number_at("/available")
}

#[tokio::test]
async fn a_lost_dispute_is_money_that_went_back_and_what_was_not_shipped_returns() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let order = market.confirmed(&buyer, "pm_sandbox_dispute").await;
    wait_for_dispute(&buyer, &order, "open").await;
    market.refund(&order, &json!({})).await.expect_error(409, "refund_too_large");
    market.decides(&buyer, &order, "losing_evidence").await;
    wait_for_dispute(&buyer, &order, "lost").await;
    buyer.wait_for_status(&order, "refunded").await;
    assert_eq!(payment(&buyer, &order).await.text_at("/status"), "refunded");
    wait_until("its unit is available again", || async { available(market, &buyer, &order).await == 5 }).await;
    for (event, count) in [("disputed", 1), ("dispute_lost", 1), ("dispute_won", 0), ("refunded", 0)] {
        assert_eq!(market.emitted(&order, event).await, count, "{event}");
    }
}

#[tokio::test]
async fn a_dispute_that_is_won_leaves_the_order_as_it_was() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let order = market.confirmed(&buyer, "pm_sandbox_dispute").await;
    wait_for_dispute(&buyer, &order, "open").await;
    market.decides(&buyer, &order, "winning_evidence").await;
    wait_for_dispute(&buyer, &order, "won").await;
    assert_eq!(buyer.order_status(&order).await, "confirmed");
    assert_eq!((market.emitted(&order, "disputed").await, market.emitted(&order, "dispute_won").await), (1, 1));
    market.refund(&order, &json!({})).await.expect_status(201);
    buyer.wait_for_status(&order, "refunded").await;
}

#[tokio::test]
async fn an_order_that_is_cancelled_amid_a_dispute_has_its_money_back_when_that_is_won() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let order = market.confirmed(&buyer, "pm_sandbox_dispute").await;
    wait_for_dispute(&buyer, &order, "open").await;
    let part = json!({"amount": {"amount": 500, "currency": "USD"}});
    market.refund(&order, &part).await.expect_error(409, "refund_too_large");
    buyer.post_once(&format!("/orders/{order}/cancel"), &json!({})).await.expect_status(200);
    market.decides(&buyer, &order, "winning_evidence").await;
    wait_until("the money is back", || async { payment(&buyer, &order).await.text_at("/status") == "refunded" }).await;
    assert_eq!((market.refunds(&order).await, market.money(&order).await), (1, 0));
}

#[tokio::test]
async fn a_refund_that_fails_later_puts_back_what_is_owed() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let order = market.confirmed(&buyer, "pm_sandbox_refund_fails_late").await;
    market.refund(&order, &json!({"amount": {"amount": 500, "currency": "USD"}})).await.expect_status(201);
    wait_until("the refund has failed", || async {
        payment(&buyer, &order).await.body.pointer("/refunds/0/status") == Some(&json!("failed"))
    })
    .await;
    assert_eq!((market.emitted(&order, "refunded").await, market.emitted(&order, "refund_failed").await), (1, 1));
    let seen = payment(&buyer, &order).await;
    assert_eq!((seen.text_at("/status"), market.money(&order).await), ("succeeded".into(), PRICE));
    assert_eq!(seen.text_at("/refunds/0/failure/code"), "expired_or_canceled_card");
    wait_until("the order knows", || async {
        let order = buyer.get(&format!("/orders/{order}")).await.expect_status(200);
        order.text_at("/payment_status") == "succeeded"
    })
    .await;
    market.wait_for_webhooks(&order, 200, 3).await;
    assert_eq!(market.emitted(&order, "refund_failed").await, 1, "two webhooks of it");
}

/// Rule 4 does not fail silently: the money is sent again once, and then the check names the order.
#[tokio::test(flavor = "multi_thread")]
async fn refunds_and_disputes_leave_the_books_in_order_or_are_named() {
    let market = Market::open().await;
    let buyer = market.shop.customer().await;

    let order = market.confirmed(&buyer, "pm_card_visa").await;
    let seller = market.shop.seller().await;
    let set = async |status: &str| seller.put(&format!("/orders/{order}/status"), &json!({ "status": status })).await;
    set("processing").await.expect_status(200);
    market.sandbox.kill();
    market.refund(&order, &json!({})).await.expect_status(201);
    set("shipped").await.expect_error(409, "refund_pending");
    market.sandbox.start_again(&market.shop).await;
    buyer.wait_for_status(&order, "refunded").await;
    wait_until("its unit is available again", || async { available(&market, &buyer, &order).await == 5 }).await;
    set("shipped").await.expect_error(409, "illegal_transition");

    let lost = market.confirmed(&buyer, "pm_sandbox_dispute").await;
    wait_for_dispute(&buyer, &lost, "open").await;
    market.decides(&buyer, &lost, "losing_evidence").await;
    buyer.wait_for_status(&lost, "refunded").await;

    let part = market.confirmed(&buyer, "pm_sandbox_refund_fails_late").await;
    market.refund(&part, &json!({"amount": {"amount": 500, "currency": "USD"}})).await.expect_status(201);
    wait_until("the refund has failed", || async { market.emitted(&part, "refund_failed").await == 1 }).await;
    wait_until("nothing is on its way", || async {
        market.shop.number("payments", "select count(*) from effect").await == 0
    })
    .await;
    market.shop.check_clean().await;

    let full = market.confirmed(&buyer, "pm_sandbox_refund_fails_late").await;
    market.refund(&full, &json!({})).await.expect_status(201);
    wait_until("the second refund has failed too", || async { market.emitted(&full, "refund_failed").await == 2 })
        .await;
    let seen = payment(&buyer, &full).await;
    assert_eq!(
        (seen.text_at("/refunds/0/status"), seen.text_at("/refunds/1/status")),
        ("failed".into(), "failed".into())
    );
    wait_until("the order knows", || async {
        let order = buyer.get(&format!("/orders/{full}")).await.expect_status(200);
        (order.text_at("/status"), order.text_at("/payment_status")) == ("refunded".into(), "succeeded".into())
    })
    .await;
    market.shop.leave_in_disorder();
    let named = market.shop.check().await.violations();
    assert!(
        named.len() == 1 && named.iter().all(|(check, key)| check == "balance" && key.contains(&full)),
        "{named:?}"
    );
}
