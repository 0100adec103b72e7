//! Charging over HTTP, at a provider that is hostile, dies, or is not ours: whatever happens on the way, an order ends
//! right and its money moves once.

mod aftermath;
mod buyers;
mod called_off;
mod crashes;
mod dead_lettered;
mod foreign;
mod making;
mod refunds;
mod webhooks;

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::harness::{
    Person, Shop, address,
    provider::{Sandbox, free_port, shop_with_provider},
    wait_until,
};

/// A shop and its hostile provider.
struct Market {
    // Stops before the server of its database does.
    sandbox: Sandbox,
    shop: Shop,
}

impl Market {
    async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// The same, with the given variables on top for the provider.
    async fn open_with(settings: &[(&str, &str)]) -> Self {
        let port = free_port();
        let shop = shop_with_provider(port).await;
        let sandbox = Sandbox::start(port, &shop, settings).await;
        Self { sandbox, shop }
    }

    /// A number that the sandbox's database gives for an order: `$` is its id.
    async fn at_provider(&self, order: &str, query: &str) -> i64 {
        self.shop.number("sandbox", query.replace('$', order)).await
    }

    /// How often the order was charged.
    async fn charges(&self, order: &str) -> i64 {
        let query = "select count(*) from charge c join intent i on i.id = c.intent_id
                     where i.metadata->>'order_id' = '$'";
        self.at_provider(order, query).await
    }

    /// How often money of the order went back.
    async fn refunds(&self, order: &str) -> i64 {
        let query = "select count(*) from refund r join intent i on i.id = r.intent_id
                     where i.metadata->>'order_id' = '$'";
        self.at_provider(order, query).await
    }

    /// The objects that the provider has for an order, all of them or those of one status.
    async fn objects(&self, order: &str, status: &str) -> i64 {
        let query =
            format!("select count(*) from intent where metadata->>'order_id' = '$' and '{status}' in (status, 'any')");
        self.at_provider(order, &query).await
    }

    /// Minor units that the provider has of an order.
    async fn money(&self, order: &str) -> i64 {
        let query = "select (coalesce((select sum(c.amount) from charge c join intent i on i.id = c.intent_id
                                       where i.metadata->>'order_id' = '$'), 0)
                           - coalesce((select sum(r.amount) from refund r join intent i on i.id = r.intent_id
                                       where i.metadata->>'order_id' = '$' and r.status <> 'failed'), 0))::bigint";
        self.at_provider(order, query).await
    }

    /// An order of one unit of something new, not waited for.
    async fn order(&self, buyer: &Person, method: Option<&str>) -> String {
        let body = self.wish(PRICE, method).await;
        buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id")
    }

    /// The body of such an order.
    async fn wish(&self, price: i64, method: Option<&str>) -> Value {
        let variant = self.shop.product(5, price).await;
        let mut body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address()});
        if let Some(method) = method {
            body["payment"] = json!({ "method": method });
        }
        body
    }

    /// An order that the buyer's browser could pay.
    async fn order_with_intent(&self, buyer: &Person) -> String {
        let order = self.order(buyer, None).await;
        buyer.post_once("/payments/intents", &json!({ "order_id": order })).await.expect_status(201);
        order
    }

    /// An order by this method is confirmed, and charged once.
    async fn is_charged_once_by(&self, method: &str) -> String {
        let buyer = self.shop.customer().await;
        let order = self.order(&buyer, Some(method)).await;
        self.ends_confirmed(&buyer, &order).await;
        order
    }

    async fn ends_confirmed(&self, buyer: &Person, order: &str) {
        self.ends_confirmed_at(PRICE, buyer, order).await;
    }

    async fn ends_confirmed_at(&self, price: i64, buyer: &Person, order: &str) {
        buyer.wait_for_status(order, "confirmed").await;
        let history = buyer.get(&format!("/orders/{order}/history")).await.expect_status(200);
        let steps = history.body["data"].as_array().unwrap();
        assert_eq!(steps.iter().filter(|step| step["status"] == "confirmed").count(), 1, "{}", history.body);
        assert_eq!(payment(buyer, order).await.text_at("/status"), "succeeded");
        assert_eq!((self.charges(order).await, self.money(order).await), (1, price));
    }

    /// Webhooks of an order that have come to their end, answered so.
    async fn webhooks(&self, order: &str, answered: u16) -> i64 {
        let query = format!(
            "select count(*) from webhook w join intent i on i.id = w.intent_id
             where i.metadata->>'order_id' = '$' and ended_at is not null and answered = {answered}"
        );
        self.at_provider(order, &query).await
    }

    async fn wait_for_webhooks(&self, order: &str, answered: u16, count: i64) {
        let what = format!("{count} webhooks of {order} are answered with {answered}");
        wait_until(&what, || async { self.webhooks(order, answered).await == count }).await;
    }
}

