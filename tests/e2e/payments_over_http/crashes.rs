//! Crashes around the calls of the provider, on either side, amid everything that is asked of it.

use serde_json::{Value, json};

use super::{Market, PRICE, insist, payment};
use crate::harness::{Person, wait_until};

/// What is in flight when a process dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amid {
    Charge,
    Cancel,
    Refund,
}

/// The places around a call and around the commit of its result.
const PLACES: [&str; 4] =
    ["effect.before_perform", "effect.after_perform", "lane.before_effect_commit", "lane.after_effect_commit"];

/// The place in a charge between the commit of the object's id and its confirm.
const COMMITTED: &str = "payments.object_committed";

/// What a person asks for, by a key, and for which order.
struct Request {
    amid: Amid,
    path: String,
    body: Value,
    key: String,
    /// Unknown until it is placed.
    order: Option<String>,
}

impl Amid {
    fn places(self) -> Vec<&'static str> {
        PLACES.into_iter().chain((self == Self::Charge).then_some(COMMITTED)).collect()
    }
}

impl Market {
    /// Brings an order to where this can be asked for.
    async fn ready(&self, buyer: &Person, amid: Amid) -> Request {
        let (path, body, order) = match amid {
            Amid::Charge => ("/orders".to_owned(), self.wish(PRICE, Some("pm_card_visa")).await, None),
            Amid::Cancel => {
                let order = self.order_with_intent(buyer).await;
                (format!("/orders/{order}/cancel"), json!({}), Some(order))
            }
            Amid::Refund => {
                let order = self.order(buyer, Some("pm_card_visa")).await;
                self.ends_confirmed(buyer, &order).await;
                let path = format!("/payments/{}/refunds", payment(buyer, &order).await.text_at("/id"));
                (path, json!({"amount": {"amount": 500, "currency": "USD"}}), Some(order))
            }
        };
        Request { amid, path, body, key: uuid::Uuid::now_v7().to_string(), order }
    }

    /// Asks again where the answer was lost; gives the order when all has come to its right ending, with every sum
    /// moved once at the provider.
    async fn ends(&self, buyer: &Person, request: &Request) {
        let answer = insist(&self.caller(buyer, request.amid).await, &request.path, &request.body, &request.key).await;
        let answer = answer.expect_status(if request.amid == Amid::Cancel { 200 } else { 201 });
        let order = request.order.clone().unwrap_or_else(|| answer.text_at("/id"));
        let becomes = async |status: &str| {
            let what = format!("the payment of {order} is {status}");
            wait_until(&what, || async { payment(buyer, &order).await.text_at("/status") == status }).await;
        };
        let moved = match request.amid {
            Amid::Charge => {
                self.ends_confirmed(buyer, &order).await;
                (1, 0, PRICE)
            }
            Amid::Cancel => {
                becomes("cancelled").await;
                assert_eq!(buyer.order_status(&order).await, "cancelled");
                assert_eq!(self.objects(&order, "canceled").await, 1);
                (0, 0, 0)
            }
            Amid::Refund => {
                becomes("partially_refunded").await;
                assert_eq!(buyer.order_status(&order).await, "confirmed");
                (1, 1, PRICE - 500)
            }
        };
        let seen = (self.charges(&order).await, self.refunds(&order).await, self.money(&order).await);
        assert_eq!((seen, self.objects(&order, "any").await), (moved, 1), "{:?}", request.amid);
    }

    async fn caller(&self, buyer: &Person, amid: Amid) -> Person {
        if amid == Amid::Refund { self.shop.admin().await } else { buyer.clone() }
    }

    /// Sends it, whether or not a process is left to answer.
    async fn ask(&self, person: &Person, request: &Request) {
        drop(person.try_post(&request.path, &request.body, &[("Idempotency-Key", &request.key)]).await);
    }

    /// The shop dies at every place amid each of these. The life that mends what the last one left behind is the one
    /// that dies at the next place, so what was left is counted among its passings.
    async fn shop_dies_amid(&mut self, amids: &[Amid]) {
        let buyer = self.shop.customer().await;
        let mut request = Vec::new();
        for amid in amids.iter().copied() {
            for place in amid.places() {
                request.push((place, self.ready(&buyer, amid).await));
            }
        }
        let mut left = 0;
        for number in 0..request.len() {
            let (place, now) = &request[number];
            self.shop.kill();
            // No other node has them: the leases of the killed process need not be waited for.
            let hurry = "update effect set lease_until = clock_timestamp() - interval '1 second',
                             next_at = clock_timestamp()";
            self.shop.sql("payments", hurry).await;
            let place = format!("{place}:{}", left + 1);
            self.shop.start_again_with(&[("SOUK_CRASH_AT", &place)]).await;
            if let Some((_, before)) = number.checked_sub(1).map(|before| &request[before]) {
                self.ends(&buyer, before).await;
            }
            let person = self.caller(&buyer, now.amid).await;
            self.ask(&person, now).await;
            wait_until(&format!("the shop dies at {place}"), || async { self.shop.has_died() }).await;
            left = 1 - u32::from(place.starts_with("lane.after_effect_commit"));
        }
        self.shop.kill();
        self.shop.start_again().await;
        for (_, request) in &request {
            self.ends(&buyer, request).await;
        }
        self.shop.check_clean().await;
    }
}

/// A provider without webhooks: reads would be effects too, and the runs are counted.
async fn silent_market() -> Market {
    Market::open_with(&[("SOUK_SANDBOX_WEBHOOK_URL", "")]).await
}

/// Scenario 19: death on either side of the call, and of the commit that deletes the effect.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_on_either_side_of_the_call_charges_once() {
    silent_market().await.shop_dies_amid(&[Amid::Charge]).await;
}

/// Scenario 19: likewise where an object is closed, and where money goes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_on_either_side_of_the_call_closes_and_gives_back_once() {
    silent_market().await.shop_dies_amid(&[Amid::Cancel, Amid::Refund]).await;
}

/// Scenario 3: what the provider did before it died is done, and what it did not is asked for again.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_dies_before_or_after_any_of_its_commits_moves_money_once() {
    let market = Market::open().await;
    let buyer = market.shop.customer().await;
    let orders =
        [("create", Amid::Charge), ("confirm", Amid::Charge), ("cancel", Amid::Cancel), ("refund", Amid::Refund)];
    for (what, amid) in orders {
        for moment in ["before_commit", "after_commit"] {
            let request = market.ready(&buyer, amid).await;
            let place = format!("{what}.{moment}");
            market.sandbox.kill();
            market.sandbox.start_again_with(&market.shop, &[("SOUK_CRASH_AT", &place)]).await;
            market.ask(&market.caller(&buyer, amid).await, &request).await;
            wait_until(&format!("the provider dies at {place}"), || async { market.sandbox.has_died() }).await;
            market.sandbox.start_again(&market.shop).await;
            market.ends(&buyer, &request).await;
        }
    }

    // It is not there at all.
    market.sandbox.kill();
    let order = market.order(&buyer, Some("pm_card_visa")).await;
    let request = format!(
        "select count(*) from effect e join payments p on p.id = e.entity
         where p.order_id = '{order}' and e.reason is not null"
    );
    wait_until("it was asked in vain", || async { market.shop.number("payments", request.clone()).await == 1 }).await;
    market.sandbox.start_again(&market.shop).await;
    market.ends_confirmed(&buyer, &order).await;
}
