//! The caller's orders, newest first.

use contract::page::Moment;
use runtime::{Answer, Caller, Context, QueryResult};
use subjects::{
    orders::{self as messages, ListOrders, OrdersError},
    roles,
};
use uuid::Uuid;

use crate::{
    Orders,
    access::seen,
    store::{self, Record, Scope},
};

fn scope_of(caller: &Caller, guest: Option<Uuid>) -> Result<Scope, OrdersError> {
    match caller {
        Caller::User(identity) if identity.role == roles::SELLER => Ok(Scope::Seller(identity.id)),
        Caller::User(identity) => Ok(Scope::Buyer(identity.id)),
        Caller::Capability(digest) => Ok(Scope::Guest(*digest)),
        Caller::Anonymous | Caller::System => guest.map(Scope::Guest).ok_or(OrdersError::OrderNotFound),
    }
}

impl Answer<ListOrders> for Orders {
    async fn answer(&self, cx: &Context, query: &ListOrders) -> QueryResult<messages::Orders, OrdersError> {
        let guest = cx.capability();
        let scope = scope_of(cx.caller(), guest)?;
        let part = query.page.part("orders").ok_or(OrdersError::InvalidCursor)?;
        let (records, counted) = store::page(cx.reads(), scope, query.status, &part).await?;
        let place = |record: &Record| (Moment(record.order.created_at), record.order.id.0);
        let (records, pagination) = part.page(records, counted, place);
        let data = records.into_iter().filter_map(|record| seen(record, cx.caller(), guest)).collect();
        Ok(messages::Orders { data, pagination })
    }
}
