//! Refunds, a whole batch per statement.

use chrono::{DateTime, Utc};
use runtime::Stored;
use sqlx::PgConnection;
use subjects::{Money, PaymentId, RefundId, orders::Failure, payments::Refund};

use super::reading::RefundRow;

/// A refund that is asked of the provider.
#[derive(Debug)]
pub(crate) struct NewRefund<'a> {
    pub id: RefundId,
    pub payment_id: PaymentId,
    pub amount: Money,
    pub reason: Option<&'a str>,
    pub automatic: bool,
}

/// How a refund ended.
#[derive(Debug)]
pub(crate) struct RefundEnd {
    pub id: RefundId,
    pub provider_refund_id: Option<String>,
    pub failure: Option<Failure>,
}

/// Writes refunds that are asked of the provider.
pub(crate) async fn insert_refunds(db: &mut PgConnection, refunds: &[NewRefund<'_>], now: DateTime<Utc>) -> Stored<()> {
    sqlx::query(
        "insert into refunds (id, payment_id, amount, currency, reason, automatic, status, created_at, updated_at)
         select asked.*, 'pending', $7::timestamptz, $7::timestamptz
         from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::boolean[])
              as asked (id, payment_id, amount, currency, reason, automatic)
         order by id",
    )
    .bind(refunds.iter().map(|r| r.id.0).collect::<Vec<_>>())
    .bind(refunds.iter().map(|r| r.payment_id.0).collect::<Vec<_>>())
    .bind(refunds.iter().map(|r| r.amount.amount).collect::<Vec<_>>())
    .bind(refunds.iter().map(|r| r.amount.currency.code().to_owned()).collect::<Vec<_>>())
    .bind(refunds.iter().map(|r| r.reason).collect::<Vec<_>>())
    .bind(refunds.iter().map(|r| r.automatic).collect::<Vec<_>>())
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// Writes how refunds ended.
pub(crate) async fn end_refunds(db: &mut PgConnection, ends: &[RefundEnd], now: DateTime<Utc>) -> Stored<()> {
    sqlx::query(
        "update refunds set
             status = case when ended.failure_code is null then 'succeeded' else 'failed' end,
             provider_refund_id = ended.provider_refund_id, failure_code = ended.failure_code,
             failure_message = ended.failure_message, processed_at = $5::timestamptz, updated_at = $5::timestamptz
         from unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
              as ended (id, provider_refund_id, failure_code, failure_message)
         where refunds.id = ended.id and refunds.status = 'pending'",
    )
    .bind(ends.iter().map(|e| e.id.0).collect::<Vec<_>>())
    .bind(ends.iter().map(|e| e.provider_refund_id.as_deref()).collect::<Vec<_>>())
    .bind(ends.iter().map(|e| e.failure.as_ref().map(|f| f.code.as_str())).collect::<Vec<_>>())
    .bind(ends.iter().map(|e| e.failure.as_ref().map(|f| f.message.as_str())).collect::<Vec<_>>())
    .bind(now)
    .execute(db)
    .await?;
    Ok(())
}

/// One refund.
pub(crate) async fn load_refund(db: &mut PgConnection, id: RefundId) -> Stored<Option<Refund>> {
    let row: Option<RefundRow> =
        sqlx::query_as("select id, status, amount, currency, reason, created_at from refunds where id = $1")
            .bind(id.0)
            .fetch_optional(db)
            .await?;
    row.map(RefundRow::read).transpose()
}
