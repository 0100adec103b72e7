//! Dead-letters events that could not be handled, and claims those that an operator redrives.

use std::collections::HashSet;

use contract::EventHead;
use sqlx::{PgConnection, PgPool, types::Json};
use uuid::Uuid;

use super::{
    EventItem,
    attempts::delete_attempts,
    inbox::{claim, lock},
};
use crate::{columns, error::InternalError};

/// Dead-letters an event. R10: the inbox row and the dead letter are written in one transaction; otherwise another copy
/// of the event could still run. Writes no dead letter if the event was handled in the meantime, or belongs to a
/// history that a restore has ended. A dead letter whose redrive failed gets the new reason. Returns whether it wrote
/// one.
pub(super) async fn add(pool: &PgPool, item: &EventItem, reason: &str, attempts: i32) -> Result<bool, InternalError> {
    let head = &item.head;
    let mut transaction = pool.begin().await?;
    // The transaction of the failed run may still hold the claim: it is rolled back in the background.
    lock(&mut transaction, head).await?;
    let (claimed, _) = claim(&mut transaction, std::slice::from_ref(item)).await?;
    let mut is_written = !claimed.fresh.is_empty();
    if is_written {
        let sql = "insert into dead_letter (source, event_id, name, head, payload, reason, attempts)
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (source, event_id) do update set reason = excluded.reason";
        sqlx::query(sql)
            .bind(&head.source)
            .bind(head.id)
            .bind(&head.name)
            .bind(Json(head))
            .bind(&item.payload[..])
            .bind(reason)
            .bind(attempts)
            .execute(&mut *transaction)
            .await?;
    }
    if item.is_redrive {
        let sql = "update dead_letter set reason = $3, attempts = attempts + 1, dead_lettered_at = clock_timestamp()
             where source = $1 and event_id = $2";
        let update = sqlx::query(sql).bind(&head.source).bind(head.id).bind(reason);
        is_written = update.execute(&mut *transaction).await?.rows_affected() == 1;
    }
    delete_attempts(&mut transaction, [item]).await?;
    transaction.commit().await?;
    Ok(is_written)
}

/// R11: claims events for a redrive by deleting their dead letters in the transaction that handles them; neither the
/// inbox nor the cursor is checked. Returns the indices of the events that could be claimed.
pub(super) async fn claim_for_redrive(
    connection: &mut PgConnection,
    batch: &[EventItem],
    places: &[usize],
) -> Result<Vec<usize>, InternalError> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let heads: Vec<&EventHead> = places.iter().map(|index| &batch[*index].head).collect();
    let sql = "delete from dead_letter d using unnest($1::text[], $2::uuid[]) as t(source, event_id)
         where d.source = t.source and d.event_id = t.event_id returning d.source, d.event_id";
    let query = columns!(sqlx::query_as(sql), heads, head; head.source.as_str(), head.id);
    let deleted: HashSet<(String, Uuid)> = query.fetch_all(connection).await?.into_iter().collect();
    let is_claimed = |head: &EventHead| deleted.contains(&(head.source.clone(), head.id));
    Ok(places.iter().copied().filter(|index| is_claimed(&batch[*index].head)).collect())
}
