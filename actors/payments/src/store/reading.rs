//! Reads payments as people see them.

use chrono::{DateTime, Utc};
use runtime::Stored;
use sqlx::{FromRow, PgConnection};
use subjects::{
    Money, OrderId, PaymentId, RefundId, UserId,
    orders::Failure,
    payments::{Payment, Refund},
};
use uuid::Uuid;

use super::word;

/// A payment with its refunds, and whose it is.
#[derive(Debug)]
pub(crate) struct View {
    pub payment: Payment,
    pub user_id: Option<UserId>,
}

#[derive(FromRow)]
struct ViewRow {
    id: Uuid,
    order_id: Uuid,
    order_number: String,
    user_id: Option<Uuid>,
    status: String,
    is_closing: bool,
    amount: i64,
    currency: String,
    payment_provider: String,
    provider_transaction_id: Option<String>,
    payment_method: Option<String>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A refund's row.
#[derive(FromRow)]
pub(super) struct RefundRow {
    id: Uuid,
    status: String,
    amount: i64,
    currency: String,
    reason: Option<String>,
    created_at: DateTime<Utc>,
}

impl RefundRow {
    pub(super) fn read(self) -> Stored<Refund> {
        Ok(Refund {
            id: RefundId(self.id),
            status: self.status,
            amount: Money::new(self.amount, word(&self.currency)?),
            reason: self.reason,
            created_at: self.created_at,
        })
    }
}

/// A payment as people see it. A tombstone, of which nothing is known, is none.
pub(crate) async fn load(db: &mut PgConnection, id: PaymentId) -> Stored<Option<View>> {
    let row: Option<ViewRow> = sqlx::query_as(
        "select id, order_id, order_number, user_id, status, closing is not null as is_closing, amount, currency, payment_provider,
                provider_transaction_id, payment_method, failure_code, failure_message, created_at, updated_at
         from payments where id = $1 and amount is not null",
    )
    .bind(id.0)
    .fetch_optional(&mut *db)
    .await?;
    let Some(row) = row else { return Ok(None) };
    let refunds: Vec<RefundRow> = sqlx::query_as(
        "select id, status, amount, currency, reason, created_at from refunds where payment_id = $1
         order by created_at, id",
    )
    .bind(id.0)
    .fetch_all(db)
    .await?;
    let payment = Payment {
        id: PaymentId(row.id),
        order_id: OrderId(row.order_id),
        order_number: row.order_number,
        amount: Money::new(row.amount, word(&row.currency)?),
        provider: row.payment_provider,
        provider_transaction_id: row.provider_transaction_id,
        payment_method: row.payment_method,
        // On its way to `failed` nothing is said yet. Otherwise the buyer may try another card.
        failure: row.failure_code.zip(row.failure_message).filter(|_| !row.is_closing).map(failure),
        status: row.status,
        refunds: refunds.into_iter().map(RefundRow::read).collect::<Stored<_>>()?,
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok(Some(View { payment, user_id: row.user_id.map(UserId) }))
}

fn failure((code, message): (String, String)) -> Failure {
    Failure { code, message }
}
