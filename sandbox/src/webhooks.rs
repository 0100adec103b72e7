//! Webhooks, stored in the transaction that they report and sent afterwards.

use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{intents::Intent, methods::Delivery};

/// The delay of late webhooks, in seconds.
const LATE: f64 = 2.0;

/// Stores an event for the shop, to be delivered in the given way.
pub(crate) async fn notify(
    db: &mut PgConnection,
    intent: &Intent,
    kind: &str,
    delivery: Delivery,
) -> Result<(), sqlx::Error> {
    let event = Event::of(intent, kind);
    match delivery {
        Delivery::Once => event.leave(db, None, 0.0).await,
        Delivery::Late => event.leave(db, None, LATE).await,
        Delivery::Twice => {
            event.leave(db, None, 0.0).await?;
            event.leave(db, None, 0.0).await
        }
        Delivery::Reordered => {
            event.leave(db, None, 0.0).await?;
            // These statuses were true earlier and are outdated now.
            for (kind, status) in
                [("payment_intent.processing", "processing"), ("payment_intent.created", "requires_payment_method")]
            {
                Event::saying(intent, kind, status).leave(db, None, 0.0).await?;
            }
            Ok(())
        }
        Delivery::Forged => {
            for forgery in ["other_secret", "too_old", "unsigned"] {
                Event::saying(intent, kind, "succeeded").leave(db, Some(forgery), 0.0).await?;
            }
            Ok(())
        }
    }
}

/// Stores an event about an object that belongs to an intent.
pub(crate) async fn notify_of(
    db: &mut PgConnection,
    intent: &str,
    kind: &str,
    object: &Value,
) -> Result<(), sqlx::Error> {
    Event::about(intent, kind, object).leave(db, None, 0.0).await
}

struct Event {
    id: String,
    kind: String,
    intent: String,
    body: String,
}

impl Event {
    fn of(intent: &Intent, kind: &str) -> Self {
        Self::saying(intent, kind, &intent.status)
    }

    fn saying(intent: &Intent, kind: &str, status: &str) -> Self {
        let mut object = intent.json();
        object["status"] = json!(status);
        // Omitted from webhooks: their recipient must not be able to pay with it.
        object["client_secret"] = json!(null);
        Self::about(&intent.id, kind, &object)
    }

    fn about(intent: &str, kind: &str, object: &Value) -> Self {
        let id = format!("evt_sandbox_{}", Uuid::now_v7().simple());
        let body = json!({"id": id, "object": "event", "type": kind, "data": {"object": object}}).to_string();
        Self { id, kind: kind.to_owned(), intent: intent.to_owned(), body }
    }

    async fn leave(&self, db: &mut PgConnection, forgery: Option<&str>, delay: f64) -> Result<(), sqlx::Error> {
        sqlx::query(
            "insert into webhook (event_id, intent_id, type, body, forgery, due_at)
             values ($1, $2, $3, $4, $5, clock_timestamp() + make_interval(secs => $6))",
        )
        .bind(&self.id)
        .bind(&self.intent)
        .bind(&self.kind)
        .bind(&self.body)
        .bind(forgery)
        .bind(delay)
        .execute(db)
        .await?;
        Ok(())
    }
}
