//! Payment intents: created, given a method, confirmed or cancelled. A paid intent is never charged again.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::{FromRow, PgConnection};
use uuid::Uuid;

use crate::{
    disputes,
    methods::{Aftermath, Charge, Creation, Delivery, method},
    operation::{Answer, Fields},
    webhooks,
};

#[derive(FromRow)]
pub(crate) struct Intent {
    pub(crate) id: String,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    client_secret: String,
    metadata: Value,
    pub(crate) status: String,
    pub(crate) payment_method: Option<String>,
    last_payment_error: Option<Value>,
    created_at: DateTime<Utc>,
}

impl Intent {
    pub(crate) fn json(&self) -> Value {
        json!({
            "id": self.id, "object": "payment_intent", "amount": self.amount, "currency": self.currency,
            "client_secret": self.client_secret, "metadata": self.metadata, "status": self.status,
            "payment_method": self.payment_method, "last_payment_error": self.last_payment_error,
            "next_action": (self.status == ACTION).then(|| json!({"type": "use_stripe_sdk", "use_stripe_sdk": {}})),
            "created": self.created_at.timestamp(), "livemode": false,
        })
    }

    fn is_open(&self) -> bool {
        !matches!(self.status.as_str(), "succeeded" | "canceled" | "processing")
    }

    fn unexpected(&self) -> Answer {
        let message = format!("This PaymentIntent has a status of {}.", self.status);
        Answer::invalid("payment_intent_unexpected_state", &message)
    }
}

const ACTION: &str = "requires_action";

type Done = Result<Answer, sqlx::Error>;

/// Locks an intent until the request is committed.
pub(crate) async fn lock(db: &mut PgConnection, id: &str) -> Result<Option<Intent>, sqlx::Error> {
    let select =
        "select id, amount, currency, client_secret, metadata, status, payment_method, last_payment_error, created_at
                  from intent where id = $1 for update";
    sqlx::query_as(select).bind(id).fetch_optional(db).await
}

pub(crate) async fn create(db: &mut PgConnection, fields: &Fields) -> Done {
    let (Some(amount), Some(currency)) = (fields.number("amount").filter(|a| *a > 0), fields.text("currency")) else {
        return Ok(Answer::invalid("parameter_missing", "An amount and a currency are needed."));
    };
    let name = Uuid::now_v7().simple();
    let id = format!("pi_sandbox_{name}");
    sqlx::query(
        "insert into intent (id, amount, currency, client_secret, metadata, status)
         values ($1, $2, $3, $4, $5, 'requires_payment_method')",
    )
    .bind(&id)
    .bind(amount)
    .bind(currency)
    .bind(format!("{id}_secret_{}", Uuid::new_v4().simple()))
    .bind(fields.metadata())
    .execute(&mut *db)
    .await?;
    Ok(get(db, &id).await?.manner(Creation::of(amount).manner))
}

pub(crate) async fn get(db: &mut PgConnection, id: &str) -> Done {
    Ok(lock(db, id).await?.map_or_else(|| Answer::missing("payment_intent"), |intent| Answer::ok(intent.json())))
}

/// Finds intents by `query=metadata['name']:'value'`.
pub(crate) async fn find(db: &mut PgConnection, fields: &Fields) -> Done {
    let query = fields.text("query").unwrap_or_default();
    let parts = query.strip_prefix("metadata['").and_then(|rest| rest.strip_suffix('\'')?.split_once("']:'"));
    let Some((name, value)) = parts else { return Ok(Answer::invalid("search_query", "Only metadata is searched.")) };
    let found: Vec<Intent> = sqlx::query_as(
        "select id, amount, currency, client_secret, metadata, status, payment_method, last_payment_error, created_at
         from intent where metadata @> $1 order by number limit 10",
    )
    .bind(json!({ name: value }))
    .fetch_all(db)
    .await?;
    let data: Vec<Value> = found.iter().map(Intent::json).collect();
    Ok(Answer::ok(json!({"object": "search_result", "data": data, "has_more": false})))
}

pub(crate) async fn update(db: &mut PgConnection, id: &str, fields: &Fields) -> Done {
    let Some(intent) = lock(db, id).await? else { return Ok(Answer::missing("payment_intent")) };
    let Some(name) = fields.text("payment_method") else { return Ok(Answer::ok(intent.json())) };
    if !intent.is_open() {
        return Ok(intent.unexpected());
    }
    if method(name).is_none() {
        return Ok(Answer::missing("payment_method"));
    }
    sqlx::query("update intent set payment_method = $2, status = 'requires_confirmation' where id = $1")
        .bind(id)
        .bind(name)
        .execute(&mut *db)
        .await?;
    get(db, id).await
}

