//! A look at the provider's object: what it says counts, whoever gave the hint. So a message that is forged, late,
//! repeated or out of order can do no more than cause a look.

use runtime::{Breakage, Context, Effect, Perform, Performed, Tx};
use serde::{Deserialize, Serialize};
use subjects::{OrderId, PaymentId};
use uuid::Uuid;

use crate::{
    Payments,
    effects::news,
    fields::plain,
    ledger::advance,
    provider::{Decline, ObjectStatus, ProviderObject},
    story::Fact,
    terms::Terms,
};

/// Reads an object at the provider.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Look {
    pub payment_id: PaymentId,
    pub order_id: OrderId,
    pub object: String,
    #[serde(default)]
    pub terms: Terms,
}

impl Effect for Look {
    const NAME: &'static str = "look";
}

/// What an object says of its payment: an end, which nothing can make untrue again, or what the buyer did on the way there.
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

/// An object that has money has what is owed.
pub(crate) fn checked(object: &ProviderObject, terms: &Terms) -> Result<(), Breakage> {
    if object.status == ObjectStatus::Succeeded { terms.check(&object.id, &object.charged) } else { Ok(()) }
}

impl Perform<Look> for Payments {
    type Outcome = Option<ProviderObject>;

    async fn perform(&self, cx: &Context, _id: Uuid, effect: &Look) -> Result<Option<ProviderObject>, Breakage> {
        let seen = effect.terms.provider(self)?.get(cx, &effect.object).await?;
        if let Some(object) = &seen {
            checked(object, &effect.terms)?;
        }
        Ok(seen)
    }

    async fn finish(
        &self,
        tx: &mut Tx<'_>,
        performed: &[&Performed<Look, Option<ProviderObject>>],
    ) -> Result<(), Breakage> {
        let fact = |_: &Look, outcome: &Option<ProviderObject>| outcome.as_ref().and_then(seen);
        advance(tx, self.provider(), news(performed, |e| (e.payment_id, e.order_id), fact)).await
    }
}
