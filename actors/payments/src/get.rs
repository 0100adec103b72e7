//! A payment, for its buyer and for admins. To everybody else there is no such payment.

use contract::CallError;
use runtime::{Answer, Breakage, Context, Handled};
use subjects::{
    PaymentId,
    orders::{GetPayable, OrdersError},
    payments::{GetPayment, GetPaymentOfOrder, Payment, PaymentsError},
    roles,
};

use crate::{
    Payments,
    ids::payment_of,
    store::{self, View},
};

async fn payment(cx: &Context, id: PaymentId, cart_token: Option<&str>) -> Handled<Payment, PaymentsError> {
    let mut connection = cx.db().acquire().await.map_err(Breakage::from)?;
    let view = store::load(&mut connection, id).await?.ok_or(PaymentsError::PaymentNotFound)?;
    drop(connection);
    if may_see(cx, &view, cart_token).await? { Ok(view.payment) } else { Err(PaymentsError::PaymentNotFound.into()) }
}

/// The buyer is known here; whether a guest's token opens the order, only orders knows.
pub(crate) async fn may_see(cx: &Context, view: &View, cart_token: Option<&str>) -> Result<bool, Breakage> {
    let caller = cx.caller();
    if caller.has_role(roles::ADMIN) || view.user_id.is_some_and(|user| caller.user_id() == Some(user.0)) {
        return Ok(true);
    }
    let Some(cart_token) = cart_token else { return Ok(false) };
    let question = GetPayable {
        order_id: view.payment.order_id,
        user_id: None,
        is_admin: false,
        cart_token: Some(cart_token.to_owned()),
    };
    match cx.ask(&question).await {
        Ok(_) => Ok(true),
        Err(CallError::Refused(OrdersError::OrderNotFound)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

impl Answer<GetPayment> for Payments {
    async fn answer(&self, cx: &Context, query: &GetPayment) -> Handled<Payment, PaymentsError> {
        payment(cx, query.payment_id, query.cart_token.as_deref()).await
    }
}

impl Answer<GetPaymentOfOrder> for Payments {
    async fn answer(&self, cx: &Context, query: &GetPaymentOfOrder) -> Handled<Payment, PaymentsError> {
        payment(cx, payment_of(query.order_id), query.cart_token.as_deref()).await
    }
}
