//! Stripe, or a server that implements its HTTP API: payment intents, refunds, signed webhooks.
//!
//! An idempotency key makes a retry safe only while the provider stores it, and a failure that is stored under a key is
//! replayed for as long. So before money moves, the object or the list of refunds is read: it holds the outcome of
//! earlier requests, even of those whose response was lost. A second key is used only if the first one replays a stored
//! failure, or if a cancel left the object open.

mod answers;
mod config;
mod http;
mod money;
mod signature;
mod units;

use chrono::{DateTime, Utc};
use futures::future::FutureExt;
use runtime::{Context, InternalError};
use serde_json::Value;
use subjects::{Money, OrderId, orders::Failure};
use uuid::Uuid;

use super::{Cancellation, Charged, Confirmation, Created, NewObject, Notice, ObjectStatus, Provider, ProviderFuture};
use super::{ProviderObject, RefundOutcome, SeenDispute, SeenRefund};
use answers::{charged, notice, object, of_payment, reason, status};
use http::{Http, Said};

pub use config::{Secret, StripeConfig};

/// The provider's name.
pub const NAME: &str = "stripe";

/// Path of the payment intents.
const INTENTS: &str = "/v1/payment_intents";

/// Stripe, or a server that implements its HTTP API.
#[derive(Debug)]
pub struct Stripe {
    http: Http,
    publishable_key: String,
    webhook_secret: Secret,
}

impl Stripe {
    /// Creates a provider from its configuration.
    ///
    /// # Errors
    ///
    /// The reason, if the configuration is invalid.
    pub fn new(config: StripeConfig) -> Result<Self, String> {
        let http = Http::new(&config)?;
        let StripeConfig { publishable_key, webhook_secret, .. } = config;
        Ok(Self { http, publishable_key, webhook_secret })
    }

    /// Reads an object. `None` if it does not exist.
    async fn read(&self, id: &str) -> Result<Option<Value>, InternalError> {
        match self.http.get(&path_of(id)?).await? {
            Said::Done(value) => Ok(Some(value)),
            Said::Rejected { status: 404, .. } => Ok(None),
            Said::Rejected { failure, .. } => {
                Err(InternalError::other(format!("the object could not be read: {}", failure.code)))
            }
            Said::Stored => Err(InternalError::other("the provider replays a stored failure")),
        }
    }

    /// Reads an object whose id was committed. It always exists, unless the API keys belong to another account.
    async fn read_own(&self, id: &str) -> Result<Value, InternalError> {
        self.read(id).await?.ok_or_else(|| InternalError::other("the provider does not know an object that it created"))
    }

    async fn create_object(&self, new: &NewObject) -> Result<Created, InternalError> {
        let Some(amount) = units::sent(new.amount) else { return Ok(Created::Rejected(unsupported(new.amount))) };
        let mut form = vec![
            ("amount", amount.to_string()),
            ("currency", new.amount.currency.code().to_lowercase()),
            ("payment_method_types[]", "card".to_owned()),
            ("metadata[payment_id]", new.key.to_string()),
            ("metadata[order_id]", new.order_id.to_string()),
            ("metadata[order_number]", new.order_number.clone()),
        ];
        if let Some(user) = new.user_id {
            form.push(("metadata[user_id]", user.to_string()));
        }
        let said = match self.http.post(INTENTS, &form, Some(&new.key.to_string())).await? {
            // The object may exist despite the failure. A second one is harmless: only a committed object is confirmed.
            Said::Stored => match self.find_object(new.key).await? {
                Some(found) => return Ok(Created::Object(found)),
                None => self.http.post(INTENTS, &form, Some(&fresh(new.key))).await?,
            },
            said => said,
        };
        match said {
            Said::Done(value) => Ok(Created::Object(object(&value)?)),
            Said::Rejected { failure, .. } => Ok(Created::Rejected(failure)),
            Said::Stored => Err(stuck()),
        }
    }

    async fn find_object(&self, key: Uuid) -> Result<Option<ProviderObject>, InternalError> {
        let query = format!("{INTENTS}/search?query=metadata%5B%27payment_id%27%5D%3A%27{key}%27");
        match self.http.get(&query).await? {
            Said::Done(found) => of_payment(&found, key).map(object).transpose(),
            // The provider has no search, or rejects the query: treated as not found.
            Said::Rejected { .. } => Ok(None),
            Said::Stored => Err(stuck()),
        }
    }

    async fn charge(&self, id: &str, method: &str, key: Uuid) -> Result<Confirmation, InternalError> {
        let path = path_of(id)?;
        // A charge whose response was lost is found here, even if its key is no longer stored.
        if let Some(decided) = decided(&self.read_own(id).await?)? {
            return Ok(decided);
        }
        match self.http.post(&path, &[("payment_method", method.to_owned())], None).await? {
            Said::Done(_) => {}
            Said::Rejected { failure, .. } => {
                let seen = decided(&self.read_own(id).await?)?;
                return Ok(seen.unwrap_or_else(|| declined(key.to_string(), failure)));
            }
            Said::Stored => return Err(stuck()),
        }
        let confirm = format!("{path}/confirm");
        for key in [key.to_string(), fresh(key)] {
            match self.http.post(&confirm, &[], Some(&key)).await? {
                Said::Done(value) => {
                    return Ok(
                        decided(&value)?.unwrap_or_else(|| declined(key.clone(), reason(&value["last_payment_error"])))
                    );
                }
                Said::Rejected { failure, .. } => {
                    return Ok(decided(&self.read_own(id).await?)?.unwrap_or_else(|| declined(key.clone(), failure)));
                }
                Said::Stored => {
                    if let Some(decided) = decided(&self.read_own(id).await?)? {
                        return Ok(decided);
                    }
                }
            }
        }
        Err(stuck())
    }

