//! A payment, for its buyer and admins. Other callers get the same reply as for an unknown payment.

use runtime::{Answer, Context, InternalError, QueryResult};
use subjects::{
    PaymentId,
    orders::OrderRef,
    payments::{GetPayment, GetPaymentOfOrder, Payment, PaymentsError},
    roles,
};

use crate::{
    Payments,
    commands::create_intent::payable_of,
    ids::payment_of,
    store::{self, View},
};

/// A payment, if the caller may see it.
pub(crate) async fn payment(cx: &Context, id: PaymentId) -> QueryResult<Payment, PaymentsError> {
    let view = store::load(cx.reads(), id).await?.ok_or(PaymentsError::PaymentNotFound)?;
    if may_see(cx, &view).await? { Ok(view.payment) } else { Err(PaymentsError::PaymentNotFound.into()) }
}

/// Whether the caller may see a payment. The buyer's account is stored here; a guest's token is checked by orders.
async fn may_see(cx: &Context, view: &View) -> Result<bool, InternalError> {
    let caller = cx.caller();
    if caller.has_role(roles::ADMIN) || view.user_id.is_some_and(|user| caller.user_id() == Some(user.0)) {
        return Ok(true);
    }
    Ok(cx.capability().is_some() && payable_of(cx, view.payment.order_id.into()).await?.is_some())
}

impl Answer<GetPayment> for Payments {
    async fn answer(&self, cx: &Context, query: &GetPayment) -> QueryResult<Payment, PaymentsError> {
        payment(cx, query.payment_id).await
    }
}

impl Answer<GetPaymentOfOrder> for Payments {
    async fn answer(&self, cx: &Context, query: &GetPaymentOfOrder) -> QueryResult<Payment, PaymentsError> {
        let order_id = match &query.order_id {
            OrderRef::Id(id) => *id,
            // Only orders can resolve an order number.
            number @ OrderRef::Number(_) => {
                let payable = payable_of(cx, number.clone()).await?;
                payable.ok_or(PaymentsError::PaymentNotFound)?.order_id
            }
        };
        payment(cx, payment_of(order_id)).await
    }
}
