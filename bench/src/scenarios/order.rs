//! One order: placed with its own key, and awaited until it is decided.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::ledger::Ledger;
use crate::http::{Answer, Body, Client, Failure};
use crate::load::{Outcome, Script};
use crate::shop::{Session, Shop, Variant, rejection};

const ACCEPTED: &[usize] = &[0];
const ACCEPTED_AND_CONFIRMED: &[usize] = &[0, 1];

/// The first attempt under the same key is still running.
pub const IN_PROGRESS: &str = "409 command_in_progress";

pub struct Buying {
    pub shop: Shop,
    pub customer: Arc<Session>,
    /// Prepared request bodies, one per variant.
    pub bodies: Vec<Bytes>,
    pub ledger: Arc<Ledger>,
}

/// An order that can be sent again under the same key.
#[derive(Debug, Clone)]
pub struct Attempt {
    pub key: Uuid,
    pub body: Bytes,
}

/// The state of an attempt, as far as its reply shows it.
#[derive(Debug, PartialEq, Eq)]
pub enum Placed {
    Confirmed,
    /// Stored, and ended without a sale.
    Ended {
        status: String,
        code: Option<String>,
    },
    /// Stored, and undecided when the reply was sent.
    Undecided {
        id: String,
        status: String,
    },
    /// Not stored.
    Rejected(String),
    /// Rejected with the time after which to try again. It may have been stored nevertheless: an attempt that the shop
    /// repeated by itself may have succeeded before.
    TryLater {
        kind: String,
        after: Duration,
    },
    /// Unknown: only a request under the same key can tell.
    Unknown(String),
}

pub fn body_of(variant: &Variant) -> Bytes {
    let order = json!({
        "items": [{"variant_id": variant.id, "quantity": 1}],
        "shipping_address": {"street": "1 Bench Street", "city": "Springfield", "zip_code": "12345", "country": "US"},
        "expected_total": variant.price,
        "payment": {"method": "pm_card_visa"},
    });
    Bytes::from(order.to_string())
}

impl Script for Buying {
    type Hand = Client;
    /// Both are timed to the same reply, which waits for the decision.
    const SERIES: &'static [&'static str] = &["accepted", "confirmed"];

    async fn hand(&self, client: u32) -> anyhow::Result<Client> {
        Ok(self.shop.client(client))
    }

    async fn step(&self, client: &mut Client, n: u64) -> Outcome {
        self.buy(client, n).await
    }
}

impl Buying {
    /// Places the n-th order, once.
    pub async fn buy(&self, client: &mut Client, n: u64) -> Outcome {
        let attempt = self.attempt(n);
        let placed = self.place(client, &attempt).await;
        let outcome = outcome(&placed);
        self.ledger.enter(attempt, placed);
        outcome
    }

    /// The n-th order, under a new key.
    pub fn attempt(&self, n: u64) -> Attempt {
        let body = self.bodies[(n % self.bodies.len() as u64) as usize].clone();
        Attempt { key: Uuid::new_v4(), body }
    }

    pub async fn place(&self, client: &mut Client, attempt: &Attempt) -> Placed {
        let request = Request::post("/api/v1/orders")
            .header(AUTHORIZATION, self.customer.bearer())
            .header(CONTENT_TYPE, "application/json")
            .header("idempotency-key", attempt.key.to_string())
            .header("prefer", "wait=10")
            .body(Body::new(attempt.body.clone()));
        match request {
            Ok(request) => read(client.send(request).await),
            Err(error) => Placed::Rejected(format!("request: {error}")),
        }
    }
}

/// The outcome of a step, in the series of [`Buying`].
pub fn outcome(placed: &Placed) -> Outcome {
    let accepted = |error: String| Outcome { error: Some(error), ..Outcome::one(ACCEPTED) };
    match placed {
        Placed::Confirmed => Outcome::one(ACCEPTED_AND_CONFIRMED),
        Placed::Ended { status, code: Some(code) } => accepted(format!("201 order {status}: {code}")),
        Placed::Ended { status, code: None } => accepted(format!("201 order {status}")),
        Placed::Undecided { status, .. } => accepted(format!("201 order still {status} after 10 s")),
        Placed::Rejected(kind) | Placed::TryLater { kind, .. } | Placed::Unknown(kind) => Outcome::error(kind.as_str()),
    }
}

