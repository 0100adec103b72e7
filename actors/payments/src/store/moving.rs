//! Inserts, locks and updates payments, a batch per statement.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use runtime::{InternalError, LastWrites, Locks, Reads, Version, Writes, columns};
use sqlx::{FromRow, Row as _, postgres::PgRow, types::Json};
use subjects::{Currency, Money, OrderId, PaymentId};

use crate::machine::{Attempt, Details};

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
        let attempt = Attempt { id, ..Attempt::default() };
        Self { id, order_id, attempt, provider: None, version: Version::default(), is_changed: false }
    }
}

impl FromRow<'_, PgRow> for Row {
    fn from_row(row: &PgRow) -> Result<Self, sqlx::Error> {
        let (order_number, user_id): (Option<String>, _) = (row.try_get("order_number")?, row.try_get("user_id")?);
        let (amount, currency): (Option<i64>, Option<Currency>) = (row.try_get("amount")?, row.try_get("currency")?);
        let amount = amount.zip(currency).map(|(amount, currency)| Money::new(amount, currency));
        let details = order_number.zip(amount).map(|(order_number, amount)| Details { order_number, user_id, amount });
        let (code, message): (Option<String>, _) = (row.try_get("failure_code")?, row.try_get("failure_message")?);
        let attempt = Attempt { details, failure: code.zip(message), ..Attempt::from_row(row)? };
        Ok(Self {
            id: attempt.id,
            order_id: row.try_get("order_id")?,
            attempt,
            provider: row.try_get("payment_provider")?,
            version: row.try_get("version")?,
            is_changed: false,
        })
    }
}

macro_rules! select_payments {
    ($rest:literal) => {
        concat!(
            "select id, order_id, order_number, user_id, amount, currency, payment_provider, provider_transaction_id,
                    payment_method, at_once, awaits_action, declines, status, creating, closing, order_ended,
                    intent_emitted, failure_code, failure_message, captured,
                    refunded, refunding, automatic_refund, disputes, lost, version
             from payments ",
            $rest
        )
    };
}

/// Locks payments in the order of their ids. Unknown payments are absent from the result.
pub(crate) async fn lock(db: Locks<'_>, ids: &[PaymentId]) -> Result<BTreeMap<PaymentId, Row>, InternalError> {
    let sql = select_payments!("where id = any($1) order by id for update");
    let rows: Vec<Row> = sqlx::query_as(sql).bind(ids).fetch_all(db).await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Reads a payment without a lock: it may change before the caller acts on it.
pub(crate) async fn find(db: Reads<'_>, id: PaymentId) -> Result<Option<Row>, InternalError> {
    let sql = select_payments!("where id = $1");
    Ok(sqlx::query_as(sql).bind(id).fetch_optional(db).await?)
}

/// Reads the payment with this provider's object, without a lock.
pub(crate) async fn with_object(db: Reads<'_>, object: &str) -> Result<Option<Row>, InternalError> {
    let sql = select_payments!("where provider_transaction_id = $1");
    Ok(sqlx::query_as(sql).bind(object).fetch_optional(db).await?)
}

/// The ids of the payment, and of its order, that has this id or this provider's object.
pub(crate) async fn of_provider(db: Reads<'_>, intent: &str) -> Result<Option<(PaymentId, OrderId)>, InternalError> {
    let by_id = "select id, order_id from payments where id = $1";
    let by_object = "select id, order_id from payments where provider_transaction_id = $1";
    Ok(match intent.parse::<PaymentId>() {
        Ok(id) => sqlx::query_as(by_id).bind(id).fetch_optional(db).await?,
        // PostgreSQL rejects NUL in a text.
        Err(_) if intent.len() > 255 || intent.contains('\0') => None,
        Err(_) => sqlx::query_as(by_object).bind(intent).fetch_optional(db).await?,
    })
}

/// An object that the provider has created for a payment.
#[derive(Debug)]
pub(crate) struct CreatedObject {
    pub payment_id: PaymentId,
    pub object: String,
}

/// Commits the ids of objects while their creates are in flight, in a transaction of its own, because the provider may
/// confirm an object only after that. Returns for each whether it may be confirmed: not if the payment is being closed,
/// or has another object. The result of the create is an input of the state machine afterwards.
pub(crate) async fn commit_objects(db: Writes<'_>, objects: &[Arc<CreatedObject>]) -> Result<Vec<bool>, InternalError> {
    let sql = "with held as (
             select payments.id, created.object
             from unnest($1::uuid[], $2::text[]) as created (id, object) join payments using (id)
             where creating and closing is null and status in ('pending', 'processing')
                   and (provider_transaction_id is null or provider_transaction_id = created.object)
             order by payments.id for update of payments),
         committed as (
             update payments set provider_transaction_id = held.object from held
             where payments.id = held.id and provider_transaction_id is null)
         select id from held";
    let query = columns!(sqlx::query_scalar(sql), objects, one; one.payment_id, one.object.as_str());
    let committed: BTreeSet<PaymentId> = query.fetch_all(db).await?.into_iter().collect();
    Ok(objects.iter().map(|one| committed.contains(&one.payment_id)).collect())
}

