//! Buyers that place orders during faults: each order has its own key and is sent until it gets a definite reply.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::Method;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::api::Caller;
use super::cluster::Cluster;
use crate::shop::rejection;

/// How many variants are scarce enough to sell out.
const SCARCE: usize = 3;
/// The units of each variant: first the scarce ones, then the plentiful ones.
const ON_HAND: [i64; 8] = [25, 60, 150, 100_000, 100_000, 100_000, 100_000, 100_000];
/// How long after the last fault a missing reply is reported.
const TIMEOUT: Duration = Duration::from_secs(180);
/// The paying methods and their weights.
const PAYING: [(&str, u32); 8] = [
    ("pm_card_visa", 60),
    ("pm_sandbox_slow", 2),
    ("pm_sandbox_timeout_after_charge", 2),
    ("pm_sandbox_forgotten_key", 2),
    ("pm_sandbox_stored_500", 2),
    ("pm_sandbox_duplicate_webhook", 2),
    ("pm_sandbox_late_webhook", 2),
    ("pm_sandbox_reordered_webhooks", 2),
];
const DECLINED: [&str; 3] =
    ["pm_card_visa_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds", "pm_sandbox_forged_webhook"];

/// The payment behaviour of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payment {
    Paying(&'static str),
    Declined(&'static str),
    Unpaid,
}

/// The requests of a buyer for one order, and the replies.
#[derive(Debug)]
pub struct Receipt {
    pub key: String,
    pub variant: usize,
    pub quantity: i64,
    pub payment: Payment,
    /// The order id, if the order was accepted.
    pub id: Option<String>,
    /// The statuses seen in replies.
    pub seen: BTreeSet<String>,
    /// Whether the shop confirmed the buyer's cancellation.
    pub is_cancelled: bool,
    /// Whether the buyer requested a cancellation, whatever its outcome.
    pub cancel_requested: bool,
}

impl Receipt {
    /// Whether the variant may have sold out.
    pub fn is_scarce(&self) -> bool {
        self.variant < SCARCE
    }
}

/// A reply that is wrong regardless of later events.
pub type Complaint = String;

pub struct Buyer {
    pub caller: Caller,
    pub receipts: Vec<Receipt>,
    pub complaints: Vec<Complaint>,
    /// Orders rejected for lack of stock.
    pub rejected: usize,
    rng: StdRng,
}

pub struct Variant {
    pub id: String,
    pub price: i64,
    pub on_hand: i64,
}

/// Creates the products and their stock.
pub async fn stock(cluster: &Cluster) -> Result<Vec<Variant>> {
    let mut admin = Caller::new(&cluster.gateways, 0);
    admin.login_as_admin().await?;
    let mut variants = Vec::new();
    for (number, on_hand) in ON_HAND.into_iter().enumerate() {
        let price = 1000 + 100 * i64::try_from(number)?;
        let product = json!({"name": format!("Thing {number}"), "price": {"amount": price, "currency": "USD"}});
        let made = admin.expect(Method::POST, "/products", Some(&product)).await?;
        let id = made["variants"][0]["id"].as_str().context("a product without a variant")?.to_owned();
        let stock = json!({"on_hand": on_hand});
        admin.expect(Method::PUT, &format!("/inventory/{id}"), Some(&stock)).await?;
        variants.push(Variant { id, price, on_hand });
    }
    Ok(variants)
}

pub async fn register(cluster: &Cluster, seed: u64, number: u32) -> Result<Buyer> {
    let mut caller = Caller::new(&cluster.gateways, number as usize);
    caller.register(&format!("buyer-{number}@souk.test")).await?;
    let rng = StdRng::seed_from_u64(seed.wrapping_mul(1_000_003).wrapping_add(u64::from(number)));
    Ok(Buyer { caller, receipts: Vec::new(), complaints: Vec::new(), rejected: 0, rng })
}

impl Buyer {
    /// Buys until `stop` is set; the last order is sent until it gets a reply.
    pub async fn buy(mut self, variants: Arc<Vec<Variant>>, stop: Arc<AtomicBool>) -> Self {
        while !stop.load(Ordering::Relaxed) {
            self.order(&variants, &stop).await;
            let pause = self.rng.random_range(40..200);
            sleep(Duration::from_millis(pause)).await;
        }
        self
    }

    async fn order(&mut self, variants: &[Variant], stop: &AtomicBool) {
        // Every third order is for a scarce variant.
        let scarce = self.rng.random_ratio(1, 3);
        let variant =
            if scarce { self.rng.random_range(0..SCARCE) } else { self.rng.random_range(SCARCE..variants.len()) };
        let quantity = self.rng.random_range(1..=3);
        let payment = self.payment();
        let mut body = json!({
            "items": [{"variant_id": variants[variant].id, "quantity": quantity}],
            "shipping_address": {"street": "1 Main St", "city": "Springfield", "zip_code": "12345", "country": "US"},
            "expected_total": {"amount": variants[variant].price * quantity, "currency": "USD"},
        });
        if let Payment::Paying(method) | Payment::Declined(method) = payment {
            body["payment"] = json!({"method": method});
        }
        let key = Uuid::new_v4().to_string();
        let Some((status, answer)) = self.until_answered("/orders", &body, &key, stop).await else { return };
        let mut receipt = Receipt {
            key,
            variant,
            quantity,
            payment,
            id: None,
            seen: BTreeSet::new(),
            is_cancelled: false,
            cancel_requested: false,
        };
        match (status, answer["code"].as_str()) {
            (201, _) => {
                receipt.id = answer["id"].as_str().map(str::to_owned);
                receipt.seen.extend(answer["status"].as_str().map(str::to_owned));
            }
            (409, Some("out_of_stock")) => self.rejected += 1,
            _ => self.complaints.push(format!("the order with key {} was rejected: {status} {answer}", receipt.key)),
        }
        if let Some(id) = receipt.id.clone() {
            self.read_or_cancel(&id, &mut receipt, stop).await;
        }
        self.receipts.push(receipt);
    }

    async fn read_or_cancel(&mut self, id: &str, receipt: &mut Receipt, stop: &AtomicBool) {
        if self.rng.random_ratio(1, 20) {
            receipt.cancel_requested = true;
            let key = Uuid::new_v4().to_string();
            let answer = self.until_answered(&format!("/orders/{id}/cancel"), &json!({}), &key, stop).await;
            match answer {
                Some((200, _)) => receipt.is_cancelled = true,
                // The order had already ended.
                Some((409, _)) | None => {}
                Some((status, answer)) => {
                    self.complaints.push(format!("order {id} could not be cancelled: {status} {answer}"));
                }
            }
        }
        if self.rng.random_ratio(1, 4) {
            match self.caller.send(Method::GET, &format!("/orders/{id}"), None, None).await {
                Ok(answer) if answer.status.is_success() => {
                    let order: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
                    receipt.seen.extend(order["status"].as_str().map(str::to_owned));
                }
                Ok(answer) if answer.status.is_server_error() => {}
                Ok(answer) => self.complaints.push(format!("order {id} was accepted, then: {}", rejection(&answer))),
                Err(_) => self.caller.turn_to_the_other(),
            }
        }
    }

    /// Sends a request until a reply gives its definite outcome: no server error, no 429, and no 409 about the key.
    async fn until_answered(&mut self, path: &str, body: &Value, key: &str, stop: &AtomicBool) -> Option<(u16, Value)> {
        let mut stopped_at = None;
        loop {
            let why = match self.caller.send(Method::POST, path, Some(body), Some(key)).await {
                Ok(answer) => {
                    let kind = rejection(&answer);
                    let is_unsure = answer.status.is_server_error()
                        || answer.status.as_u16() == 429
                        || kind.starts_with("409 idempotency");
                    if !is_unsure {
                        return Some((
                            answer.status.as_u16(),
                            serde_json::from_slice(&answer.body).unwrap_or_default(),
                        ));
                    }
                    kind
                }
                Err(failure) => failure.to_string(),
            };
            if stop.load(Ordering::Relaxed) {
                let since = *stopped_at.get_or_insert_with(Instant::now);
                if since.elapsed() > TIMEOUT {
                    self.complaints.push(format!("POST {path} with key {key} got no reply: {why}"));
                    return None;
                }
            }
            self.caller.turn_to_the_other();
            let pause = self.rng.random_range(100..400);
            sleep(Duration::from_millis(pause)).await;
        }
    }

    fn payment(&mut self) -> Payment {
        match self.rng.random_range(0..100) {
            0..8 => Payment::Declined(DECLINED.choose(&mut self.rng).copied().unwrap_or(DECLINED[0])),
            8..12 => Payment::Unpaid,
            _ => {
                let method = PAYING.choose_weighted(&mut self.rng, |(_, weight)| *weight).map(|(method, _)| *method);
                Payment::Paying(method.unwrap_or(PAYING[0].0))
            }
        }
    }
}
