//! Requests to the provider, sent after the commit that decided them. The effects of one payment run one at a time, in
//! the order of their commits; each result is an input of the state machine.

pub(crate) mod read_object;

use runtime::{Context, Effect, EffectHandler, EffectResult, InternalError, Tx};
use serde::{Deserialize, Serialize};
use subjects::{Money, OrderId, PaymentId, RefundId, UserId};
use uuid::Uuid;

use crate::{
    Payments,
    fields::plain,
    machine::{Fact, driver::Key},
    provider::{Cancellation, Confirmation, Created, NewObject, ObjectStatus, ProviderObject, RefundOutcome},
    store,
    terms::Terms,
};

/// Creates the provider's object without charging.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CreateObject {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub order_number: String,
    pub user_id: Option<UserId>,
    pub amount: Money,
    #[serde(default)]
    pub terms: Terms,
}

/// Charges a payment method through a committed object.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Confirm {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub object: String,
    pub method: String,
    #[serde(default)]
    pub terms: Terms,
}

/// Cancels an object, so that it can no longer be paid.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CancelObject {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub object: String,
    #[serde(default)]
    pub terms: Terms,
}

/// Makes a refund.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RefundMoney {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub refund_id: RefundId,
    pub object: String,
    pub amount: Money,
    #[serde(default)]
    pub terms: Terms,
}

impl Effect for CreateObject {
    const NAME: &'static str = "create_object";
}

impl Effect for Confirm {
    const NAME: &'static str = "confirm";
}

impl Effect for CancelObject {
    const NAME: &'static str = "cancel_object";
}

impl Effect for RefundMoney {
    const NAME: &'static str = "refund_money";
}

/// An effect with the input that its result is; `None` while the result is undecided.
type Done<F> = EffectResult<F, Option<Fact>>;

impl Payments {
    async fn advance_with<F>(
        &self,
        tx: &mut Tx<'_>,
        done: &[&Done<F>],
        key: fn(&F) -> Key,
    ) -> Result<(), InternalError> {
        let facts = done.iter().filter_map(|done| Some((key(&done.effect), done.outcome.clone()?, &done.cause)));
        self.advance(tx, facts.collect()).await
    }
}

impl EffectHandler<CreateObject> for Payments {
    type Outcome = Option<Fact>;

    async fn perform(&self, cx: &Context, _id: Uuid, effect: &CreateObject) -> Result<Option<Fact>, InternalError> {
        let new = NewObject {
            // The payment's id, not the effect's: `CreateIntent` creates the same object under the same key.
            key: effect.payment_id.0,
            amount: effect.amount,
            order_id: effect.order_id,
            order_number: effect.order_number.clone(),
            user_id: effect.user_id,
        };
        Ok(Some(match effect.terms.provider(self)?.create(cx, &new).await? {
            Created::Object(object) => Fact::ObjectCreated(object.id),
            Created::Rejected(failure) => Fact::CreateRejected(plain(&failure)),
        }))
    }

    async fn finish(&self, tx: &mut Tx<'_>, done: &[&Done<CreateObject>]) -> Result<(), InternalError> {
        self.advance_with(tx, done, |effect| (effect.payment_id, effect.order_id)).await
    }
}

/// The result for an object that must not be charged any more: the status it has.
fn as_it_stands(object: ProviderObject) -> Confirmation {
    match object.status {
        ObjectStatus::Succeeded => Confirmation::Succeeded(object.charged),
        ObjectStatus::Cancelled => Confirmation::Cancelled,
        ObjectStatus::Open | ObjectStatus::ActionRequired | ObjectStatus::Processing => Confirmation::Processing,
    }
}

impl EffectHandler<Confirm> for Payments {
    type Outcome = Option<Fact>;

