//! Background work: late charges, failing refunds and webhooks.

use std::time::Duration;

use chrono::Utc;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use sqlx::{FromRow, PgPool};

use crate::{Webhooks, intents, refunds};

const PAUSE: Duration = Duration::from_millis(50);

/// Timeout for the shop's reply to a webhook.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Attempts before a webhook is given up, half a second apart.
const ATTEMPTS: i32 = 240;

#[derive(FromRow)]
struct Due {
    number: i64,
    body: String,
    forgery: Option<String>,
    attempts: i32,
}

/// Makes late charges until it is aborted. Pending ones continue after the next start.
pub(crate) async fn settle(db: PgPool) {
    again_and_again(|| settle_some(&db)).await;
}

/// Sends webhooks until it is aborted. Pending ones continue after the next start.
pub(crate) async fn send(db: PgPool, webhooks: Webhooks) {
    let client = reqwest::Client::builder().timeout(TIMEOUT).build().unwrap_or_default();
    again_and_again(|| send_some(&db, &client, &webhooks)).await;
}

async fn again_and_again<F: Future<Output = Result<(), sqlx::Error>>>(mut step: impl FnMut() -> F) {
    loop {
        if let Err(error) = step().await {
            tracing::warn!(%error, "sandbox database unavailable");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Charges intents and fails refunds that are due.
async fn settle_some(db: &PgPool) -> Result<(), sqlx::Error> {
    let mut transaction = db.begin().await?;
    let due: Vec<String> = sqlx::query_scalar(
        "select id from intent where status = 'processing' and settle_at <= now()
         order by settle_at limit 100 for update skip locked",
    )
    .fetch_all(&mut *transaction)
    .await?;
    for id in due {
        intents::pay(&mut transaction, &id).await?;
    }
    let failing: Vec<String> = sqlx::query_scalar(
        "select id from refund where status = 'succeeded' and fails_at <= now()
         order by fails_at limit 100 for update skip locked",
    )
    .fetch_all(&mut *transaction)
    .await?;
    for id in failing {
        refunds::fail(&mut transaction, &id).await?;
    }
    transaction.commit().await
}

/// Sends due webhooks, one after the other, in the order of their due times.
async fn send_some(db: &PgPool, client: &reqwest::Client, webhooks: &Webhooks) -> Result<(), sqlx::Error> {
    let due: Vec<Due> = sqlx::query_as(
        "select number, body, forgery, attempts from webhook
         where ended_at is null and due_at <= now() order by due_at, number limit 16",
    )
    .fetch_all(db)
    .await?;
    for one in due {
        let mut request = client.post(&webhooks.url).header("Content-Type", "application/json; charset=utf-8");
        if let Some(signature) = signature(&one, &webhooks.secret) {
            request = request.header("Stripe-Signature", signature);
        }
        let answered = request.body(one.body.clone()).send().await.ok().map(|answer| answer.status());
        let is_taken = answered.is_some_and(|status| status.is_success());
        // A forgery ends with any reply.
        let has_ended = is_taken || one.attempts + 1 >= ATTEMPTS || (one.forgery.is_some() && answered.is_some());
        sqlx::query(
            "update webhook set attempts = attempts + 1, answered = $2,
                 due_at = clock_timestamp() + interval '500 milliseconds',
                 ended_at = case when $3 then clock_timestamp() end
             where number = $1",
        )
        .bind(one.number)
        .bind(answered.map(|status| i32::from(status.as_u16())))
        .bind(has_ended)
        .execute(db)
        .await?;
    }
    Ok(())
}

/// The signature `t=<unix time>,v1=<hex>`; that of a forgery is invalid or absent.
fn signature(one: &Due, secret: &str) -> Option<String> {
    let now = Utc::now().timestamp();
    let (secret, time) = match one.forgery.as_deref() {
        None => (secret, now),
        Some("other_secret") => ("whsec_other", now),
        Some("too_old") => (secret, now - 301),
        Some(_) => return None,
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).ok()?;
    mac.update(format!("{time}.{}", one.body).as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("t={time},v1={hex}"))
}