/// The rows that [`bind!`] binds.
macro_rules! moved {
    () => {
        " from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::bigint[], $6::text[], $7::text[], $8::text[],
                  $9::text[], $10::boolean[], $11::text[], $12::boolean[], $13::boolean[], $14::text[], $15::text[],
                  $16::bigint[], $17::bigint[], $18::bigint[], $19::boolean[], $20::bigint[], $21::boolean[],
                  $22::boolean[], $23::jsonb[], $24::jsonb[], $25::bigint[])
              as moved (id, order_id, order_number, user_id, amount, currency, object, method, status, creating,
                  closing, order_ended, intent_emitted, failure_code, failure_message, captured, refunded, refunding,
                  automatic_refund, version, at_once, awaits_action, declines, disputes, lost) "
    };
}

/// Binds the first twenty-five parameters.
macro_rules! bind {
    ($query:expr, $rows:expr) => {
        columns!($query, $rows, row;
            row.id, row.order_id, row.attempt.details.as_ref().map(|details| details.order_number.as_str()),
            row.attempt.details.as_ref().and_then(|details| details.user_id),
            row.attempt.details.as_ref().map(|details| details.amount.amount),
            row.attempt.details.as_ref().map(|details| details.amount.currency),
            row.attempt.object.as_deref(), row.attempt.method.as_deref(), row.attempt.status, row.attempt.creating,
            row.attempt.closing, row.attempt.order_ended, row.attempt.intent_emitted,
            row.attempt.failure.as_ref().map(|(code, _)| code.as_str()),
            row.attempt.failure.as_ref().map(|(_, message)| message.as_str()),
            row.attempt.captured, row.attempt.refunded, row.attempt.refunding, row.attempt.automatic_refund,
            row.version,
            row.attempt.at_once, row.attempt.awaits_action, Json(&row.attempt.declines), Json(&row.attempt.disputes),
            row.attempt.lost)
    };
}

/// Inserts new payments. Returns how many were inserted: fewer, if a concurrent transaction has inserted some.
pub(crate) async fn insert(
    db: Writes<'_>,
    rows: &[&Row],
    provider: &str,
    now: DateTime<Utc>,
) -> Result<u64, InternalError> {
    let sql = concat!(
        "insert into payments (id, order_id, order_number, user_id, amount, currency, provider_transaction_id,
             payment_method, status, creating, closing, order_ended, intent_emitted, failure_code, failure_message,
             captured, refunded, refunding, automatic_refund, version, at_once, awaits_action, declines, disputes, lost,
             payment_provider, created_at, updated_at, processed_at)
         select moved.*, $26, $27::timestamptz, $27::timestamptz,
                case when moved.status not in ('pending', 'processing') then $27::timestamptz end",
        moved!(),
        "order by moved.id on conflict (id) do nothing"
    );
    Ok(bind!(sqlx::query(sql), rows).bind(provider).bind(now).execute(db).await?.rows_affected())
}

/// Writes the state of payments.
pub(crate) fn update(mut db: LastWrites<'_>, rows: &[&Row], now: DateTime<Utc>) {
    let sql = concat!(
        "update payments set
             order_number = moved.order_number, user_id = moved.user_id, amount = moved.amount,
             currency = moved.currency, provider_transaction_id = moved.object, payment_method = moved.method,
             status = moved.status, creating = moved.creating, closing = moved.closing,
             order_ended = moved.order_ended, intent_emitted = moved.intent_emitted, failure_code = moved.failure_code,
             failure_message = moved.failure_message, captured = moved.captured, refunded = moved.refunded,
             refunding = moved.refunding, automatic_refund = moved.automatic_refund, version = moved.version,
             at_once = moved.at_once, awaits_action = moved.awaits_action, declines = moved.declines,
             disputes = moved.disputes, lost = moved.lost, updated_at = $26::timestamptz,
             processed_at = case when moved.status not in ('pending', 'processing')
                                 then coalesce(payments.processed_at, $26::timestamptz) end",
        moved!(),
        "where payments.id = moved.id"
    );
    bind!(db.write(sql), rows).bind(now);
}