    async fn close(&self, id: &str, key: Uuid) -> Result<Cancellation, InternalError> {
        let cancel = format!("{}/cancel", path_of(id)?);
        // A rejection is stored under the key too, although its cause may be gone: the second request has a new key.
        for key in [key.to_string(), fresh(key)] {
            let now = match self.http.post(&cancel, &[], Some(&key)).await? {
                Said::Done(value) => value,
                Said::Rejected { .. } | Said::Stored => self.read_own(id).await?,
            };
            match status(&now) {
                ObjectStatus::Cancelled => return Ok(Cancellation::Cancelled),
                ObjectStatus::Succeeded => return Ok(Cancellation::AlreadySucceeded(charged(&now)?)),
                ObjectStatus::Processing => return Err(InternalError::other("the payment is still processing")),
                ObjectStatus::Open | ObjectStatus::ActionRequired => {}
            }
        }
        Err(stuck())
    }
}

fn declined(attempt: String, failure: Failure) -> Confirmation {
    Confirmation::Declined { attempt, failure }
}

/// The result of a confirm by the object's status. `None` while the object is open.
fn decided(value: &Value) -> Result<Option<Confirmation>, InternalError> {
    Ok(match status(value) {
        ObjectStatus::Succeeded => Some(Confirmation::Succeeded(charged(value)?)),
        ObjectStatus::Cancelled => Some(Confirmation::Cancelled),
        ObjectStatus::Processing => Some(Confirmation::Processing),
        ObjectStatus::ActionRequired => Some(Confirmation::ActionRequired),
        ObjectStatus::Open => None,
    })
}

/// A new key with `key` as its prefix.
fn fresh(key: Uuid) -> String {
    format!("{key}-{}", Uuid::new_v4().simple())
}

/// The failure of an amount that Stripe's unit cannot express.
fn unsupported(amount: Money) -> Failure {
    let message = format!("The payment provider does not accept this amount in {}.", amount.currency);
    Failure { code: "amount_not_supported".into(), message }
}

fn stuck() -> InternalError {
    InternalError::other("the provider keeps replaying a stored failure")
}

/// The path of an object. Ids come from the provider, so they are checked before they become part of a path.
fn path_of(id: &str) -> Result<String, InternalError> {
    let is_plain = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_plain { Ok(format!("{INTENTS}/{id}")) } else { Err(InternalError::other("not an id of the provider")) }
}

impl Provider for Stripe {
    fn name(&self) -> &'static str {
        NAME
    }

    fn publishable_key(&self) -> &str {
        &self.publishable_key
    }

    fn create<'a>(&'a self, _cx: &'a Context, new: &'a NewObject) -> ProviderFuture<'a, Created> {
        self.create_object(new).boxed()
    }

    fn get<'a>(&'a self, _cx: &'a Context, id: &'a str) -> ProviderFuture<'a, Option<ProviderObject>> {
        async move { self.read(id).await?.as_ref().map(object).transpose() }.boxed()
    }

    fn find<'a>(&'a self, _cx: &'a Context, key: Uuid, _order: OrderId) -> ProviderFuture<'a, Option<ProviderObject>> {
        self.find_object(key).boxed()
    }

    fn confirm<'a>(
        &'a self,
        _cx: &'a Context,
        id: &'a str,
        method: &'a str,
        key: Uuid,
    ) -> ProviderFuture<'a, Confirmation> {
        self.charge(id, method, key).boxed()
    }

    fn cancel<'a>(&'a self, _cx: &'a Context, id: &'a str, key: Uuid) -> ProviderFuture<'a, Cancellation> {
        self.close(id, key).boxed()
    }

    fn refund<'a>(
        &'a self,
        _cx: &'a Context,
        id: &'a str,
        amount: Money,
        key: Uuid,
    ) -> ProviderFuture<'a, RefundOutcome> {
        self.give_back(id, amount, key).boxed()
    }

    fn refunds<'a>(&'a self, _cx: &'a Context, id: &'a str) -> ProviderFuture<'a, Vec<SeenRefund>> {
        self.seen_refunds(id).boxed()
    }

    fn disputes<'a>(&'a self, _cx: &'a Context, id: &'a str) -> ProviderFuture<'a, Vec<SeenDispute>> {
        self.seen_disputes(id).boxed()
    }

    fn read_notice(&self, header: &str, body: &str, now: DateTime<Utc>) -> Option<Notice> {
        signature::is_valid(self.webhook_secret.text(), header, body, now).then(|| notice(body))
    }
}
