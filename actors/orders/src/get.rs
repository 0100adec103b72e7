//! One order, as the caller sees it.

use runtime::{Answer, Context, Handled, Stored, secret_digest};
use subjects::orders::{GetOrder, Order, OrdersError};

use crate::{
    Orders,
    access::seen,
    store::{self, Record},
};

/// Finds an order by its id or its number.
pub(crate) async fn find(cx: &Context, id: &str) -> Stored<Option<Record>> {
    let mut connection = cx.db().acquire().await?;
    store::load(&mut connection, id).await
}

impl Answer<GetOrder> for Orders {
    async fn answer(&self, cx: &Context, query: &GetOrder) -> Handled<Order, OrdersError> {
        let record = find(cx, &query.id).await?.ok_or(OrdersError::OrderNotFound)?;
        let guest = query.cart_token.as_deref().map(secret_digest);
        Ok(seen(record, cx.caller(), guest).ok_or(OrdersError::OrderNotFound)?)
    }
}