const PRICE: i64 = 1500;

/// The shop of all tests here that kill nothing.
async fn market() -> &'static Market {
    static MARKET: OnceCell<Market> = OnceCell::const_new();
    MARKET.get_or_init(Market::open).await
}

/// Repeats a request by its key until it is answered: the process that should answer may die over it.
async fn insist(person: &Person, path: &str, body: &Value, key: &str) -> crate::harness::Answer {
    let began = std::time::Instant::now();
    loop {
        if let Some(answer) = person.try_post(path, body, &[("Idempotency-Key", key)]).await
            && answer.status < 500
        {
            return answer;
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(60), "never answered: POST {path}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

async fn payment(buyer: &Person, order: &str) -> crate::harness::Answer {
    buyer.get(&format!("/payments/order/{order}")).await.expect_status(200)
}

#[tokio::test]
async fn a_slow_answer_is_waited_for() {
    market().await.is_charged_once_by("pm_sandbox_slow").await;
}

#[tokio::test]
async fn a_charge_whose_answer_never_came_is_found() {
    market().await.is_charged_once_by("pm_sandbox_timeout_after_charge").await;
}

/// Scenario 3: the provider forgets the key of a charge that it made.
#[tokio::test]
async fn a_charge_is_not_repeated_when_its_key_has_expired() {
    market().await.is_charged_once_by("pm_sandbox_forgotten_key").await;
}

/// Scenario 3: the provider keeps answering with a failure that it stored, though it has charged.
#[tokio::test]
async fn a_failure_that_was_stored_after_the_charge_does_not_hide_it() {
    market().await.is_charged_once_by("pm_sandbox_stored_500").await;
}

#[tokio::test]
async fn a_charge_whose_request_timed_out_on_the_way_is_found() {
    market().await.is_charged_once_by("pm_sandbox_408").await;
}

#[tokio::test]
async fn a_failure_that_was_stored_before_any_charge_does_not_stand_in_its_way_for_a_day() {
    market().await.is_charged_once_by("pm_sandbox_stored_500_uncharged").await;
}

#[tokio::test]
async fn a_decline_fails_the_order_and_closes_the_intent() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let order = market.order(&buyer, Some("pm_card_chargeDeclinedInsufficientFunds")).await;
    buyer.wait_for_status(&order, "failed").await;
    let seen = buyer.get(&format!("/orders/{order}")).await.expect_status(200);
    assert_eq!(seen.text_at("/failure/code"), "insufficient_funds");
    assert_eq!((market.charges(&order).await, market.objects(&order, "canceled").await), (0, 1));
}

#[tokio::test]
async fn a_method_that_the_provider_does_not_know_fails_the_order() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let order = market.order(&buyer, Some("pm_unknown")).await;
    buyer.wait_for_status(&order, "failed").await;
    assert_eq!(market.charges(&order).await, 0);
}

#[tokio::test]
async fn an_intent_that_is_paid_in_the_browser_confirms_its_order() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let order = market.order(&buyer, None).await;
    let intent = buyer.post_once("/payments/intents", &json!({ "order_id": order })).await.expect_status(201);
    assert_eq!(intent.text_at("/publishable_key"), "pk_test_souk");
    let object = payment(&buyer, &order).await.text_at("/provider_transaction_id");
    let confirm = format!("//v1/payment_intents/{object}/confirm");
    market.sandbox.person().post_form(&confirm, &[("payment_method", "pm_card_visa")]).await.expect_status(200);
    market.ends_confirmed(&buyer, &order).await;
}
