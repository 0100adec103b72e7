//! Events that could not be handled: parked with their reason, listed, and redriven by a person.

use chrono::{DateTime, Utc};
use contract::{Fault, Position, subject::internal};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool, Row, types::Json};
use uuid::Uuid;

use crate::{
    client::{Call, Client},
    failure::{Breakage, Stored},
    lane::EventItem,
    log::mark,
    operation::EventHead,
};

/// The head of a parked event, as its row keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct StoredHead {
    version: i64,
    at: DateTime<Utc>,
    position: Position,
    #[serde(default)]
    request_id: Option<String>,
    #[serde(default)]
    traceparent: Option<String>,
}

/// A parked event.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The event.
    pub event_id: Uuid,
    /// Whose event it is.
    pub source: String,
    /// Its name there.
    pub name: String,
    /// Why it could not be handled.
    pub reason: String,
    /// How often it ran.
    pub attempts: i32,
    /// When it was parked.
    pub parked_at: DateTime<Utc>,
}

/// Asks for parked events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeadLettersRequest {
    pub limit: i64,
}

/// Asks for one to be handled again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RedriveRequest {
    pub event_id: Uuid,
}

/// Whether it was there, and its lane has it now.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Redriven {
    pub is_handed_over: bool,
}

impl Client {
    /// The parked events of a domain, oldest first. Needs the rights of the operator.
    ///
    /// # Errors
    /// A fault, where the domain does not answer.
    pub async fn dead_letters(&self, domain: &str, limit: i64) -> Result<Vec<DeadLetter>, Fault> {
        let request = DeadLettersRequest { limit };
        self.ask_internal(domain, internal::DEAD_LETTERS, &request, &Call::default()).await
    }

    /// Has a parked event handled once more; false where it is not parked. Needs the rights of the operator.
    ///
    /// # Errors
    /// A fault, where the domain does not answer.
    pub async fn redrive(&self, domain: &str, event_id: Uuid) -> Result<bool, Fault> {
        let request = RedriveRequest { event_id };
        let redriven: Redriven = self.ask_internal(domain, internal::REDRIVE, &request, &Call::default()).await?;
        Ok(redriven.is_handed_over)
    }
}

/// Parks an event: the inbox row and the dead letter in one transaction, or a copy could still run beside it. Nothing
/// happens where the event was handled meanwhile.
pub(crate) async fn park(
    pool: &PgPool,
    head: &EventHead,
    payload: &[u8],
    known_in_era: i64,
    reason: &str,
    attempts: i32,
) -> Stored<()> {
    let mut transaction = pool.begin().await?;
    let inserted = sqlx::query(
        "insert into inbox (source, event_id, name, era, xid, mark) values ($1, $2, $3, $4, $5, $6)
         on conflict do nothing",
    )
    .bind(&head.source)
    .bind(head.id)
    .bind(&head.name)
    .bind(head.position.era)
    .bind(head.position.xid)
    .bind(mark(head.id))
    .execute(&mut *transaction)
    .await?;
    // As in a lane: nothing at or below its cursor, and nothing of a history that a restore has ended.
    let is_ghost: bool = sqlx::query_scalar("select exists (select 1 from source_era where source = $1 and era > $2)")
        .bind(&head.source)
        .bind(known_in_era)
        .fetch_one(&mut *transaction)
        .await?;
    if is_ghost {
        return Ok(transaction.rollback().await?);
    }
    let below: bool = sqlx::query_scalar(
        "select exists (select 1 from cursor where source = $1 and name = $2 and (era, xid) >= ($3, $4))",
    )
    .bind(&head.source)
    .bind(&head.name)
    .bind(head.position.era)
    .bind(head.position.xid)
    .fetch_one(&mut *transaction)
    .await?;
    if inserted.rows_affected() == 1 && !below {
        let stored = StoredHead {
            version: head.version,
            at: head.at,
            position: head.position,
            request_id: head.request_id.clone(),
            traceparent: head.traceparent.clone(),
        };
        sqlx::query(
            "insert into dead_letter (source, event_id, name, head, payload, reason, attempts)
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (source, event_id) do update set reason = excluded.reason",
        )
        .bind(&head.source)
        .bind(head.id)
        .bind(&head.name)
        .bind(Json(&stored))
        .bind(payload)
        .bind(reason)
        .bind(attempts)
        .execute(&mut *transaction)
        .await?;
    }
    sqlx::query("delete from attempt where source = $1 and event_id = $2")
        .bind(&head.source)
        .bind(head.id)
        .execute(&mut *transaction)
        .await?;
    Ok(transaction.commit().await?)
}

/// A redrive claims its event by deleting the dead letter in the transaction of the effect; it passes neither inbox nor
/// cursor. Gives the places of what could be claimed.
pub(crate) async fn claim_for_redrive(
    connection: &mut PgConnection,
    batch: &[EventItem],
    places: &[usize],
) -> Stored<Vec<usize>> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<Uuid> = places.iter().map(|index| batch[*index].head.id).collect();
    let deleted: Vec<Uuid> = sqlx::query_scalar("delete from dead_letter where event_id = any($1) returning event_id")
        .bind(ids)
        .fetch_all(connection)
        .await?;
    Ok(places.iter().copied().filter(|index| deleted.contains(&batch[*index].head.id)).collect())
}

/// The parked events of a domain, oldest first.
pub(crate) async fn list(pool: &PgPool, limit: i64) -> Stored<Vec<DeadLetter>> {
    let rows = sqlx::query(
        "select event_id, source, name, reason, attempts, parked_at from dead_letter order by parked_at limit $1",
    )
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(DeadLetter {
                event_id: row.try_get("event_id")?,
                source: row.try_get("source")?,
                name: row.try_get("name")?,
                reason: row.try_get("reason")?,
                attempts: row.try_get("attempts")?,
                parked_at: row.try_get("parked_at")?,
            })
        })
        .collect()
}

/// A parked event as it can be run again.
pub(crate) async fn read(pool: &PgPool, event_id: Uuid) -> Stored<Option<(EventHead, Vec<u8>)>> {
    let row = sqlx::query("select source, name, head, payload from dead_letter where event_id = $1")
        .bind(event_id)
        .fetch_optional(pool)
        .await?;
    row.map(|row| {
        let Json(stored): Json<StoredHead> = row.try_get("head")?;
        let head = EventHead {
            id: event_id,
            source: row.try_get("source")?,
            name: row.try_get("name")?,
            version: stored.version,
            at: stored.at,
            position: stored.position,
            request_id: stored.request_id,
            traceparent: stored.traceparent,
        };
        Ok::<_, Breakage>((head, row.try_get("payload")?))
    })
    .transpose()
}
