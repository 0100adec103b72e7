//! Opens the payment of an order for its buyer. The provider's object is created before the transaction, which commits
//! it before the reply reveals its secret: only a committed object can be confirmed.

use contract::{CallError, Detail, DetailCode};
use runtime::{
    CommandEnvelope, Context, Handle, HandleError, HandlerResult, InternalError, Prepare, PrepareError, QueryResult, Tx,
};
use subjects::{
    orders::{GetPayable, OrderRef, OrderStatus, OrdersError, Payable},
    payments::{CreateIntent, Intent, PaymentsError},
    roles,
};

use crate::{
    Payments,
    ids::payment_of,
    machine::{Attempt, Details, Fact},
    provider::{Created, NewObject, ProviderObject},
    store::{self, Row},
    terms::Terms,
};

/// The amount due, and the provider's object for it.
pub struct Opened {
    payable: Payable,
    object: ProviderObject,
}

/// Checks that the payment can have this object. `Err` is the payment's status.
fn decide(attempt: &Attempt, object: &str) -> Result<(), &'static str> {
    let is_own = attempt.object.as_deref().is_none_or(|own| own == object);
    if attempt.can_be_paid() && is_own { Ok(()) } else { Err(attempt.status.as_str()) }
}

impl Prepare<CreateIntent> for Payments {
    type Prepared = Opened;

    async fn prepare(&self, cx: &Context, command: &CreateIntent) -> Result<Opened, PrepareError<PaymentsError>> {
        let payable = payable(cx, command).await?;
        let payment_id = payment_of(payable.order_id);
        let row = store::find(cx.reads(), payment_id).await?;
        if let Some(row) = &row {
            Terms::of(row, self.provider()).provider(self)?;
        }
        if let Some(Row { attempt, .. }) = &row
            && !attempt.can_be_paid()
        {
            self.clear_away(cx, attempt, &payable).await?;
            return Err(PaymentsError::NotPayable { status: attempt.status.as_str().into() }.into());
        }
        if payable.status != OrderStatus::Pending || payable.amount.amount == 0 {
            return Err(PaymentsError::NotPayable { status: payable.status.as_str().into() }.into());
        }
        // A committed object is read and never created again: the provider may have forgotten the key.
        let object = match row.and_then(|row| row.attempt.object) {
            Some(own) => {
                self.provider().get(cx, &own).await?.ok_or_else(|| InternalError::other("the object is gone"))?
            }
            None => self.create(cx, &payable).await?,
        };
        Ok(Opened { payable, object })
    }
}

impl Handle<CreateIntent, Opened> for Payments {
    async fn handle(
        &self,
        tx: &mut Tx<'_>,
        command: &CommandEnvelope<CreateIntent, Opened>,
    ) -> HandlerResult<Intent, PaymentsError> {
        let Opened { payable, object } = &command.prepared;
        let payment_id = payment_of(payable.order_id);
        let key = (payment_id, payable.order_id);
        let mut locked = self.lock(tx, [key]).await?;
        let attempt = locked.get(key).map(|row| row.attempt.clone()).unwrap_or_default();
        // A node with another provider may have opened the payment first, to which this object is unknown.
        let has_it = locked.get(key).is_none_or(|row| Terms::of(row, self.provider()).provider(self).is_ok());
        if !has_it || decide(&attempt, &object.id).is_err() {
            // The payment was closed, or opened with another object, since `prepare`. The next `prepare` handles that.
            return Err(HandleError::Stale);
        }
        let details =
            Details { order_number: payable.order_number.clone(), user_id: payable.user_id, amount: payable.amount };
        let fact = Fact::IntentOpened { details, object: object.id.clone() };
        locked.apply(key, fact, &command.cause);
        let status = locked.get(key).map_or("pending", |row| row.attempt.status.as_str());
        let intent = Intent {
            id: payment_id,
            order_id: payable.order_id,
            order_number: payable.order_number.clone(),
            client_secret: object.client_secret.clone(),
            publishable_key: self.provider().publishable_key().to_owned(),
            amount: payable.amount,
            status: status.to_owned(),
        };
        locked.save(tx).await?;
        Ok(intent)
    }
}

impl Payments {
    async fn create(&self, cx: &Context, payable: &Payable) -> QueryResult<ProviderObject, PaymentsError> {
        let new = NewObject {
            key: payment_of(payable.order_id).0,
            amount: payable.amount,
            order_id: payable.order_id,
            order_number: payable.order_number.clone(),
            user_id: payable.user_id,
        };
        match self.provider().create(cx, &new).await? {
            Created::Object(object) => Ok(object),
            Created::Rejected(failure) => Err(PaymentsError::NotPayable { status: failure.code }.into()),
        }
    }

    /// Cancels an object whose payment was closed while it was being created. Its id was never committed and its secret
    /// never published.
    async fn clear_away(&self, cx: &Context, attempt: &Attempt, payable: &Payable) -> Result<(), InternalError> {
        if attempt.object.is_some() || attempt.is_open() {
            return Ok(());
        }
        let key = payment_of(payable.order_id).0;
        if let Some(orphan) = self.provider().find(cx, key, payable.order_id).await? {
            self.provider().cancel(cx, &orphan.id, key).await?;
        }
        Ok(())
    }
}

/// The amount due, read from orders: the client does not name it.
async fn payable(cx: &Context, command: &CreateIntent) -> QueryResult<Payable, PaymentsError> {
    let Some(order_id) = command.intent.order() else {
        let message = "either order_id or order_number is required";
        let detail = Detail::new("order_id", DetailCode::Required, message);
        return Err(PaymentsError::InvalidIntent { fields: vec![detail] }.into());
    };
    payable_of(cx, order_id).await?.ok_or_else(|| PaymentsError::OrderNotFound.into())
}

/// The amount due of an order, read from orders; `None` if the caller has no access to it.
pub(crate) async fn payable_of(cx: &Context, order_id: OrderRef) -> Result<Option<Payable>, InternalError> {
    let question = GetPayable {
        order_id,
        user_id: cx.caller().user_id(),
        is_admin: cx.caller().has_role(roles::ADMIN),
        guest: cx.capability(),
    };
    match cx.ask(&question).await {
        Ok(payable) => Ok(Some(payable)),
        Err(CallError::Rejected(OrdersError::OrderNotFound)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use subjects::orders::PaymentStatus;

    use super::*;
    use crate::machine::Closing;

    #[test]
    fn only_an_open_payment_takes_an_object_and_only_one() {
        let open = Attempt::default();
        assert_eq!(decide(&open, "pi_1"), Ok(()));
        let own = Attempt { object: Some("pi_1".into()), ..open.clone() };
        assert_eq!(decide(&own, "pi_1"), Ok(()));
        assert_eq!(decide(&own, "pi_2"), Err("pending"));
        let closing = Attempt { closing: Some(Closing::Cancel), ..open.clone() };
        assert_eq!(decide(&closing, "pi_1"), Err("pending"));
        let tombstone = Attempt { status: PaymentStatus::Cancelled, ..open };
        assert_eq!(decide(&tombstone, "pi_1"), Err("cancelled"));
    }
}