    async fn perform(&self, cx: &Context, id: Uuid, effect: &Confirm) -> Result<Option<Fact>, InternalError> {
        let provider = effect.terms.provider(self)?;
        let row = store::find(cx.reads(), effect.payment_id).await?;
        let confirmation = if row.is_some_and(|row| row.attempt.can_be_paid()) {
            provider.confirm(cx, &effect.object, &effect.method, id).await?
        } else {
            // The payment was closed while this effect waited, for example for an unavailable provider. The effect that
            // cancels the object follows this one, so the object is only read.
            let object = provider.get(cx, &effect.object).await?;
            as_it_stands(
                object.ok_or_else(|| InternalError::other("the provider does not know an object that it created"))?,
            )
        };
        let object = effect.object.clone();
        Ok(match confirmation {
            Confirmation::Succeeded(came) => {
                effect.terms.check(&object, &came)?;
                Some(Fact::Paid(object))
            }
            Confirmation::Declined { attempt, failure } => {
                Some(Fact::Declined { object, attempt, failure: plain(&failure) })
            }
            Confirmation::ActionRequired => Some(Fact::ActionRequired(object)),
            Confirmation::Cancelled => Some(Fact::CancelConfirmed(object)),
            // Undecided. A webhook, the order's deadline or the cancel that is queued behind this effect brings the
            // result.
            Confirmation::Processing => None,
        })
    }

    async fn finish(&self, tx: &mut Tx<'_>, done: &[&Done<Confirm>]) -> Result<(), InternalError> {
        self.advance_with(tx, done, |effect| (effect.payment_id, effect.order_id)).await
    }
}

impl EffectHandler<CancelObject> for Payments {
    type Outcome = Option<Fact>;

    async fn perform(&self, cx: &Context, id: Uuid, effect: &CancelObject) -> Result<Option<Fact>, InternalError> {
        let object = effect.object.clone();
        Ok(Some(match effect.terms.provider(self)?.cancel(cx, &object, id).await? {
            Cancellation::Cancelled => Fact::CancelConfirmed(object),
            Cancellation::AlreadySucceeded(came) => {
                effect.terms.check(&object, &came)?;
                Fact::Paid(object)
            }
        }))
    }

    async fn finish(&self, tx: &mut Tx<'_>, done: &[&Done<CancelObject>]) -> Result<(), InternalError> {
        self.advance_with(tx, done, |effect| (effect.payment_id, effect.order_id)).await
    }
}

impl EffectHandler<RefundMoney> for Payments {
    type Outcome = Option<Fact>;

    async fn perform(&self, cx: &Context, _id: Uuid, effect: &RefundMoney) -> Result<Option<Fact>, InternalError> {
        let (id, amount, provider) = (effect.refund_id, effect.amount.amount, effect.terms.provider(self)?);
        // The refund's id is the idempotency key: one row makes one refund, however often the effect runs.
        Ok(Some(match provider.refund(cx, &effect.object, effect.amount, id.0).await? {
            RefundOutcome::Succeeded { refund_id } => Fact::RefundDone { id, amount, provider_id: refund_id },
            RefundOutcome::Failed(failure) => Fact::RefundDeclined { id, amount, failure: plain(&failure) },
        }))
    }

    async fn finish(&self, tx: &mut Tx<'_>, done: &[&Done<RefundMoney>]) -> Result<(), InternalError> {
        self.advance_with(tx, done, |effect| (effect.payment_id, effect.order_id)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::Charged;

    #[test]
    fn an_object_that_is_not_charged_any_more_says_how_it_stands() {
        let charged = Charged { amount: 100, currency: "usd".into() };
        let seen = |status| as_it_stands(ProviderObject::new("pi_1".into(), status, charged.clone(), "secret".into()));
        assert_eq!(seen(ObjectStatus::Succeeded), Confirmation::Succeeded(charged.clone()));
        assert_eq!(seen(ObjectStatus::Cancelled), Confirmation::Cancelled);
        for undecided in [ObjectStatus::Open, ObjectStatus::ActionRequired, ObjectStatus::Processing] {
            assert_eq!(seen(undecided), Confirmation::Processing, "never a decline: nothing was charged");
        }
    }
}
