//! Determines which events of a batch are new: claims and inbox rows first, cursors in a later statement.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use contract::{EventHead, Position};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::EventItem;
use crate::{columns, database::position, error::InternalError, log::event_log::id_hash};

/// The result of claiming a batch, by the indices of its events.
#[derive(Default)]
pub(super) struct Claimed {
    /// Claimed by another transaction.
    pub unclaimed: Vec<usize>,
    /// Not handled before: without an inbox row until now, and above the cursor.
    pub fresh: Vec<usize>,
    /// Redriven by an operator.
    pub redriven: Vec<usize>,
}

/// Claims events, and inserts inbox rows for those that it claims; an event that has a row was handled before. The rows
/// are sorted in between, so all locks are taken before the first row is inserted. A row that another transaction
/// committed after this statement began conflicts as well: `on conflict` does not depend on the snapshot.
///
/// The cursors are read in a later statement of the same transaction: if they were read first, a copy that has waited
/// since before a prune would run a second time. Returns the database's time too.
pub(super) async fn claim(
    connection: &mut PgConnection,
    batch: &[EventItem],
) -> Result<(Claimed, DateTime<Utc>), InternalError> {
    let sql = "with claimed as materialized (
             select *, pg_try_advisory_xact_lock(number) as is_ours
             from unnest($1::bigint[], $2::text[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::bigint[],
                         $8::boolean[])
                  with ordinality as t(number, source, event_id, name, epoch, xid, id_hash, is_redrive, place)),
         fresh as (
             insert into inbox (source, event_id, name, epoch, xid, id_hash)
             select source, event_id, name, epoch, xid, id_hash from claimed where is_ours and not is_redrive
             order by source, event_id
             on conflict do nothing returning source, event_id)
         select place - 1 as index, is_ours, is_redrive, fresh.event_id is not null as is_fresh, now() as now
         from claimed left join fresh using (source, event_id) order by source, event_id";
    let query = columns!(sqlx::query(sql), batch, item;
        lock_number(&item.head), item.head.source.as_str(), item.head.id, item.head.name.as_str(),
        item.head.position.epoch, item.head.position.xid, id_hash(item.head.id), item.is_redrive);
    let rows = query.fetch_all(&mut *connection).await?;
    let (mut claimed, mut now) = (Claimed::default(), DateTime::default());
    for row in rows {
        now = row.try_get("now")?;
        let index = usize::try_from(row.try_get::<i64, _>("index")?).map_err(InternalError::other)?;
        if !row.try_get::<bool, _>("is_ours")? {
            claimed.unclaimed.push(index);
        } else if row.try_get("is_redrive")? {
            claimed.redriven.push(index);
        } else if row.try_get("is_fresh")? {
            claimed.fresh.push(index);
        }
    }
    // The caller removes them from the batch by index, the last one first.
    claimed.unclaimed.sort_unstable();
    drop_handled(connection, batch, &mut claimed.fresh).await?;
    Ok((claimed, now))
}

/// Waits until no other transaction holds the claim on an event, and takes it.
pub(super) async fn lock(connection: &mut PgConnection, head: &EventHead) -> Result<(), InternalError> {
    let sql = "select pg_advisory_xact_lock($1)";
    sqlx::query(sql).bind(lock_number(head)).execute(connection).await?;
    Ok(())
}

fn lock_number(head: &EventHead) -> i64 {
    id_hash(Uuid::new_v5(&head.id, head.source.as_bytes()))
}

/// Drops events at or below the cursor of their type, and events of a history that a restore has ended.
async fn drop_handled(
    connection: &mut PgConnection,
    batch: &[EventItem],
    fresh: &mut Vec<usize>,
) -> Result<(), InternalError> {
    if fresh.is_empty() {
        return Ok(());
    }
    let mut sources: Vec<String> = fresh.iter().map(|index| batch[*index].head.source.clone()).collect();
    sources.sort_unstable();
    sources.dedup();
    let sql = "select source, name, epoch, xid from cursor where source = any($1)
         union all select source, '', epoch, 0 from source_epoch where source = any($1)";
    let rows = sqlx::query(sql).bind(&sources).fetch_all(&mut *connection).await?;
    let mut known: HashMap<(String, String), Position> = HashMap::new();
    for row in rows {
        let position = position(&row)?;
        known.insert((row.try_get("source")?, row.try_get("name")?), position);
    }
    let mut ghosts = Vec::new();
    fresh.retain(|index| {
        let item = &batch[*index];
        let head = &item.head;
        let newest_epoch = known.get(&(head.source.clone(), String::new())).map_or(0, |position| position.epoch);
        if item.known_in_epoch < newest_epoch {
            ghosts.push(head.id);
            return false;
        }
        known.get(&(head.source.clone(), head.name.clone())).is_none_or(|cursor| head.position > *cursor)
    });
    if !ghosts.is_empty() {
        // These were not handled: catch-up delivers them again if they are still in the log.
        sqlx::query("delete from inbox where source = any($1) and event_id = any($2)")
            .bind(&sources)
            .bind(&ghosts)
            .execute(connection)
            .await?;
        metrics::counter!("events_of_older_epochs_total").increment(ghosts.len() as u64);
    }
    Ok(())
}
