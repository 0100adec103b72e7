//! Reads a payment from the provider on request of its buyer or an admin, for webhooks that are lost or not configured.

use runtime::{CommandEnvelope, Context, Handle, HandlerResult, Prepare, PrepareError, Tx};
use subjects::payments::{Payment, PaymentsError, VerifyPayment};

use crate::{
    Payments,
    effects::read_object::{checked, seen},
    provider::ProviderObject,
    queries::get::payment,
    store,
    terms::Terms,
};

impl Prepare<VerifyPayment> for Payments {
    type Prepared = Option<ProviderObject>;

    async fn prepare(
        &self,
        cx: &Context,
        command: &VerifyPayment,
    ) -> Result<Option<ProviderObject>, PrepareError<PaymentsError>> {
        let payment = payment(cx, command.payment_id).await?;
        let terms = Terms::named(payment.provider, payment.amount);
        // The state machine accepts what is read here in any state, so a change of the row before the transaction
        // needs no version check.
        let Some(object) = payment.provider_transaction_id else { return Ok(None) };
        let object = terms.provider(self)?.get(cx, &object).await?;
        object.as_ref().map(|object| checked(object, &terms)).transpose()?;
        Ok(object)
    }
}

impl Handle<VerifyPayment, Option<ProviderObject>> for Payments {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<VerifyPayment, Option<ProviderObject>>,
    ) -> HandlerResult<Payment, PaymentsError> {
        let id = command.message.payment_id;
        if let Some(fact) = command.prepared.as_ref().and_then(seen) {
            let found = store::of_provider(tx.reads(), &id.to_string()).await?;
            let key = found.ok_or(PaymentsError::PaymentNotFound)?;
            self.advance(tx, vec![(key, fact, &command.cause)]).await?;
            tx.flush().await?;
        }
        let view = store::load(tx.reads(), id).await?.ok_or(PaymentsError::PaymentNotFound)?;
        Ok(view.payment)
    }
}
