//! Reads payments for replies.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use runtime::{InternalError, Reads};
use sqlx::FromRow;
use subjects::{
    Currency, Money, OrderId, PaymentId, RefundId, UserId,
    orders::Failure,
    payments::{self as messages, Payment, Refund, RefundItem},
};

use crate::machine::Dispute;

/// A payment with its refunds, and its buyer.
#[derive(Debug)]
pub(crate) struct View {
    pub payment: Payment,
    pub user_id: Option<UserId>,
}

#[derive(FromRow)]
struct ViewRow {
    id: PaymentId,
    order_id: OrderId,
    order_number: String,
    user_id: Option<UserId>,
    status: String,
    is_closing: bool,
    amount: i64,
    currency: Currency,
    payment_provider: String,
    provider_transaction_id: Option<String>,
    payment_method: Option<String>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    #[sqlx(json)]
    disputes: BTreeMap<String, Dispute>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(FromRow)]
pub(super) struct RefundRow {
    id: RefundId,
    status: String,
    amount: i64,
    currency: Currency,
    reason: Option<String>,
    failure_code: Option<String>,
    failure_message: Option<String>,
    #[sqlx(json)]
    items: Vec<RefundItem>,
    restock: bool,
    created_at: DateTime<Utc>,
}

macro_rules! select_refunds {
    ($rest:literal) => {
        concat!(
            "select id, status, amount, currency, reason, failure_code, failure_message, items, restock, created_at
             from refunds ",
            $rest
        )
    };
}
pub(super) use select_refunds;

impl RefundRow {
    pub(super) fn read(self) -> Refund {
        Refund {
            id: self.id,
            status: self.status,
            amount: Money::new(self.amount, self.currency),
            reason: self.reason,
            failure: self.failure_code.zip(self.failure_message).map(failure),
            items: self.items,
            restock: self.restock,
            created_at: self.created_at,
        }
    }
}

/// Reads a payment for a reply. `None` for a tombstone, whose amount due is not known.
pub(crate) async fn load(mut db: Reads<'_>, id: PaymentId) -> Result<Option<View>, InternalError> {
    let sql = "select id, order_id, order_number, user_id, status, closing is not null as is_closing, amount, currency,
                payment_provider, provider_transaction_id, payment_method, failure_code, failure_message, disputes,
                created_at, updated_at
         from payments where id = $1 and amount is not null";
    let row: Option<ViewRow> = sqlx::query_as(sql).bind(id).fetch_optional(db.reborrow()).await?;
    let Some(row) = row else { return Ok(None) };
    let sql = select_refunds!("where payment_id = $1 order by created_at, id");
    let refunds: Vec<RefundRow> = sqlx::query_as(sql).bind(id).fetch_all(db).await?;
    let dispute = |(id, dispute): (String, Dispute)| messages::Dispute {
        id,
        status: dispute.state.as_str().to_owned(),
        amount: Money::new(dispute.amount, row.currency),
        reason: dispute.reason,
    };
    let payment = Payment {
        id: row.id,
        order_id: row.order_id,
        order_number: row.order_number,
        amount: Money::new(row.amount, row.currency),
        provider: row.payment_provider,
        provider_transaction_id: row.provider_transaction_id,
        payment_method: row.payment_method,
        // Not shown while the payment is closing, as it may still be captured. Otherwise the
        // buyer may try another card.
        failure: row.failure_code.zip(row.failure_message).filter(|_| !row.is_closing).map(failure),
        status: row.status,
        refunds: refunds.into_iter().map(RefundRow::read).collect(),
        disputes: row.disputes.into_iter().map(dispute).collect(),
        created_at: row.created_at,
        updated_at: row.updated_at,
    };
    Ok(Some(View { payment, user_id: row.user_id }))
}

fn failure((code, message): (String, String)) -> Failure {
    Failure { code, message }
}
