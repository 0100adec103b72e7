//! Reads the provider's object. Only the object's state counts, not the notice that triggered the read: a notice that
//! is forged, late, repeated or out of order can only cause a read.

use std::collections::BTreeMap;

use runtime::{Cause, Context, Effect, EffectHandler, EffectResult, InternalError, Tx};
use serde::{Deserialize, Serialize};
use subjects::{OrderId, PaymentId};
use uuid::Uuid;

use crate::{
    Payments,
    fields::plain,
    machine::Fact,
    provider::{About, Decline, ObjectStatus, ProviderObject, SeenDispute, SeenRefund},
    store::{self, Done, Row},
    terms::Terms,
};

/// Reads an object from the provider.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ReadObject {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub object: String,
    #[serde(default)]
    pub terms: Terms,
    #[serde(default)]
    pub about: About,
}

impl Effect for ReadObject {
    const NAME: &'static str = "read_object";
}

/// The object that was read, with the refunds and disputes that were requested.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    object: Option<ProviderObject>,
    refunds: Vec<SeenRefund>,
    disputes: Vec<SeenDispute>,
}

/// Converts an object's status to an input: a terminal status, which is final, or the buyer's progress towards it.
/// `None` while the object is unchanged or processing.
pub(crate) fn seen(object: &ProviderObject) -> Option<Fact> {
    match object.status {
        ObjectStatus::Succeeded => Some(Fact::Paid(object.id.clone())),
        ObjectStatus::Cancelled => Some(Fact::CancelConfirmed(object.id.clone())),
        ObjectStatus::ActionRequired => Some(Fact::ActionRequired(object.id.clone())),
        ObjectStatus::Open => object.decline.clone().map(|Decline { attempt, failure }| Fact::DeclineSeen {
            object: object.id.clone(),
            attempt,
            failure: plain(&failure),
        }),
        ObjectStatus::Processing => None,
    }
}

/// Checks that the captured amount is the amount due.
pub(crate) fn checked(object: &ProviderObject, terms: &Terms) -> Result<(), InternalError> {
    if object.status == ObjectStatus::Succeeded { terms.check(&object.id, &object.charged) } else { Ok(()) }
}

/// Converts everything that was read to inputs. A reversed refund is removed from `done`, so that it is reversed once.
fn facts(payment: PaymentId, seen_now: &Seen, done: &mut BTreeMap<String, Done>) -> Vec<Fact> {
    let mut facts: Vec<Fact> = seen_now.object.as_ref().and_then(seen).into_iter().collect();
    for SeenRefund { id, failure } in &seen_now.refunds {
        let Some(failure) = failure else { continue };
        if let Some(Done { id, amount, .. }) = done.remove(id).filter(|done| done.payment_id == payment) {
            facts.push(Fact::RefundReversed { id, amount, failure: plain(failure) });
        }
    }
    facts.extend(
        seen_now
            .disputes
            .iter()
            .map(|SeenDispute { id, dispute }| Fact::DisputeSeen { id: id.clone(), dispute: dispute.clone() }),
    );
    facts
}

impl Payments {
    /// Schedules a read of the payment's object, if it has one.
    pub(crate) fn read_object(
        &self,
        tx: &mut Tx<'_>,
        cause: &Cause,
        row: Row,
        about: About,
    ) -> Result<(), InternalError> {
        let (payment_id, order_id, terms) = (row.id, row.order_id, Terms::of(&row, self.provider()));
        if let Some(object) = row.attempt.object {
            tx.effect(cause, payment_id.0, &ReadObject { payment_id, order_id, object, terms, about })?;
        }
        Ok(())
    }
}

impl EffectHandler<ReadObject> for Payments {
    type Outcome = Seen;

    async fn perform(&self, cx: &Context, _id: Uuid, effect: &ReadObject) -> Result<Seen, InternalError> {
        let provider = effect.terms.provider(self)?;
        let Some(object) = provider.get(cx, &effect.object).await? else { return Ok(Seen::default()) };
        checked(&object, &effect.terms)?;
        let (mut refunds, mut disputes) = Default::default();
        match effect.about {
            About::Object => {}
            About::Refunds => refunds = provider.refunds(cx, &effect.object).await?,
            About::Disputes => disputes = provider.disputes(cx, &effect.object).await?,
        }
        Ok(Seen { object: Some(object), refunds, disputes })
    }

    async fn finish(&self, tx: &mut Tx<'_>, results: &[&EffectResult<ReadObject, Seen>]) -> Result<(), InternalError> {
        let ids = results.iter().map(|done| (done.effect.payment_id, done.effect.order_id));
        let mut locked = self.lock(tx, ids).await?;
        let with_refunds = results.iter().filter(|done| !done.outcome.refunds.is_empty());
        let payments: Vec<_> = with_refunds.map(|done| done.effect.payment_id).collect();
        let mut done = BTreeMap::new();
        if !payments.is_empty() {
            done = store::done_refunds(tx.reads(), &payments).await?;
        }
        for one in results {
            for fact in facts(one.effect.payment_id, &one.outcome, &mut done) {
                locked.apply((one.effect.payment_id, one.effect.order_id), fact, &one.cause);
            }
        }
        locked.save(tx).await
    }
}

#[cfg(test)]
mod tests {
    use subjects::{RefundId, orders::Failure};

    use super::*;

    #[test]
    fn a_refund_is_reversed_once_and_only_where_it_had_succeeded() {
        let payment = PaymentId::new();
        let done = |payment_id| Done { id: RefundId::new(), amount: 100, payment_id };
        let mut known =
            BTreeMap::from([("re_1".to_owned(), done(payment)), ("re_9".to_owned(), done(PaymentId::new()))]);
        let failure = Some(Failure { code: "expired_or_canceled_card".into(), message: "no".into() });
        let refund = |id: &str, failure: &Option<Failure>| SeenRefund { id: id.into(), failure: failure.clone() };
        let refunds = vec![
            refund("re_1", &failure),
            refund("re_2", &failure),
            refund("re_3", &None),
            refund("re_1", &failure),
            refund("re_9", &failure),
        ];
        let seen = Seen { refunds, ..Seen::default() };
        let reversed = facts(payment, &seen, &mut known);
        assert!(matches!(reversed.as_slice(), [Fact::RefundReversed { amount: 100, .. }]), "{reversed:?}");
    }
}
