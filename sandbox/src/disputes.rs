//! Disputes: the buyer contests a charge at the bank, and the shop's evidence decides.

use serde_json::{Value, json};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    operation::{Answer, Fields},
    webhooks,
};

#[derive(FromRow)]
struct Dispute {
    id: String,
    intent_id: String,
    amount: i64,
    currency: String,
    status: String,
}

impl Dispute {
    fn json(&self) -> Value {
        json!({
            "id": self.id, "object": "dispute", "amount": self.amount, "currency": self.currency, "status": self.status,
            "payment_intent": self.intent_id, "reason": "fraudulent",
        })
    }
}

type Done = Result<Answer, sqlx::Error>;

/// Opens a dispute over the full amount of a charge.
pub(crate) async fn open(db: &mut PgConnection, intent: &str, amount: i64) -> Result<(), sqlx::Error> {
    let id = format!("dp_sandbox_{}", Uuid::now_v7().simple());
    sqlx::query("insert into dispute (id, intent_id, amount, status) values ($1, $2, $3, 'needs_response')")
        .bind(&id)
        .bind(intent)
        .bind(amount)
        .execute(&mut *db)
        .await?;
    notify(db, &id, "charge.dispute.created").await
}

/// Whether a charge has a dispute that is open or lost.
pub(crate) async fn stands(db: &mut PgConnection, intent: &str) -> Result<bool, sqlx::Error> {
    let stands = "select exists (select 1 from dispute where intent_id = $1 and status <> 'won')";
    sqlx::query_scalar(stands).bind(intent).fetch_one(db).await
}

async fn find(db: &mut PgConnection, id: &str) -> Result<Option<Dispute>, sqlx::Error> {
    sqlx::query_as(
        "select d.id, d.intent_id, d.amount, i.currency, d.status
         from dispute d join intent i on i.id = d.intent_id where d.id = $1 for update of d",
    )
    .bind(id)
    .fetch_optional(db)
    .await
}

async fn notify(db: &mut PgConnection, id: &str, kind: &str) -> Result<(), sqlx::Error> {
    match find(db, id).await? {
        Some(dispute) => webhooks::notify_of(db, &dispute.intent_id, kind, &dispute.json()).await,
        None => Ok(()),
    }
}

pub(crate) async fn get(db: &mut PgConnection, id: &str) -> Done {
    Ok(find(db, id).await?.map_or_else(|| Answer::missing("dispute"), |dispute| Answer::ok(dispute.json())))
}

/// Lists disputes, newest first.
pub(crate) async fn list(db: &mut PgConnection, fields: &Fields) -> Done {
    let found: Vec<Dispute> = sqlx::query_as(
        "select d.id, d.intent_id, d.amount, i.currency, d.status
         from dispute d join intent i on i.id = d.intent_id
         where ($1::text is null or d.intent_id = $1) order by d.number desc limit 100",
    )
    .bind(fields.text("payment_intent"))
    .fetch_all(db)
    .await?;
    let data: Vec<Value> = found.iter().map(Dispute::json).collect();
    Ok(Answer::ok(json!({"object": "list", "url": "/v1/disputes", "data": data, "has_more": false})))
}

/// Decides a dispute by its evidence if that is one of Stripe's test values; other evidence leaves it open.
pub(crate) async fn answer(db: &mut PgConnection, id: &str, fields: &Fields) -> Done {
    match fields.text("evidence[uncategorized_text]") {
        Some("winning_evidence") => decide(db, id, true).await,
        Some("losing_evidence") => decide(db, id, false).await,
        _ => get(db, id).await,
    }
}

pub(crate) async fn decide(db: &mut PgConnection, id: &str, is_won: bool) -> Done {
    let Some(dispute) = find(db, id).await? else { return Ok(Answer::missing("dispute")) };
    if dispute.status != "needs_response" {
        return Ok(Answer::invalid("dispute_already_closed", "The dispute is already closed."));
    }
    let status = if is_won { "won" } else { "lost" };
    sqlx::query("update dispute set status = $2 where id = $1").bind(id).bind(status).execute(&mut *db).await?;
    notify(db, id, "charge.dispute.closed").await?;
    get(db, id).await
}
