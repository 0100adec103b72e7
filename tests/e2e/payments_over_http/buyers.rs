//! Buyers at the provider: they confirm what their card's issuer asks, or try another card.

use serde_json::json;

use super::{Market, market, payment};
use crate::harness::{Answer, Person, wait_until};

impl Market {
    /// The buyer's browser confirms the object with a card.
    async fn pays_in_the_browser(&self, object: &str, method: &str) -> Answer {
        let confirm = format!("//v1/payment_intents/{object}/confirm");
        self.sandbox.person().post_form(&confirm, &[("payment_method", method)]).await
    }

    /// The buyer answers the card's issuer.
    async fn answers_the_issuer(&self, object: &str, answer: &str) {
        let path = format!("//v1/test_helpers/payment_intents/{object}/{answer}");
        self.sandbox.person().post_form(&path, &[]).await.expect_status(200);
    }

    /// An order whose buyer is asked to confirm its charge, and its object.
    async fn order_that_asks(&self, buyer: &Person) -> (String, String) {
        let order = self.order(buyer, Some("pm_card_authenticationRequired")).await;
        wait_until("the buyer is asked", || async {
            let order = buyer.get(&format!("/orders/{order}")).await.expect_status(200);
            order.body.pointer("/payment/next_action/type") == Some(&json!("use_stripe_sdk"))
        })
        .await;
        let object = payment(buyer, &order).await.text_at("/provider_transaction_id");
        (order, object)
    }
}

#[tokio::test]
async fn a_charge_that_its_buyer_confirms_at_the_issuer_confirms_the_order() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let (order, object) = market.order_that_asks(&buyer).await;
    let seen = buyer.get(&format!("/orders/{order}")).await.expect_status(200);
    assert!(seen.text_at("/payment/client_secret").starts_with(&object));
    market.answers_the_issuer(&object, "authenticate").await;
    market.ends_confirmed(&buyer, &order).await;
}

#[tokio::test]
async fn a_charge_that_its_buyer_turns_down_at_the_issuer_fails_the_order() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let (order, object) = market.order_that_asks(&buyer).await;
    market.answers_the_issuer(&object, "fail_authentication").await;
    buyer.wait_for_status(&order, "failed").await;
    assert_eq!((market.charges(&order).await, market.objects(&order, "canceled").await), (0, 1));
}

#[tokio::test]
async fn a_buyer_tries_three_cards_at_the_provider_and_no_more() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    for (third, status) in [("pm_card_visa", "confirmed"), ("pm_card_chargeDeclinedExpiredCard", "failed")] {
        let order = market.order_with_intent(&buyer).await;
        let object = payment(&buyer, &order).await.text_at("/provider_transaction_id");
        for (attempt, method) in [(1, "pm_card_chargeDeclined"), (2, "pm_card_chargeDeclinedInsufficientFunds")] {
            market.pays_in_the_browser(&object, method).await.expect_status(402);
            let counted = format!(
                "select count(*) from payments where order_id = '{order}' and jsonb_array_length(declines) = {attempt}"
            );
            wait_until("the decline is counted", || async {
                market.shop.number("payments", counted.clone()).await == 1
            })
            .await;
            assert_eq!(buyer.order_status(&order).await, "pending");
        }
        assert_eq!(payment(&buyer, &order).await.text_at("/failure/code"), "insufficient_funds");
        market.pays_in_the_browser(&object, third).await;
        buyer.wait_for_status(&order, status).await;
    }
}
