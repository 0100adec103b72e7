//! The action that a buyer has to take to pay, for orders. The secret is read from the provider for
//! each reply and never stored.

use runtime::{Answer, Context, QueryResult};
use subjects::payments::{GetAction, PaymentAction, PaymentsError, PendingAction};

use crate::{Payments, ids::payment_of, store, terms::Terms};

impl Answer<GetAction> for Payments {
    async fn answer(&self, cx: &Context, query: &GetAction) -> QueryResult<PendingAction, PaymentsError> {
        let row = store::find(cx.reads(), payment_of(query.order_id)).await?;
        let Some(row) = row.filter(|row| row.attempt.can_be_paid() && row.attempt.awaits_action) else {
            return Ok(PendingAction { action: None });
        };
        let Some(id) = &row.attempt.object else { return Ok(PendingAction { action: None }) };
        let object = Terms::of(&row, self.provider()).provider(self)?.get(cx, id).await?;
        let action = object.and_then(|object| {
            Some(PaymentAction { client_secret: object.client_secret, next_action: object.next_action? })
        });
        Ok(PendingAction { action })
    }
}
