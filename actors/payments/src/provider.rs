//! Payment providers. The trait models Stripe's payment intent: an object is created, then confirmed with a payment
//! method or cancelled, and a captured amount can be refunded.

mod simulated;
mod stripe;

use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, FutureExt};
use runtime::{Context, InternalError};
use serde::{Deserialize, Serialize};
use subjects::{Money, OrderId, UserId, orders::Failure, payments::NextAction};
use uuid::Uuid;

use crate::machine::Dispute;

pub use simulated::Simulated;
pub(crate) use simulated::{AUTHENTICATED, NOT_AUTHENTICATED};
pub use stripe::{Secret, Stripe, StripeConfig};

/// The result of a request to a provider. An error means that the outcome is unknown: the request is repeated with the
/// same key, under which it has one effect.
pub type ProviderFuture<'a, T> = BoxFuture<'a, Result<T, InternalError>>;

/// An object to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewObject {
    /// The payment's id, used as idempotency key: it gives the same object for as long as the provider stores the key.
    pub key: Uuid,
    /// The amount due.
    pub amount: Money,
    /// Stored as metadata.
    pub order_id: OrderId,
    /// Stored as metadata.
    pub order_number: String,
    /// Stored as metadata.
    pub user_id: Option<UserId>,
}

/// The status of a provider's object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectStatus {
    /// It can be confirmed.
    Open,
    /// It was confirmed, and the card's issuer requires an action of the buyer.
    ActionRequired,
    /// It was confirmed, and is undecided.
    Processing,
    /// It is captured.
    Succeeded,
    /// It is cancelled and can no longer be paid.
    Cancelled,
}

/// An amount as the provider reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charged {
    /// Minor units.
    pub amount: i64,
    /// ISO 4217 code, in either case.
    pub currency: String,
}

/// A provider's object.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderObject {
    /// The provider's id.
    pub id: String,
    /// Its status.
    pub status: ObjectStatus,
    /// Its amount; once captured, the captured amount.
    pub charged: Charged,
    /// For the buyer's browser only: not logged, and not stored with the payment.
    pub client_secret: String,
    /// The action that the buyer has to take.
    pub next_action: Option<NextAction>,
    /// The buyer's last attempt, if it was declined and the object is open again.
    pub decline: Option<Decline>,
}

impl ProviderObject {
    /// An object without a next action or a decline.
    pub fn new(id: String, status: ObjectStatus, charged: Charged, client_secret: String) -> Self {
        Self { id, status, charged, client_secret, next_action: None, decline: None }
    }
}

/// A declined attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decline {
    /// Identifies this attempt among those of the same object.
    pub attempt: String,
    /// The reason.
    pub failure: Failure,
}

impl std::fmt::Debug for ProviderObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Omits the client secret.
        f.debug_struct("ProviderObject").field("id", &self.id).field("status", &self.status).finish_non_exhaustive()
    }
}

/// The result of a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// The object.
    Object(ProviderObject),
    /// The provider rejected the request for good.
    Rejected(Failure),
}

/// The result of a confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// The payment is captured.
    Succeeded(Charged),
    /// The payment method was declined; the object stays open.
    Declined {
        /// Identifies this attempt among those of the same object.
        attempt: String,
        /// The reason.
        failure: Failure,
    },
    /// The card's issuer requires an action of the buyer first.
    ActionRequired,
    /// Undecided.
    Processing,
    /// The object was cancelled before.
    Cancelled,
}

/// The result of a cancel. An object that is processing cannot be cancelled yet: that is an error, and is retried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancellation {
    /// It is cancelled and can no longer be paid.
    Cancelled,
    /// It was captured before the cancel.
    AlreadySucceeded(Charged),
}

/// The result of a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundOutcome {
    /// The provider accepted the refund, which may still be pending.
    Succeeded {
        /// The provider's id of the refund.
        refund_id: String,
    },
    /// The refund failed.
    Failed(Failure),
}

/// What to read together with an object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Nothing else.
    #[default]
    Object,
    /// Its refunds.
    Refunds,
    /// Disputes of its charge.
    Disputes,
}

/// A refund as the provider reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRefund {
    /// The provider's id.
    pub id: String,
    /// The reason, if it failed, so that the money is not returned to the buyer.
    pub failure: Option<Failure>,
}

/// A dispute of a charge as the provider reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenDispute {
    /// The provider's id.
    pub id: String,
    /// Its amount and state.
    pub dispute: Dispute,
}

/// A webhook notice: names the object that changed. Its content is never trusted; the object is read instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The provider's id of the notice, the same for every delivery.
    pub id: String,
    /// The object that changed, if any.
    pub object: Option<String>,
    /// What to read together with the object.
    pub about: About,
}

/// A payment provider.
pub trait Provider: Send + Sync + 'static {
    /// The name that is stored with payments.
    fn name(&self) -> &'static str;

    /// The key for requests from a browser.
    fn publishable_key(&self) -> &str;

    /// Whether tests may act in place of the buyer.
    fn is_sandbox(&self) -> bool {
        false
    }

    /// Creates an object without charging.
    fn create<'a>(&'a self, cx: &'a Context, new: &'a NewObject) -> ProviderFuture<'a, Created>;

    /// Reads an object by its id.
    fn get<'a>(&'a self, cx: &'a Context, object: &'a str) -> ProviderFuture<'a, Option<ProviderObject>>;

    /// Searches the object of a payment by its key. Never creates one.
    fn find<'a>(&'a self, cx: &'a Context, key: Uuid, order_id: OrderId) -> ProviderFuture<'a, Option<ProviderObject>>;

    /// Charges a payment method.
    fn confirm<'a>(
        &'a self,
        cx: &'a Context,
        object: &'a str,
        method: &'a str,
        key: Uuid,
    ) -> ProviderFuture<'a, Confirmation>;

    /// Cancels an object.
    fn cancel<'a>(&'a self, cx: &'a Context, object: &'a str, key: Uuid) -> ProviderFuture<'a, Cancellation>;

    /// Makes a refund. Where the provider may have forgotten `key`, the implementation must search the
    /// object's refunds for it first.
    fn refund<'a>(
        &'a self,
        cx: &'a Context,
        object: &'a str,
        amount: Money,
        key: Uuid,
    ) -> ProviderFuture<'a, RefundOutcome>;

    /// The refunds of an object. Empty by default, for a provider whose refunds are final at once.
    fn refunds<'a>(&'a self, _cx: &'a Context, _object: &'a str) -> ProviderFuture<'a, Vec<SeenRefund>> {
        async { Ok(Vec::new()) }.boxed()
    }

    /// The disputes of an object's charge.
    fn disputes<'a>(&'a self, _cx: &'a Context, _object: &'a str) -> ProviderFuture<'a, Vec<SeenDispute>> {
        async { Ok(Vec::new()) }.boxed()
    }

    /// Reads a webhook notice. `None` if its signature is invalid or its time is out of bounds.
    fn read_notice(&self, _signature: &str, _body: &str, _now: DateTime<Utc>) -> Option<Notice> {
        None
    }
}
