//! A message of the provider: let in by its signature, counted once by its id, and then no more than a hint to look.

use runtime::{Breakage, Commanded, Handle, Handled, Tx};
use subjects::payments::{PaymentsError, ReceiveWebhook, WebhookReceipt};

use crate::{Payments, look::Look, store, terms::Terms};

impl Handle<ReceiveWebhook> for Payments {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &Commanded<ReceiveWebhook>,
    ) -> Handled<WebhookReceipt, PaymentsError> {
        let ReceiveWebhook { provider, signature, body } = &command.message;
        if provider != self.provider().name() {
            return Err(PaymentsError::UnknownProvider.into());
        }
        // By the database's clock: a node whose own is off lets nothing old in.
        let notice = self.provider().read_notice(signature, body, tx.now()).ok_or(PaymentsError::InvalidSignature)?;
        let now = tx.now();
        let is_new = store::remember_notice(tx.write(), provider, &notice.id, now).await?;
        if let Some(object) = notice.object.filter(|_| is_new)
            && let Some((payment_id, order_id)) = store::of_provider(tx.read(), &object).await?
        {
            // Its effects stand in one line.
            let row = store::lock(tx.read(), &[payment_id.0]).await?.remove(&payment_id);
            let row = row.ok_or_else(|| Breakage::other("a payment is gone"))?;
            let terms = Terms::of(&row, self.provider());
            tx.effect(&command.cause, payment_id.0, &Look { payment_id, order_id, object, terms })?;
        }
        Ok(WebhookReceipt { received: true })
    }
}
