//! How an order came to its status.

use runtime::{Answer, Answered, Breakage, Context};
use subjects::orders::{GetHistory, History, OrderRef, OrdersError};

use crate::{Orders, access::view, store};

impl Answer<GetHistory> for Orders {
    async fn answer(&self, cx: &Context, query: &GetHistory) -> Answered<History, OrdersError> {
        let order = OrderRef::from(query.id.as_str());
        let record = store::find(cx.db(), &[order]).await?.pop().flatten().ok_or(OrdersError::OrderNotFound)?;
        let guest = cx.capability();
        view(&record.owner, cx.caller(), guest).ok_or(OrdersError::OrderNotFound)?;
        let mut connection = cx.db().acquire().await.map_err(Breakage::from)?;
        Ok(History { data: store::history(&mut connection, record.order.id).await? })
    }
}
