//! Inserts, locks and updates payments, a batch per statement.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use runtime::{Breakage, Locks, Reads, Version, Writes};
use sqlx::{FromRow, types::Json};
use subjects::{Money, OrderId, PaymentId, UserId};
use uuid::Uuid;

use super::word;
use crate::story::{Attempt, Closing, Details, Dispute};

/// A payment: its ids, state and version.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub id: PaymentId,
    pub order_id: OrderId,
    pub attempt: Attempt,
    /// The provider that it was inserted with; `None` if it is not inserted yet.
    pub provider: Option<String>,
    pub version: Version,
    /// Whether it differs from the stored row.
    pub is_changed: bool,
}

impl Row {
    /// A payment without any input.
    pub(crate) fn new(id: PaymentId, order_id: OrderId) -> Self {
        let (attempt, version) = Default::default();
        Self { id, order_id, attempt, provider: None, version, is_changed: false }
    }
}

#[derive(FromRow)]
struct PaymentRow {
    id: Uuid,
    order_id: Uuid,
    order_number: Option<String>,
    user_id: Option<Uuid>,
    amount: Option<i64>,
    currency: Option<String>,
    payment_provider: String,
    provider_transaction_id: Option<String>,
    payment_method: Option<String>,
    at_once: bool,
    awaits_action: bool,
    declines: Json<BTreeSet<String>>,
    status: String,
    creating: bool,
    closing: Option<String>,
    order_ended: bool,
    intent_told: bool,
    failure_code: Option<String>,
    failure_message: Option<String>,
    captured: i64,
    refunded: i64,
    refunding: i64,
    automatic_refund: bool,
    disputes: Json<BTreeMap<String, Dispute>>,
    lost: i64,
    version: Version,
}

impl Closing {
    fn word(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Decline => "decline",
        }
    }
}

impl PaymentRow {
    fn read(self) -> Result<Row, Breakage> {
        let details = match (self.order_number, self.amount, self.currency) {
            (Some(order_number), Some(amount), Some(currency)) => {
                let amount = Money::new(amount, word(&currency)?);
                Some(Details { order_number, user_id: self.user_id.map(UserId), amount })
            }
            _ => None,
        };
        let closing = self.closing.map(|word| if word == "decline" { Closing::Decline } else { Closing::Cancel });
        let attempt = Attempt {
            status: word(&self.status)?,
            details,
            object: self.provider_transaction_id,
            method: self.payment_method,
            at_once: self.at_once,
            awaits_action: self.awaits_action,
            declines: self.declines.0,
            creating: self.creating,
            closing,
            failure: self.failure_code.zip(self.failure_message),
            order_ended: self.order_ended,
            intent_told: self.intent_told,
            captured: self.captured,
            refunded: self.refunded,
            refunding: self.refunding,
            disputes: self.disputes.0,
            lost: self.lost,
            automatic_refund: self.automatic_refund,
        };
        let (id, order_id) = (PaymentId(self.id), OrderId(self.order_id));
        let (provider, version) = (Some(self.payment_provider), self.version);
        Ok(Row { id, order_id, attempt, provider, version, is_changed: false })
    }
}

macro_rules! select_payments {
    ($rest:literal) => {
        concat!(
            "select id, order_id, order_number, user_id, amount, currency, payment_provider, provider_transaction_id,
                    payment_method, at_once, awaits_action, declines, status, creating, closing, order_ended,
                    intent_told, failure_code, failure_message, captured,
                    refunded, refunding, automatic_refund, disputes, lost, version
             from payments ",
            $rest
        )
    };
}

/// Locks payments in the order of their ids. Unknown payments are absent from the result.
pub(crate) async fn lock(db: Locks<'_>, ids: &[Uuid]) -> Result<BTreeMap<PaymentId, Row>, Breakage> {
    let rows: Vec<PaymentRow> =
        sqlx::query_as(select_payments!("where id = any($1) order by id for update")).bind(ids).fetch_all(db).await?;
    rows.into_iter().map(|row| row.read().map(|row| (row.id, row))).collect()
}

/// Reads a payment without a lock: it may change before the caller acts on it.
pub(crate) async fn find(db: Reads<'_>, id: PaymentId) -> Result<Option<Row>, Breakage> {
    let row: Option<PaymentRow> =
        sqlx::query_as(select_payments!("where id = $1")).bind(id.0).fetch_optional(db).await?;
    row.map(PaymentRow::read).transpose()
}

/// Reads the payment with this provider's object, without a lock.
pub(crate) async fn with_object(db: Reads<'_>, object: &str) -> Result<Option<Row>, Breakage> {
    let row: Option<PaymentRow> =
        sqlx::query_as(select_payments!("where provider_transaction_id = $1")).bind(object).fetch_optional(db).await?;
    row.map(PaymentRow::read).transpose()
}

/// The ids of the payment, and of its order, that has this id or this provider's object.
pub(crate) async fn of_provider(db: Reads<'_>, intent: &str) -> Result<Option<(PaymentId, OrderId)>, Breakage> {
    let ids: Option<(Uuid, Uuid)> = match intent.parse::<Uuid>() {
        Ok(id) => sqlx::query_as("select id, order_id from payments where id = $1").bind(id).fetch_optional(db).await?,
        // PostgreSQL rejects NUL in a text.
        Err(_) if intent.len() > 255 || intent.contains('\0') => None,
        Err(_) => {
            let by_object = "select id, order_id from payments where provider_transaction_id = $1";
            sqlx::query_as(by_object).bind(intent).fetch_optional(db).await?
        }
    };
    Ok(ids.map(|(id, order)| (PaymentId(id), OrderId(order))))
}