fn read(answer: Result<Answer, Failure>) -> Placed {
    let answer = match answer {
        Ok(answer) => answer,
        Err(failure) => return Placed::Unknown(failure.0),
    };
    if answer.status == StatusCode::CREATED {
        return created(&answer);
    }
    let kind = rejection(&answer);
    if let Some(after) = answer.retry_after.filter(|_| answer.status == StatusCode::SERVICE_UNAVAILABLE) {
        return Placed::TryLater { kind, after };
    }
    // A 5xx does not show whether the order was stored.
    let unsure = answer.status.is_server_error() || answer.status.is_success() || kind == IN_PROGRESS;
    if unsure { Placed::Unknown(kind) } else { Placed::Rejected(kind) }
}

fn created(answer: &Answer) -> Placed {
    #[derive(Deserialize)]
    struct Order {
        id: String,
        status: String,
        failure: Option<Reason>,
    }
    #[derive(Deserialize)]
    struct Reason {
        code: String,
    }
    match serde_json::from_slice::<Order>(&answer.body) {
        Ok(order) if is_sold(&order.status) => Placed::Confirmed,
        Ok(order) if order.status == "pending" => Placed::Undecided { id: order.id, status: order.status },
        Ok(order) => Placed::Ended { status: order.status, code: order.failure.map(|reason| reason.code) },
        Err(_) => Placed::Unknown("201 that is not an order".into()),
    }
}

/// Whether the order is confirmed, or in a status that only a confirmed order reaches.
pub fn is_sold(status: &str) -> bool {
    matches!(status, "confirmed" | "processing" | "shipped" | "delivered")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, body: &str) -> Placed {
        read(Ok(answer(status, body)))
    }

    fn answer(status: u16, body: &str) -> Answer {
        let status = StatusCode::from_u16(status).expect("a status");
        Answer { status, body: Bytes::from(body.to_owned()), retry_after: None }
    }

    #[test]
    fn only_a_confirmed_order_is_a_success() {
        let confirmed = answered(201, r#"{"id":"o","status":"confirmed","failure":null}"#);
        assert_eq!(confirmed, Placed::Confirmed);
        assert!(outcome(&confirmed).error.is_none());

        let failed = answered(201, r#"{"id":"o","status":"failed","failure":{"code":"card_declined","message":""}}"#);
        assert_eq!(outcome(&failed).error.as_deref(), Some("201 order failed: card_declined"));
        assert_eq!(outcome(&failed).series, ACCEPTED);

        let pending = answered(201, r#"{"id":"o","status":"pending"}"#);
        assert_eq!(pending, Placed::Undecided { id: "o".into(), status: "pending".into() });
    }

    #[test]
    fn a_rejection_stored_nothing_and_an_internal_error_may_have() {
        let body = |code: &str| format!(r#"{{"code":"{code}"}}"#);
        assert_eq!(answered(409, &body("out_of_stock")), Placed::Rejected("409 out_of_stock".into()));
        assert_eq!(answered(503, &body("overloaded")), Placed::Unknown("503 overloaded".into()));
        assert_eq!(answered(409, &body("command_in_progress")), Placed::Unknown(IN_PROGRESS.into()));
        assert_eq!(read(Err(Failure("no answer in 40 s".into()))), Placed::Unknown("no answer in 40 s".into()));
    }

    #[test]
    fn an_overloaded_shop_says_when_to_try_again() {
        let retry_after = Some(Duration::from_secs(1));
        let overloaded = Answer { retry_after, ..answer(503, r#"{"code":"overloaded"}"#) };
        let placed = read(Ok(overloaded));
        assert_eq!(placed, Placed::TryLater { kind: "503 overloaded".into(), after: Duration::from_secs(1) });
        assert_eq!(outcome(&placed).error.as_deref(), Some("503 overloaded"), "outside of an overload");
    }
}
