//! Updates orders, a batch per statement.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use runtime::{InternalError, LastWrites, Locks, Reads, Version, columns};
use sqlx::FromRow;
use subjects::{
    CartId, Currency, Money, OrderId, UserId,
    orders::{Failure, OrderStatus, PaymentStatus},
};

use crate::machine::OrderState;

/// A locked order: its state, and the fields that its events carry.
#[derive(Debug, FromRow)]
pub(crate) struct Locked {
    pub id: OrderId,
    pub order_number: String,
    pub user_id: Option<UserId>,
    pub cart_id: Option<CartId>,
    total_amount: i64,
    currency: Currency,
    pub payment_method: Option<String>,
    #[sqlx(flatten)]
    pub state: OrderState,
    pub version: Version,
    /// The reason, if this batch fails the order.
    #[sqlx(skip)]
    pub failure: Option<Failure>,
}

impl Locked {
    pub(crate) fn total(&self) -> Money {
        Money::new(self.total_amount, self.currency)
    }
}

/// Locks orders in the order of their ids. Unknown orders are absent from the result.
pub(crate) async fn lock(db: Locks<'_>, ids: &[OrderId]) -> Result<BTreeMap<OrderId, Locked>, InternalError> {
    let sql =
        "select id, order_number, user_id, cart_id, total_amount, currency, payment_method, status, payment_status,
                fulfillment_status, stock_held, payment_method is not null as charges_at_once,
                expiry_requested_at is not null as expiry_requested, action_required, money_version, version
         from orders where id = any($1) order by id for update";
    let orders: Vec<Locked> = sqlx::query_as(sql).bind(ids).fetch_all(db).await?;
    Ok(orders.into_iter().map(|order| (order.id, order)).collect())
}

/// Writes the state of orders.
pub(crate) fn update(mut db: LastWrites<'_>, orders: &[&Locked], cancel_reason: Option<&str>, now: DateTime<Utc>) {
    let sql = "update orders set
             status = moved.status, payment_status = moved.payment_status,
             fulfillment_status = moved.fulfillment_status, stock_held = moved.stock_held,
             expiry_requested_at = case when moved.expiry_requested
                 then coalesce(expiry_requested_at, $12::timestamptz) end,
             action_required = moved.action_required, money_version = moved.money_version, version = moved.version,
             failure_code = coalesce(moved.failure_code, orders.failure_code),
             failure_message = coalesce(moved.failure_message, orders.failure_message),
             cancel_reason = coalesce($13, orders.cancel_reason), updated_at = $12::timestamptz
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::boolean[], $7::bigint[],
                  $8::text[], $9::text[], $10::boolean[], $11::bigint[])
              as moved (id, status, payment_status, fulfillment_status, stock_held, expiry_requested, version,
                  failure_code, failure_message, action_required, money_version)
         where orders.id = moved.id";
    let query = columns!(db.write(sql), orders, m;
        m.id, m.state.status, m.state.payment, m.state.fulfillment, m.state.stock_held, m.state.expiry_requested,
        m.version, m.failure.as_ref().map(|f| f.code.as_str()), m.failure.as_ref().map(|f| f.message.as_str()),
        m.state.action_required, m.state.money_version);
    query.bind(now).bind(cancel_reason);
}

/// An entry of an order's history.
#[derive(Debug)]
pub(crate) struct Entry {
    pub order_id: OrderId,
    pub version: Version,
    pub event: &'static str,
    pub status: OrderStatus,
    pub payment: PaymentStatus,
    pub cause: String,
}

pub(crate) fn insert_history(mut db: LastWrites<'_>, entries: &[Entry], now: DateTime<Utc>) {
    let sql = "insert into order_history (order_id, version, event, status, payment_status, cause, at)
         select *, $7::timestamptz from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[],
             $6::text[])";
    let query = columns!(db.write(sql), entries, e;
        e.order_id, e.version, e.event, e.status, e.payment, e.cause.as_str());
    query.bind(now);
}

/// Updates the claims on carts: a confirmed order keeps its claim, with the cart's version; an ended order releases it.
pub(crate) fn leave_carts(
    mut db: LastWrites<'_>,
    confirmed: &BTreeSet<(CartId, OrderId)>,
    ended: &BTreeSet<(CartId, OrderId)>,
) {
    let confirm =
        "update cart_checkout set state = 'confirmed' from unnest($1::uuid[], $2::uuid[]) as left_by (cart_id, order_id)
         where cart_checkout.cart_id = left_by.cart_id and cart_checkout.order_id = left_by.order_id";
    let release = "delete from cart_checkout using unnest($1::uuid[], $2::uuid[]) as left_by (cart_id, order_id)
         where cart_checkout.cart_id = left_by.cart_id and cart_checkout.order_id = left_by.order_id";
    for (sql, left) in [(confirm, confirmed), (release, ended)] {
        if !left.is_empty() {
            columns!(db.write(sql), left, pair; pair.0, pair.1);
        }
    }
}

/// Unpaid pending orders whose deadline has passed, longest due first. Paid orders wait for stock and never expire.
pub(crate) async fn due(db: Reads<'_>, limit: i64) -> Result<Vec<(DateTime<Utc>, OrderId)>, InternalError> {
    let sql = "select payment_deadline, id from orders
         where status = 'pending' and expiry_requested_at is null and payment_deadline <= now()
               and payment_status not in ('succeeded', 'partially_refunded')
         order by payment_deadline limit $1";
    Ok(sqlx::query_as(sql).bind(limit).fetch_all(db).await?)
}
