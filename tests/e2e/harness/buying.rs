//! People who go on buying while a test breaks something, and the reckoning afterwards.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use tokio::task::JoinHandle;

use super::{Person, Shop, address, wait_until};

/// Buyers who buy until they are stopped, each order repeated with its key until it is answered.
pub struct Buying {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    buyers: Vec<(Person, JoinHandle<Vec<Bought>>)>,
    variants: Vec<String>,
    on_hand: i64,
}

/// An order that was accepted.
struct Bought {
    id: String,
    /// The card is good.
    pays: bool,
}

/// What became of the orders, by status.
pub type Endings = BTreeMap<String, usize>;

impl Buying {
    /// So many people begin to buy three new things with so many units each.
    pub async fn begin(shop: &Shop, people: usize, on_hand: i64) -> Self {
        let mut variants = Vec::new();
        for _ in 0..3 {
            variants.push(shop.product(on_hand, 1000).await);
        }
        let (stop, answered) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let mut buyers = Vec::new();
        for _ in 0..people {
            let person = shop.customer().await;
            let buying = buy_until(stop.clone(), answered.clone(), person.clone(), variants.clone());
            buyers.push((person, tokio::spawn(buying)));
        }
        Self { stop, answered, buyers, variants, on_hand }
    }

    /// Waits until so many more orders were answered, accepted or out of stock.
    pub async fn progress(&self, orders: usize) {
        let wanted = self.answered.load(Ordering::Relaxed) + orders;
        let what = format!("{orders} more orders are answered");
        wait_until(&what, || async {
            assert!(self.buyers.iter().all(|(_, buying)| !buying.is_finished()), "a buyer stopped");
            self.answered.load(Ordering::Relaxed) >= wanted
        })
        .await;
    }

    /// Ends the buying, waits until every order is decided, and compares what was sold with what is left.
    pub async fn reconcile(self, shop: &Shop) -> Endings {
        self.stop.store(true, Ordering::Relaxed);
        let bought = self.buyers.into_iter().map(async |(buyer, buying)| (buyer, buying.await.unwrap()));
        let bought = futures::future::join_all(bought).await;
        // Nothing can have run out where fewer were asked for than there are of each.
        let may_run_out = self.answered.load(Ordering::Relaxed) >= usize::try_from(self.on_hand).unwrap();
        let endings_of = bought.iter().map(async |(buyer, orders)| {
            let mut statuses = Vec::new();
            for order in orders {
                statuses.push(expect_right_ending(buyer, order, may_run_out).await);
            }
            statuses
        });
        let mut endings = Endings::new();
        for status in futures::future::join_all(endings_of).await.into_iter().flatten() {
            *endings.entry(status).or_default() += 1;
        }
        let mut left = 0;
        for variant in &self.variants {
            wait_until("nothing is held any more", || async { shop.stock(variant).await.number_at("/reserved") == 0 })
                .await;
            left += shop.stock(variant).await.number_at("/on_hand");
        }
        let confirmed = *endings.get("confirmed").unwrap_or(&0);
        let sold = self.on_hand * i64::try_from(self.variants.len()).unwrap() - left;
        assert_eq!(sold, i64::try_from(confirmed).unwrap(), "units sold are units confirmed: {endings:?}");
        assert!(confirmed > 0, "{endings:?}");
        endings
    }
}

async fn expect_right_ending(buyer: &Person, Bought { id, pays }: &Bought, may_run_out: bool) -> String {
    wait_until(&format!("order {id} is decided"), || async { buyer.order_status(id).await != "pending" }).await;
    let order = buyer.get(&format!("/orders/{id}")).await.expect_status(200);
    let status = order.text_at("/status");
    match status.as_str() {
        "confirmed" => {
            let payment = buyer.get(&format!("/payments/order/{id}")).await.expect_status(200);
            assert_eq!(payment.text_at("/status"), "succeeded", "a confirmed order is paid");
            assert!(*pays, "paid with a card that is declined: {}", order.body);
        }
        "failed" => {
            let is_right = match order.text_at("/failure/code").as_str() {
                "card_declined" => !pays,
                "out_of_stock" => may_run_out,
                _ => false,
            };
            assert!(is_right, "{}", order.body);
        }
        other => panic!("an order ended as {other}: {}", order.body),
    }
    status
}

async fn buy_until(
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicUsize>,
    buyer: Person,
    variants: Vec<String>,
) -> Vec<Bought> {
    let mut orders = Vec::new();
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let variant = &variants[number % variants.len()];
        let pays = number % 7 != 6;
        let method = if pays { "pm_card_visa" } else { "pm_card_visa_chargeDeclined" };
        let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address(),
            "payment": {"method": method}});
        let key = uuid::Uuid::now_v7().to_string();
        let answer = loop {
            match buyer.try_post("/orders", &body, &[("Idempotency-Key", &key)]).await {
                Some(answer) if answer.status < 500 => break answer,
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        };
        match answer.status {
            201 => orders.push(Bought { id: answer.text_at("/id"), pays }),
            _ => drop(answer.expect_error(409, "out_of_stock")),
        }
        answered.fetch_add(1, Ordering::Relaxed);
        // A steady pace: the test is about what breaks, not about load.
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    orders
}
