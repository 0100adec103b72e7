//! Inserts, ends and reads refunds, a batch per statement.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use runtime::{InternalError, Reads, Writes, columns};
use sqlx::types::Json;
use subjects::{
    ItemId, Money, PaymentId, RefundId,
    orders::Failure,
    payments::{Refund, RefundItem},
};

use super::reading::{RefundRow, select_refunds};

/// The row of a refund that is requested from the provider.
#[derive(Debug)]
pub(crate) struct NewRefund<'a> {
    pub id: RefundId,
    pub payment_id: PaymentId,
    pub amount: Money,
    pub reason: Option<&'a str>,
    pub items: &'a [RefundItem],
    pub restock: bool,
    pub automatic: bool,
}

/// The end of a refund.
#[derive(Debug)]
pub(crate) struct RefundEnd {
    pub id: RefundId,
    pub provider_refund_id: Option<String>,
    pub failure: Option<Failure>,
}

/// Inserts pending refunds.
pub(crate) async fn insert_refunds(
    db: Writes<'_>,
    refunds: &[NewRefund<'_>],
    now: DateTime<Utc>,
) -> Result<(), InternalError> {
    let sql =
        "insert into refunds (id, payment_id, amount, currency, reason, automatic, items, restock, status, created_at,
             updated_at)
         select new.*, 'pending', $9::timestamptz, $9::timestamptz
         from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::boolean[], $7::jsonb[],
                  $8::boolean[])
              as new (id, payment_id, amount, currency, reason, automatic, items, restock)
         order by id";
    let query = columns!(sqlx::query(sql), refunds, r;
        r.id, r.payment_id, r.amount.amount, r.amount.currency, r.reason, r.automatic, Json(r.items), r.restock);
    query.bind(now).execute(db).await?;
    Ok(())
}

/// Writes the ends of refunds. A refund that has succeeded may fail later, but not the reverse.
pub(crate) async fn end_refunds(db: Writes<'_>, ends: &[RefundEnd], now: DateTime<Utc>) -> Result<(), InternalError> {
    let sql = "update refunds set
             status = case when ended.failure_code is null then 'succeeded' else 'failed' end,
             provider_refund_id = coalesce(ended.provider_refund_id, refunds.provider_refund_id),
             failure_code = ended.failure_code,
             failure_message = ended.failure_message, processed_at = $5::timestamptz, updated_at = $5::timestamptz
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
              as ended (id, provider_refund_id, failure_code, failure_message)
         where refunds.id = ended.id
           and (refunds.status = 'pending' or refunds.status = 'succeeded' and ended.failure_code is not null)";
    let query = columns!(sqlx::query(sql), ends, e;
        e.id, e.provider_refund_id.as_deref(), e.failure.as_ref().map(|f| f.code.as_str()),
        e.failure.as_ref().map(|f| f.message.as_str()));
    query.bind(now).execute(db).await?;
    Ok(())
}

pub(crate) async fn load_refund(db: Reads<'_>, id: RefundId) -> Result<Option<Refund>, InternalError> {
    let sql = select_refunds!("where id = $1");
    let row: Option<RefundRow> = sqlx::query_as(sql).bind(id).fetch_optional(db).await?;
    Ok(row.map(RefundRow::read))
}

/// The lines that a refund names, and whether their units are restocked.
#[derive(Debug, Default)]
pub(crate) struct Goods {
    pub items: Vec<RefundItem>,
    pub restock: bool,
}

pub(crate) async fn goods_of(db: Reads<'_>, ids: &[RefundId]) -> Result<BTreeMap<RefundId, Goods>, InternalError> {
    let sql = "select id, items, restock from refunds where id = any($1)";
    let rows: Vec<(RefundId, Json<Vec<RefundItem>>, bool)> = sqlx::query_as(sql).bind(ids).fetch_all(db).await?;
    Ok(rows.into_iter().map(|(id, Json(items), restock)| (id, Goods { items, restock })).collect())
}

/// The units per line that refunds of a payment restock, counting pending refunds and those that failed after they had
/// succeeded, whose units were restocked.
pub(crate) async fn restocked(db: Reads<'_>, payment: PaymentId) -> Result<BTreeMap<ItemId, i64>, InternalError> {
    let sql = "select items from refunds
         where payment_id = $1 and restock and (status <> 'failed' or provider_refund_id is not null)";
    let refunds: Vec<Json<Vec<RefundItem>>> = sqlx::query_scalar(sql).bind(payment).fetch_all(db).await?;
    let mut units = BTreeMap::new();
    for item in refunds.into_iter().flat_map(|Json(items)| items) {
        *units.entry(item.line_id).or_default() += item.quantity;
    }
    Ok(units)
}

/// The refunds of payments that are in flight, with their amounts.
pub(crate) async fn refunds_in_flight(
    db: Reads<'_>,
    payments: &[PaymentId],
) -> Result<Vec<(PaymentId, RefundId, i64)>, InternalError> {
    let sql = "select payment_id, id, amount from refunds where payment_id = any($1) and status = 'pending'";
    Ok(sqlx::query_as(sql).bind(payments).fetch_all(db).await?)
}

/// A refund that has succeeded.
#[derive(Debug)]
pub(crate) struct Done {
    pub id: RefundId,
    pub amount: i64,
    pub payment_id: PaymentId,
}

/// The succeeded refunds of payments, by the provider's ids.
pub(crate) async fn done_refunds(
    db: Reads<'_>,
    payments: &[PaymentId],
) -> Result<BTreeMap<String, Done>, InternalError> {
    let sql = "select provider_refund_id, id, amount, payment_id from refunds
         where payment_id = any($1) and status = 'succeeded' and provider_refund_id is not null";
    let rows: Vec<(String, RefundId, i64, PaymentId)> = sqlx::query_as(sql).bind(payments).fetch_all(db).await?;
    let done = |(provider_id, id, amount, payment_id)| (provider_id, Done { id, amount, payment_id });
    Ok(rows.into_iter().map(done).collect())
}
