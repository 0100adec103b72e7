//! Crashes around the call of the provider, on either side.

use super::Market;
use crate::harness::wait_until;

/// Scenario 19: death on either side of the call, and of the commit that deletes the effect.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_on_either_side_of_the_call_charges_once() {
    let mut market = Market::open().await;
    let buyer = market.shop.customer().await;

    // The provider dies between its charge and its answer.
    let order = market.order(&buyer, Some("pm_sandbox_timeout_after_charge")).await;
    wait_until("it is charged", || async { market.charges(&order).await == 1 }).await;
    market.sandbox.kill();
    market.sandbox.start_again(&market.shop).await;
    market.ends_confirmed(&buyer, &order).await;

    // It is not there at all.
    market.sandbox.kill();
    let order = market.order(&buyer, Some("pm_card_visa")).await;
    let asked = format!(
        "select count(*) from effect e join payments p on p.id = e.entity
         where p.order_id = '{order}' and e.reason is not null"
    );
    wait_until("it was asked in vain", || async { market.shop.number("payments", asked.clone()).await == 1 }).await;
    market.sandbox.start_again(&market.shop).await;
    market.ends_confirmed(&buyer, &order).await;

    // The shop dies: before and after the object is made, before and after the charge, and on either side of the commit
    // that writes it down. Of the two effects of an order, the second is the charge.
    let mut orders = vec![order];
    for place in [
        "effect.before_perform:1",
        "effect.after_perform:1",
        "effect.before_perform:2",
        "effect.after_perform:2",
        "lane.before_effect_commit:2",
        "lane.after_effect_commit:2",
    ] {
        // Nothing of the order before it is still to be done: passings are counted.
        market.ends_confirmed(&buyer, orders.last().unwrap()).await;
        market.shop.kill();
        market.shop.start_again_with(&[("SOUK_CRASH_AT", place)]).await;
        let order = market.order(&buyer, Some("pm_card_visa")).await;
        wait_until(&format!("the shop dies at {place}"), || async { market.shop.has_died() }).await;
        market.shop.kill();
        market.shop.start_again().await;
        orders.push(order);
    }
    for order in &orders {
        market.ends_confirmed(&buyer, order).await;
    }
    market.shop.check_clean().await;
}
