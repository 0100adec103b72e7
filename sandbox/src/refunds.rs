//! Refunds, which never exceed the charged amount.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    disputes, intents,
    methods::{Aftermath, Manner, method},
    operation::{Answer, Fields},
    webhooks,
};

#[derive(FromRow)]
struct Refund {
    id: String,
    intent_id: String,
    amount: i64,
    currency: String,
    metadata: Value,
    status: String,
    created_at: DateTime<Utc>,
}

impl Refund {
    fn json(&self) -> Value {
        json!({
            "id": self.id, "object": "refund", "amount": self.amount, "currency": self.currency, "status": self.status,
            "failure_reason": (self.status == "failed").then_some("expired_or_canceled_card"),
            "payment_intent": self.intent_id, "metadata": self.metadata, "created": self.created_at.timestamp(),
        })
    }
}

type Done = Result<Answer, sqlx::Error>;

pub(crate) async fn create(db: &mut PgConnection, fields: &Fields) -> Done {
    let id = fields.text("payment_intent").unwrap_or_default();
    let Some(intent) = intents::lock(db, id).await? else { return Ok(Answer::missing("payment_intent")) };
    if intent.status != "succeeded" {
        return Ok(Answer::invalid("charge_not_captured", "The payment has not been captured."));
    }
    let refunded: i64 = sqlx::query_scalar(
        "select coalesce(sum(amount), 0)::bigint from refund where intent_id = $1 and status <> 'failed'",
    )
    .bind(id)
    .fetch_one(&mut *db)
    .await?;
    if disputes::stands(db, id).await? {
        return Ok(Answer::invalid("charge_disputed", "The charge is disputed."));
    }
    let left = intent.amount - refunded;
    let amount = fields.number("amount").unwrap_or(left);
    if left == 0 {
        return Ok(Answer::invalid("charge_already_refunded", "The charge has already been refunded."));
    }
    if amount <= 0 || amount > left {
        return Ok(Answer::invalid("amount_too_large", "The amount is greater than the unrefunded amount."));
    }
    let refund = format!("re_sandbox_{}", Uuid::now_v7().simple());
    let method = intent.payment_method.as_deref().and_then(method);
    let fails = method.is_some_and(|method| method.aftermath == Aftermath::RefundsFail);
    sqlx::query(
        "insert into refund (id, intent_id, amount, metadata, fails_at)
         values ($1, $2, $3, $4, case when $5 then clock_timestamp() + interval '1 second' end)",
    )
    .bind(&refund)
    .bind(id)
    .bind(amount)
    .bind(fields.metadata())
    .bind(fails)
    .execute(&mut *db)
    .await?;
    let manner = method.map_or(Manner::Plain, |method| method.refund);
    Ok(get(db, &refund).await?.manner(manner))
}

/// Fails a refund that had succeeded: the money returns to the shop, which is notified.
pub(crate) async fn fail(db: &mut PgConnection, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update refund set status = 'failed' where id = $1").bind(id).execute(&mut *db).await?;
    let Some(refund) = find(db, id).await? else { return Ok(()) };
    for kind in ["charge.refund.updated", "refund.failed"] {
        webhooks::notify_of(db, &refund.intent_id, kind, &refund.json()).await?;
    }
    Ok(())
}

async fn find(db: &mut PgConnection, id: &str) -> Result<Option<Refund>, sqlx::Error> {
    sqlx::query_as(
        "select r.id, r.intent_id, r.amount, i.currency, r.metadata, r.status, r.created_at
         from refund r join intent i on i.id = r.intent_id where r.id = $1",
    )
    .bind(id)
    .fetch_optional(db)
    .await
}

pub(crate) async fn get(db: &mut PgConnection, id: &str) -> Done {
    let refund = find(db, id).await?;
    Ok(refund.map_or_else(|| Answer::missing("refund"), |refund| Answer::ok(refund.json())))
}

/// Lists refunds, newest first.
pub(crate) async fn list(db: &mut PgConnection, fields: &Fields) -> Done {
    let limit = fields.number("limit").unwrap_or(10).clamp(1, 100);
    let mut found: Vec<Refund> = sqlx::query_as(
        "select r.id, r.intent_id, r.amount, i.currency, r.metadata, r.status, r.created_at
         from refund r join intent i on i.id = r.intent_id
         where ($1::text is null or r.intent_id = $1)
           and ($2::text is null or r.number < (select number from refund where id = $2))
         order by r.number desc limit $3",
    )
    .bind(fields.text("payment_intent"))
    .bind(fields.text("starting_after"))
    .bind(limit + 1)
    .fetch_all(db)
    .await?;
    let wanted = usize::try_from(limit).unwrap_or(10);
    let has_more = found.len() > wanted;
    found.truncate(wanted);
    let data: Vec<Value> = found.iter().map(Refund::json).collect();
    Ok(Answer::ok(json!({"object": "list", "url": "/v1/refunds", "data": data, "has_more": has_more})))
}
