//! Reads every payment from the provider once more after 25 hours, when the provider no longer stores its keys:
//! requests that were in flight have arrived by then, and a capture without a webhook is found.

use chrono::{DateTime, Utc};
use runtime::{CommandEnvelope, DeadlineSource, Handle, HandlerResult, InternalError, Reads, Tx};
use subjects::payments::{PaymentsError, ReadAgain, ReadingRequested};

use crate::{Payments, provider::About, store};

impl DeadlineSource<ReadAgain> for Payments {
    async fn due(&self, db: Reads<'_>, limit: i64) -> Result<Vec<(DateTime<Utc>, ReadAgain)>, InternalError> {
        let due = store::due_to_read(db, limit).await?;
        Ok(due.into_iter().map(|(at, payment_id)| (at, ReadAgain { payment_id })).collect())
    }
}

impl Handle<ReadAgain> for Payments {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<ReadAgain>,
    ) -> HandlerResult<ReadingRequested, PaymentsError> {
        let payment_id = command.message.payment_id;
        let row = store::lock(tx.locks(), &[payment_id]).await?.remove(&payment_id);
        let row = row.ok_or(PaymentsError::PaymentNotFound)?;
        let had_to_be_read = store::clear_deadline(tx.writes(), payment_id).await?;
        let has_object = row.attempt.object.is_some();
        if had_to_be_read {
            self.read_object(tx, &command.cause, row, About::Object)?;
        }
        Ok(ReadingRequested { has_object })
    }
}
