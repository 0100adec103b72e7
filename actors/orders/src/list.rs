//! The caller's orders, newest first.

use chrono::{DateTime, Utc};
use runtime::{Answer, Answered, Caller, Context};
use subjects::{
    Pagination,
    orders::{self as messages, ListOrders, Order, OrdersError},
    roles,
};
use uuid::Uuid;

use crate::{
    Orders,
    access::seen,
    store::{self, Scope},
};

/// Behind which order the next page begins.
fn cursor_of(order: &Order) -> String {
    format!("{:x}.{}", order.created_at.timestamp_micros(), order.id.0.simple())
}

fn read_cursor(text: &str) -> Option<(DateTime<Utc>, Uuid)> {
    let (at, id) = text.split_once('.')?;
    let at = DateTime::from_timestamp_micros(i64::from_str_radix(at, 16).ok()?)?;
    Some((at, Uuid::try_parse(id).ok()?))
}

fn scope_of(caller: &Caller, guest: Option<Uuid>) -> Result<Scope, OrdersError> {
    match caller {
        Caller::User(identity) if identity.role == roles::SELLER => Ok(Scope::Seller(identity.id)),
        Caller::User(identity) => Ok(Scope::Buyer(identity.id)),
        Caller::Capability(digest) => Ok(Scope::Guest(*digest)),
        Caller::Anonymous | Caller::System => guest.map(Scope::Guest).ok_or(OrdersError::OrderNotFound),
    }
}

impl Answer<ListOrders> for Orders {
    async fn answer(&self, cx: &Context, query: &ListOrders) -> Answered<messages::Orders, OrdersError> {
        let guest = cx.capability();
        let scope = scope_of(cx.caller(), guest)?;
        let after = match query.page.cursor.as_deref() {
            Some(cursor) => Some(read_cursor(cursor).ok_or(OrdersError::InvalidCursor)?),
            None => None,
        };
        let limit = query.page.limit();
        let offset = if after.is_some() { 0 } else { query.page.offset() };
        // One more than asked for tells whether there is a next page.
        let (mut records, total) =
            store::page(cx.db(), scope, query.status, after, i64::from(limit) + 1, i64::from(offset)).await?;
        let has_more = records.len() > limit as usize;
        records.truncate(limit as usize);
        let next_cursor = records.last().filter(|_| has_more).map(|last| cursor_of(&last.order));
        let data = records.into_iter().filter_map(|record| seen(record, cx.caller(), guest)).collect();
        Ok(messages::Orders { data, pagination: Pagination { limit, offset, total, next_cursor } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        let (at, id) = (DateTime::from_timestamp_micros(1_764_000_000_123_456).unwrap(), Uuid::now_v7());
        let text = format!("{:x}.{}", at.timestamp_micros(), id.simple());
        assert_eq!(read_cursor(&text), Some((at, id)));
        for bad in ["", ".", "x.y", "12", "12.34", "7fffffffffffffff.00000000000000000000000000000000"] {
            assert_eq!(read_cursor(bad), None, "{bad}");
        }
    }
}
