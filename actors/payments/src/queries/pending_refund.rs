//! Whether all of an order's money is returned or being refunded. Queried by orders before an order is shipped.

use runtime::{Answer, Context, QueryResult};
use subjects::payments::{GetPendingRefund, PaymentsError, PendingRefund};

use crate::{Payments, ids::payment_of, store};

impl Answer<GetPendingRefund> for Payments {
    async fn answer(&self, cx: &Context, query: &GetPendingRefund) -> QueryResult<PendingRefund, PaymentsError> {
        let row = store::find(cx.reads(), payment_of(query.order_id)).await?;
        Ok(PendingRefund { is_full: row.is_some_and(|row| row.attempt.leaves_nothing()) })
    }
}