/// Inserts new payments. Returns how many were inserted: fewer, if a concurrent transaction has inserted some.
pub(crate) async fn insert(db: Writes<'_>, rows: &[&Row], provider: &str, now: DateTime<Utc>) -> Result<u64, Breakage> {
    let columns = Columns::of(rows);
    let done = sqlx::query(
        "insert into payments (id, order_id, order_number, user_id, amount, currency, provider_transaction_id,
             payment_method, status, creating, closing, order_ended, intent_told, failure_code, failure_message, captured,
             refunded, refunding, automatic_refund, version, at_once, awaits_action, declines, disputes, lost,
             payment_provider, created_at, updated_at, processed_at)
         select moved.*, $26, $27::timestamptz, $27::timestamptz,
                case when moved.status not in ('pending', 'processing') then $27::timestamptz end
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::text[],
                  $9::text[], $10::boolean[], $11::text[], $12::boolean[], $13::boolean[], $14::text[], $15::text[],
                  $16::bigint[], $17::bigint[], $18::bigint[], $19::boolean[], $20::bigint[], $21::boolean[],
                  $22::boolean[], $23::jsonb[], $24::jsonb[], $25::bigint[])
              as moved (id, order_id, order_number, user_id, amount, currency, object, method, status, creating, closing,
                  order_ended, intent_told, failure_code, failure_message, captured, refunded, refunding,
                  automatic_refund, version, at_once, awaits_action, declines, disputes, lost)
         order by moved.id
         on conflict (id) do nothing",
    );
    Ok(columns.bind(done).bind(provider).bind(now).execute(db).await?.rows_affected())
}

/// Writes the state of payments.
pub(crate) async fn update(db: Writes<'_>, rows: &[&Row], now: DateTime<Utc>) -> Result<(), Breakage> {
    let columns = Columns::of(rows);
    let update = sqlx::query(
        "update payments set
             order_number = moved.order_number, user_id = moved.user_id, amount = moved.amount,
             currency = moved.currency, provider_transaction_id = moved.object, payment_method = moved.method,
             status = moved.status, creating = moved.creating, closing = moved.closing,
             order_ended = moved.order_ended, intent_told = moved.intent_told, failure_code = moved.failure_code,
             failure_message = moved.failure_message, captured = moved.captured, refunded = moved.refunded,
             refunding = moved.refunding, automatic_refund = moved.automatic_refund, version = moved.version,
             at_once = moved.at_once, awaits_action = moved.awaits_action, declines = moved.declines,
             disputes = moved.disputes, lost = moved.lost, updated_at = $26::timestamptz,
             processed_at = case when moved.status not in ('pending', 'processing')
                                 then coalesce(payments.processed_at, $26::timestamptz) end
         from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::text[],
                  $9::text[], $10::boolean[], $11::text[], $12::boolean[], $13::boolean[], $14::text[], $15::text[],
                  $16::bigint[], $17::bigint[], $18::bigint[], $19::boolean[], $20::bigint[], $21::boolean[],
                  $22::boolean[], $23::jsonb[], $24::jsonb[], $25::bigint[])
              as moved (id, order_id, order_number, user_id, amount, currency, object, method, status, creating, closing,
                  order_ended, intent_told, failure_code, failure_message, captured, refunded, refunding,
                  automatic_refund, version, at_once, awaits_action, declines, disputes, lost)
         where payments.id = moved.id",
    );
    columns.bind(update).bind(now).execute(db).await?;
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// Payments, column by column.
#[derive(Default)]
struct Columns<'a> {
    rows: Vec<&'a Row>,
}

impl<'a> Columns<'a> {
    fn of(rows: &[&'a Row]) -> Self {
        Self { rows: rows.to_vec() }
    }

    fn each<T>(&self, of: impl Fn(&'a Row) -> T) -> Vec<T> {
        self.rows.iter().map(|row| of(row)).collect()
    }

    fn details<T>(&self, of: impl Fn(&'a Details) -> T) -> Vec<Option<T>> {
        self.each(|row| row.attempt.details.as_ref().map(&of))
    }

    /// Binds the first twenty-five parameters.
    fn bind(&self, query: Query<'a>) -> Query<'a> {
        query
            .bind(self.each(|r| r.id.0))
            .bind(self.each(|r| r.order_id.0))
            .bind(self.details(|d| d.order_number.as_str()))
            .bind(self.each(|r| r.attempt.details.as_ref().and_then(|d| d.user_id).map(|user| user.0)))
            .bind(self.details(|d| d.amount.amount))
            .bind(self.details(|d| d.amount.currency.code()))
            .bind(self.each(|r| r.attempt.object.as_deref()))
            .bind(self.each(|r| r.attempt.method.as_deref()))
            .bind(self.each(|r| r.attempt.status.word()))
            .bind(self.each(|r| r.attempt.creating))
            .bind(self.each(|r| r.attempt.closing.map(Closing::word)))
            .bind(self.each(|r| r.attempt.order_ended))
            .bind(self.each(|r| r.attempt.intent_told))
            .bind(self.each(|r| r.attempt.failure.as_ref().map(|(code, _)| code.as_str())))
            .bind(self.each(|r| r.attempt.failure.as_ref().map(|(_, message)| message.as_str())))
            .bind(self.each(|r| r.attempt.captured))
            .bind(self.each(|r| r.attempt.refunded))
            .bind(self.each(|r| r.attempt.refunding))
            .bind(self.each(|r| r.attempt.automatic_refund))
            .bind(self.each(|r| r.version))
            .bind(self.each(|r| r.attempt.at_once))
            .bind(self.each(|r| r.attempt.awaits_action))
            .bind(self.each(|r| Json(&r.attempt.declines)))
            .bind(self.each(|r| Json(&r.attempt.disputes)))
            .bind(self.each(|r| r.attempt.lost))
    }
}
