//! The amount due of an order, for payments. A caller without access gets the same reply as for an unknown order.

use runtime::{Answer, Answered, Context};
use subjects::{
    UserId,
    orders::{GetPayable, OrdersError, Payable},
};

use crate::{Orders, store};

impl Answer<GetPayable> for Orders {
    async fn answer(&self, cx: &Context, query: &GetPayable) -> Answered<Payable, OrdersError> {
        let order_id = store::id_of(cx.reads(), &query.order_id).await?.ok_or(OrdersError::OrderNotFound)?;
        let facts = store::payable_facts(cx.reads(), order_id).await?.ok_or(OrdersError::OrderNotFound)?;
        let owner = &facts.owner;
        let is_buyer = owner.user_id.is_some() && owner.user_id == query.user_id;
        let is_guest = owner.guest.is_some() && owner.guest == query.guest;
        if !(query.is_admin || is_buyer || is_guest) {
            return Err(OrdersError::OrderNotFound.into());
        }
        Ok(Payable {
            order_id,
            order_number: facts.order_number,
            user_id: owner.user_id.map(UserId),
            amount: facts.amount,
            status: facts.status,
        })
    }
}
