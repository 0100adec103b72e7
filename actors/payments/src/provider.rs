//! Who charges. The trait has the shape of a payment intent as Stripe has it: an object is created, then confirmed with
//! a method or cancelled, and its money may be given back.

mod simulated;
mod stripe;

use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, FutureExt};
use runtime::{Breakage, Context};
use serde::{Deserialize, Serialize};
use subjects::{Money, OrderId, UserId, orders::Failure, payments::NextAction};
use uuid::Uuid;

use crate::story::Dispute;

pub use simulated::Simulated;
pub(crate) use simulated::{AUTHENTICATED, NOT_AUTHENTICATED};
pub use stripe::{Secret, Stripe, StripeConfig};

/// What a provider answers. A breakage means that nobody knows: asked again with the same key, it has one effect.
pub type Asked<'a, T> = BoxFuture<'a, Result<T, Breakage>>;

/// An object that is to be created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewObject {
    /// The payment's id. The same key gives the same object, as long as the provider remembers it.
    pub key: Uuid,
    /// What is owed.
    pub amount: Money,
    /// Goes along as metadata, by which the object can be found again.
    pub order_id: OrderId,
    /// Goes along as metadata.
    pub order_number: String,
    /// Goes along as metadata.
    pub user_id: Option<UserId>,
}

/// Where a provider's object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectStatus {
    /// It can be confirmed.
    Open,
    /// It was confirmed, and the card's issuer wants the buyer to do something first.
    ActionRequired,
    /// It was confirmed, and is not decided.
    Processing,
    /// Its money came.
    Succeeded,
    /// Nobody can pay it any more.
    Cancelled,
}

/// How much an object is about, in the provider's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charged {
    /// Minor units.
    pub amount: i64,
    /// ISO 4217, in letters of either case.
    pub currency: String,
}

/// A provider's object.
#[derive(Clone, PartialEq, Eq)]
pub struct ProviderObject {
    /// The provider's id.
    pub id: String,
    /// Where it stands.
    pub status: ObjectStatus,
    /// How much it is about.
    pub charged: Charged,
    /// For the buyer's browser only.
    pub client_secret: String,
    /// What the buyer has to do.
    pub next_action: Option<NextAction>,
    /// The last attempt of the buyer, where it was declined and the object is open again.
    pub decline: Option<Decline>,
}

impl ProviderObject {
    /// One of which nothing else is known.
    pub fn new(id: String, status: ObjectStatus, charged: Charged, client_secret: String) -> Self {
        Self { id, status, charged, client_secret, next_action: None, decline: None }
    }
}

/// An attempt that was declined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decline {
    /// Tells this attempt from others of the same object.
    pub attempt: String,
    /// Why.
    pub failure: Failure,
}

impl std::fmt::Debug for ProviderObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Without the secret.
        f.debug_struct("ProviderObject").field("id", &self.id).field("status", &self.status).finish_non_exhaustive()
    }
}

/// What comes of a create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Created {
    /// There it is.
    Object(ProviderObject),
    /// The provider will never create it.
    Refused(Failure),
}

/// What comes of a confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confirmation {
    /// The money came.
    Succeeded(Charged),
    /// Not with this method; the object stays open.
    Declined {
        /// Tells this attempt from others of the same object.
        attempt: String,
        /// Why.
        failure: Failure,
    },
    /// Not before the buyer has done what the card's issuer wants.
    ActionRequired,
    /// Not decided yet.
    Processing,
    /// The object had been cancelled.
    Cancelled,
}

/// What comes of a cancel. An object that is processing cannot be cancelled yet: that is a breakage, asked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancellation {
    /// Nobody can pay it any more.
    Cancelled,
    /// Its money came before.
    AlreadySucceeded(Charged),
}

/// What comes of a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefundOutcome {
    /// The money goes back.
    Succeeded {
        /// The provider's id.
        refund_id: String,
    },
    /// It does not.
    Failed(Failure),
}

/// What of an object is to be read beside itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// Nothing.
    #[default]
    Object,
    /// Its refunds.
    Refunds,
    /// Disputes of its charge.
    Disputes,
}

/// A refund that the provider has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRefund {
    /// The provider's id.
    pub id: String,
    /// Why it failed, where it did: the money has come back.
    pub failure: Option<Failure>,
}

/// A dispute of a charge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenDispute {
    /// The provider's id.
    pub id: String,
    /// How much it is about, and where it stands.
    pub dispute: Dispute,
}

/// A message of the provider. It says that something happened, and of what; never is it believed what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The provider's id of the message: the same one when it is sent again.
    pub id: String,
    /// The object that it is about, if any.
    pub object: Option<String>,
    /// What of the object.
    pub about: About,
}

/// A payment provider.
pub trait Provider: Send + Sync + 'static {
    /// Its name, as it stands in payments.
    fn name(&self) -> &'static str;

    /// What a browser needs to speak to it.
    fn publishable_key(&self) -> &str;

    /// Whether a test may play the buyer's part.
    fn is_sandbox(&self) -> bool {
        false
    }

    /// Creates an object; nothing is charged by it.
    fn create<'a>(&'a self, cx: &'a Context, new: &'a NewObject) -> Asked<'a, Created>;

    /// Looks at an object by its id.
    fn get<'a>(&'a self, cx: &'a Context, object: &'a str) -> Asked<'a, Option<ProviderObject>>;

    /// Looks for the object of a payment of which only the key is known. Never creates one.
    fn find<'a>(&'a self, cx: &'a Context, key: Uuid, order_id: OrderId) -> Asked<'a, Option<ProviderObject>>;

    /// Charges a method.
    fn confirm<'a>(&'a self, cx: &'a Context, object: &'a str, method: &'a str, key: Uuid) -> Asked<'a, Confirmation>;

    /// Closes an object.
    fn cancel<'a>(&'a self, cx: &'a Context, object: &'a str, key: Uuid) -> Asked<'a, Cancellation>;

    /// Gives money back. A key that may be older than the provider's memory must be looked for in its refunds first.
    fn refund<'a>(&'a self, cx: &'a Context, object: &'a str, amount: Money, key: Uuid) -> Asked<'a, RefundOutcome>;

    /// The refunds of an object. A provider that says at once how a refund ends has none to show.
    fn refunds<'a>(&'a self, _cx: &'a Context, _object: &'a str) -> Asked<'a, Vec<SeenRefund>> {
        async { Ok(Vec::new()) }.boxed()
    }

    /// The disputes of an object's charge.
    fn disputes<'a>(&'a self, _cx: &'a Context, _object: &'a str) -> Asked<'a, Vec<SeenDispute>> {
        async { Ok(Vec::new()) }.boxed()
    }

    /// Reads a message of the provider; nothing where its signature is wrong, or not of this time.
    fn read_notice(&self, _signature: &str, _body: &str, _now: DateTime<Utc>) -> Option<Notice> {
        None
    }
}