pub(crate) async fn confirm(db: &mut PgConnection, id: &str, fields: &Fields) -> Done {
    let Some(intent) = lock(db, id).await? else { return Ok(Answer::missing("payment_intent")) };
    if !intent.is_open() {
        return Ok(intent.unexpected());
    }
    let name = fields.text("payment_method").or(intent.payment_method.as_deref());
    let Some(name) = name else { return Ok(Answer::invalid("parameter_missing", "It has no payment method.")) };
    let Some(method) = method(name) else { return Ok(Answer::missing("payment_method")) };
    let breaks = method.charge == Charge::BreaksOnce && intent.last_payment_error.is_none();
    sqlx::query("update intent set payment_method = $2, last_payment_error = $3 where id = $1")
        .bind(id)
        .bind(name)
        .bind(breaks.then(|| json!({"type": "api_error"})))
        .execute(&mut *db)
        .await?;
    match method.charge {
        Charge::BreaksOnce if breaks => {}
        Charge::BreaksOnce => {
            pay(db, id).await?;
            return get(db, id).await;
        }
        Charge::Pays => pay(db, id).await?,
        Charge::NeedsAuthentication => {
            sqlx::query("update intent set status = $2 where id = $1").bind(id).bind(ACTION).execute(&mut *db).await?;
            if let Some(intent) = lock(db, id).await? {
                webhooks::notify(db, &intent, "payment_intent.requires_action", method.delivery).await?;
            }
        }
        Charge::PaysAfter(delay) => {
            let later =
                "update intent set status = 'processing', settle_at = clock_timestamp() + make_interval(secs => $2)
                         where id = $1";
            sqlx::query(later).bind(id).bind(delay.as_secs_f64()).execute(&mut *db).await?;
        }
        Charge::Declines(code, of_bank, message) => {
            let charge = format!("ch_sandbox_{}", Uuid::now_v7().simple());
            let error = json!({"type": "card_error", "code": code, "decline_code": of_bank, "message": message,
                               "charge": charge});
            let kind = if method.delivery == Delivery::Forged { "payment_intent.succeeded" } else { FAILED };
            decline(db, id, &error, kind, method.delivery).await?;
            let answer = Answer { status: 402, ..Answer::ok(json!({ "error": error })) };
            return Ok(answer.manner(method.manner));
        }
    }
    Ok(get(db, id).await?.manner(method.manner))
}

const FAILED: &str = "payment_intent.payment_failed";

/// Reopens the intent and notifies the shop.
async fn decline(
    db: &mut PgConnection,
    id: &str,
    error: &Value,
    kind: &str,
    delivery: Delivery,
) -> Result<(), sqlx::Error> {
    let decline = "update intent set status = 'requires_payment_method', last_payment_error = $2 where id = $1";
    sqlx::query(decline).bind(id).bind(error).execute(&mut *db).await?;
    match lock(db, id).await? {
        Some(intent) => webhooks::notify(db, &intent, kind, delivery).await,
        None => Ok(()),
    }
}

pub(crate) async fn authenticate(db: &mut PgConnection, id: &str, succeeds: bool) -> Done {
    let Some(intent) = lock(db, id).await? else { return Ok(Answer::missing("payment_intent")) };
    if intent.status != ACTION {
        return Ok(intent.unexpected());
    }
    if succeeds {
        pay(db, id).await?;
    } else {
        let error = json!({"type": "invalid_request_error", "code": "payment_intent_authentication_failure",
                           "message": "The buyer did not confirm the payment.",
                           "payment_method": {"id": intent.payment_method}});
        decline(db, id, &error, FAILED, Delivery::Once).await?;
    }
    get(db, id).await
}

/// Charges the intent and notifies the shop in the way of the payment method.
pub(crate) async fn pay(db: &mut PgConnection, id: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update intent set status = 'succeeded', settle_at = null where id = $1")
        .bind(id)
        .execute(&mut *db)
        .await?;
    let Some(intent) = lock(db, id).await? else { return Ok(()) };
    sqlx::query("insert into charge (id, intent_id, amount) values ($1, $2, $3)")
        .bind(format!("ch_sandbox_{}", Uuid::now_v7().simple()))
        .bind(id)
        .bind(intent.amount)
        .execute(&mut *db)
        .await?;
    let method = intent.payment_method.as_deref().and_then(method);
    let delivery = method.map_or(Delivery::Once, |method| method.delivery);
    webhooks::notify(db, &intent, "payment_intent.succeeded", delivery).await?;
    if method.is_some_and(|method| method.aftermath == Aftermath::Disputed) {
        disputes::open(db, id, intent.amount).await?;
    }
    Ok(())
}

pub(crate) async fn cancel(db: &mut PgConnection, id: &str) -> Done {
    let Some(intent) = lock(db, id).await? else { return Ok(Answer::missing("payment_intent")) };
    if !intent.is_open() {
        return Ok(intent.unexpected());
    }
    sqlx::query("update intent set status = 'canceled' where id = $1").bind(id).execute(&mut *db).await?;
    if let Some(intent) = lock(db, id).await? {
        webhooks::notify(db, &intent, "payment_intent.canceled", Delivery::Once).await?;
    }
    get(db, id).await
}
