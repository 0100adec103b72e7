//! Receives a webhook notice: authenticated by its signature and deduplicated by its id. It only
//! triggers a read of the object.

use runtime::{CommandEnvelope, Context, Handle, HandlerResult, Prepare, PrepareError, Tx};
use subjects::payments::{PaymentsError, ReceiveWebhook, WebhookReceipt};

use crate::{Payments, provider::Notice, store};

impl Prepare<ReceiveWebhook> for Payments {
    type Prepared = Notice;

    /// Public. Rejected requests are not recorded, so unauthenticated traffic cannot fill the table.
    async fn prepare(&self, cx: &Context, command: &ReceiveWebhook) -> Result<Notice, PrepareError<PaymentsError>> {
        let ReceiveWebhook { provider, signature, body } = command;
        if provider != self.provider().name() {
            return Err(PrepareError::RejectedUnrecorded(PaymentsError::UnknownProvider));
        }
        // The database's clock: a node whose clock is wrong must not accept outdated signatures.
        let now = store::now(cx.reads()).await?;
        let notice = self.provider().read_notice(signature, body, now);
        notice.ok_or(PrepareError::RejectedUnrecorded(PaymentsError::InvalidSignature))
    }
}

impl Handle<ReceiveWebhook, Notice> for Payments {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<ReceiveWebhook, Notice>,
    ) -> HandlerResult<WebhookReceipt, PaymentsError> {
        let (notice, now) = (&command.prepared, tx.now());
        let is_new = store::remember_notice(tx.writes(), &command.message.provider, &notice.id, now).await?;
        if let Some(object) = notice.object.as_ref().filter(|_| is_new)
            // Not locked: other transactions lock payments in the order of their ids, but the notices of a batch have
            // no order. No lock is needed, as a read may interleave with any other request about the object.
            && let Some(row) = store::with_object(tx.reads(), object).await?
        {
            self.read_object(tx, &command.cause, row, notice.about)?;
        }
        Ok(WebhookReceipt { received: true })
    }
}
