//! Requests to the provider, sent after the commit that decided them. The effects of one payment run one at a time, in
//! the order of their commits; each result is an input of the state machine.

pub(crate) mod read_object;

use std::sync::Arc;

use runtime::{Context, Effect, EffectHandler, EffectResult, InternalError, Tx};
use serde::{Deserialize, Serialize};
use subjects::{Money, OrderId, PaymentId, RefundId, UserId};
use uuid::Uuid;

use crate::{
    Payments,
    fields::plain,
    machine::{Fact, driver::Key},
    provider::{Cancellation, Confirmation, Created, NewObject, ObjectStatus, ProviderObject, RefundOutcome},
    store::{self, CreatedObject},
    terms::Terms,
};

/// Creates the provider's object, commits its id and charges a payment method.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub order_number: String,
    pub user_id: Option<UserId>,
    pub amount: Money,
    pub method: String,
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

impl Effect for Charge {
    const NAME: &'static str = "charge";
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

/// An effect with the inputs that its result is; none while the result is undecided.
type Done<F> = EffectResult<F, Vec<Fact>>;

impl Payments {
    async fn advance_with<F>(
        &self,
        tx: &mut Tx<'_>,
        done: &[&Done<F>],
        key: fn(&F) -> Key,
    ) -> Result<(), InternalError> {
        let facts =
            done.iter().flat_map(|done| done.outcome.iter().map(|fact| (key(&done.effect), fact.clone(), &done.cause)));
        self.advance(tx, facts.collect()).await
    }
}

impl EffectHandler<Charge> for Payments {
    type Outcome = Vec<Fact>;

    async fn perform(&self, cx: &Context, id: Uuid, effect: &Charge) -> Result<Vec<Fact>, InternalError> {
        let provider = effect.terms.provider(self)?;
        let new = NewObject {
            // The payment's id, not the effect's: `CreateIntent` creates the same object under the same key.
            key: effect.payment_id.0,
            amount: effect.amount,
            order_id: effect.order_id,
            order_number: effect.order_number.clone(),
            user_id: effect.user_id,
        };
        let object = match provider.create(cx, &new).await? {
            Created::Object(object) => object.id,
            Created::Rejected(failure) => return Ok(vec![Fact::CreateRejected(plain(&failure))]),
        };
        let created = CreatedObject { payment_id: effect.payment_id, object: object.clone() };
        if !self.objects.load(cx, Arc::new(created)).await? {
            return Ok(vec![Fact::ObjectCreated(object)]);
        }
        runtime::fail_point("payments.object_committed");
        let confirmation = provider.confirm(cx, &object, &effect.method, id).await?;
        let result = result_of(confirmation, &object, &effect.terms)?;
        Ok([Fact::ObjectCommitted { object, method: effect.method.clone() }].into_iter().chain(result).collect())
    }

    async fn finish(&self, tx: &mut Tx<'_>, done: &[&Done<Charge>]) -> Result<(), InternalError> {
        self.advance_with(tx, done, |effect| (effect.payment_id, effect.order_id)).await
    }
}

/// The input that a confirmation is. `None` if it is undecided: a webhook, the order's deadline or the cancel that is
/// queued behind the effect brings the result.
fn result_of(confirmation: Confirmation, object: &str, terms: &Terms) -> Result<Option<Fact>, InternalError> {
    let object = object.to_owned();
    Ok(match confirmation {
        Confirmation::Succeeded(charged) => {
            terms.check(&object, &charged)?;
            Some(Fact::Paid(object))
        }
        Confirmation::Declined { attempt, failure } => {
            Some(Fact::Declined { object, attempt, failure: plain(&failure) })
        }
        Confirmation::ActionRequired => Some(Fact::ActionRequired(object)),
        Confirmation::Cancelled => Some(Fact::CancelConfirmed(object)),
        Confirmation::Processing => None,
    })
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
    type Outcome = Vec<Fact>;

    async fn perform(&self, cx: &Context, id: Uuid, effect: &Confirm) -> Result<Vec<Fact>, InternalError> {
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
        Ok(result_of(confirmation, &effect.object, &effect.terms)?.into_iter().collect())
    }

    async fn finish(&self, tx: &mut Tx<'_>, done: &[&Done<Confirm>]) -> Result<(), InternalError> {
        self.advance_with(tx, done, |effect| (effect.payment_id, effect.order_id)).await
    }
}

impl EffectHandler<CancelObject> for Payments {
    type Outcome = Vec<Fact>;

    async fn perform(&self, cx: &Context, id: Uuid, effect: &CancelObject) -> Result<Vec<Fact>, InternalError> {
        let object = effect.object.clone();
        Ok(vec![match effect.terms.provider(self)?.cancel(cx, &object, id).await? {
            Cancellation::Cancelled => Fact::CancelConfirmed(object),
            Cancellation::AlreadySucceeded(came) => {
                effect.terms.check(&object, &came)?;
                Fact::Paid(object)
            }
        }])
    }

    async fn finish(&self, tx: &mut Tx<'_>, done: &[&Done<CancelObject>]) -> Result<(), InternalError> {
        self.advance_with(tx, done, |effect| (effect.payment_id, effect.order_id)).await
    }
}

impl EffectHandler<RefundMoney> for Payments {
    type Outcome = Vec<Fact>;

    async fn perform(&self, cx: &Context, _id: Uuid, effect: &RefundMoney) -> Result<Vec<Fact>, InternalError> {
        let (id, provider) = (effect.refund_id, effect.terms.provider(self)?);
        // The refund's id is the idempotency key: one row makes one refund, however often the effect runs.
        Ok(vec![match provider.refund(cx, &effect.object, effect.amount, id.0).await? {
            RefundOutcome::Succeeded { refund_id } => Fact::RefundDone { id, provider_id: refund_id },
            RefundOutcome::Failed(failure) => Fact::RefundDeclined { id, failure: plain(&failure) },
        }])
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
