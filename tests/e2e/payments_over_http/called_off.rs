//! Orders that are called off while the provider is away: no buyer is charged for them afterwards.

use serde_json::json;

use super::{Market, payment};
use crate::harness::{Person, wait_until};

impl Market {
    /// The provider dies at this place of an order's charge, and stays away until the order is called off.
    async fn called_off_amid_its_charge(&self, buyer: &Person, place: &str) -> String {
        self.sandbox.kill();
        self.sandbox.start_again_with(&self.shop, &[("SOUK_CRASH_AT", place)]).await;
        let order = self.order(buyer, Some("pm_card_visa")).await;
        wait_until("the provider dies", || async { self.sandbox.has_died() }).await;
        buyer.post_once(&format!("/orders/{order}/cancel"), &json!({})).await.expect_status(200);
        let waits = format!(
            "select count(*) from effect e join payments p on p.id = e.entity
             where p.order_id = '{order}' and p.closing = 'cancel' and e.name in ('charge', 'cancel_object')"
        );
        wait_until("its cancel waits behind its charge", || async {
            self.shop.number("payments", waits.clone()).await == 2
        })
        .await;
        self.sandbox.start_again(&self.shop).await;
        order
    }
}

/// Scenario 20: the charge comes to its provider only when the order is off.
#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_was_called_off_before_its_charge_was_repeated_is_never_charged() {
    let market = Market::open().await;
    let buyer = market.shop.customer().await;

    let order = market.called_off_amid_its_charge(&buyer, "confirm.before_commit").await;
    wait_until("the payment has ended", || async { payment(&buyer, &order).await.text_at("/status") == "cancelled" })
        .await;
    assert_eq!((market.charges(&order).await, market.refunds(&order).await), (0, 0));
    assert_eq!((market.objects(&order, "canceled").await, market.objects(&order, "any").await), (1, 1));
    assert_eq!(buyer.order_status(&order).await, "cancelled");

    // Where it had been charged already, that is found, and goes back.
    let order = market.called_off_amid_its_charge(&buyer, "confirm.after_commit").await;
    wait_until("the money is back", || async { payment(&buyer, &order).await.text_at("/status") == "refunded" }).await;
    assert_eq!((market.charges(&order).await, market.refunds(&order).await, market.money(&order).await), (1, 1, 0));
    assert_eq!(buyer.order_status(&order).await, "cancelled");
}
