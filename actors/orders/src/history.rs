//! How an order came to its status.

use runtime::{Answer, Breakage, Context, Handled, secret_digest};
use subjects::orders::{GetHistory, History, OrdersError};

use crate::{Orders, access::view, get::find, store};

impl Answer<GetHistory> for Orders {
    async fn answer(&self, cx: &Context, query: &GetHistory) -> Handled<History, OrdersError> {
        let record = find(cx, &query.id).await?.ok_or(OrdersError::OrderNotFound)?;
        let guest = query.cart_token.as_deref().map(secret_digest);
        view(&record.owner, cx.caller(), guest).ok_or(OrdersError::OrderNotFound)?;
        let mut connection = cx.db().acquire().await.map_err(Breakage::from)?;
        Ok(History { data: store::history(&mut connection, record.order.id).await? })
    }
}
