//! Which events of a batch are news: claims, inbox rows first, cursors in a later statement.

use std::collections::{HashMap, HashSet};

use contract::Position;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::EventItem;
use crate::{failure::Breakage, log::mark, operation::EventHead};

pub(super) async fn claim(
    connection: &mut PgConnection,
    batch: &[EventItem],
) -> Result<(Vec<usize>, chrono::DateTime<chrono::Utc>), Breakage> {
    let mut locks: Vec<(i64, usize)> =
        batch.iter().enumerate().map(|(index, item)| (lock_number(&item.head), index)).collect();
    locks.sort_unstable();
    let rows = sqlx::query(
        "select pg_try_advisory_xact_lock(number) as claimed, now() as now
         from unnest($1::bigint[]) with ordinality as t(number, place) order by place",
    )
    .bind(locks.iter().map(|(number, _)| *number).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let (mut claimed, mut now) = (Vec::with_capacity(batch.len()), chrono::DateTime::default());
    for (row, (_, index)) in rows.iter().zip(&locks) {
        now = row.try_get("now")?;
        if row.try_get("claimed")? {
            claimed.push(*index);
        }
    }
    Ok((claimed, now))
}

fn lock_number(head: &EventHead) -> i64 {
    mark(Uuid::new_v5(&head.id, head.source.as_bytes()))
}

/// Inserts inbox rows, sorted; what had one was handled before.
pub(super) async fn insert_inbox(
    connection: &mut PgConnection,
    batch: &[EventItem],
    claimed: &[usize],
) -> Result<Vec<usize>, Breakage> {
    let mut items: Vec<usize> = claimed.to_vec();
    items.sort_by_key(|index| (&batch[*index].head.source, batch[*index].head.id));
    let heads = || items.iter().map(|index| &batch[*index].head);
    let rows = sqlx::query(
        "insert into inbox (source, event_id, name, era, xid, mark)
         select * from unnest($1::text[], $2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[])
         on conflict do nothing returning source, event_id",
    )
    .bind(heads().map(|h| h.source.clone()).collect::<Vec<_>>())
    .bind(heads().map(|h| h.id).collect::<Vec<_>>())
    .bind(heads().map(|h| h.name.clone()).collect::<Vec<_>>())
    .bind(heads().map(|h| h.position.era).collect::<Vec<_>>())
    .bind(heads().map(|h| h.position.xid).collect::<Vec<_>>())
    .bind(heads().map(|h| mark(h.id)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let new: HashSet<(String, Uuid)> = rows
        .iter()
        .map(|row| Ok((row.try_get("source")?, row.try_get("event_id")?)))
        .collect::<Result<_, sqlx::Error>>()?;
    Ok(items.into_iter().filter(|i| new.contains(&(batch[*i].head.source.clone(), batch[*i].head.id))).collect())
}

/// Drops what lies at or below the cursor of its type, and what belongs to a history that a restore has ended.
pub(super) async fn drop_handled(
    connection: &mut PgConnection,
    batch: &[EventItem],
    fresh: &mut Vec<usize>,
) -> Result<(), Breakage> {
    if fresh.is_empty() {
        return Ok(());
    }
    let mut sources: Vec<String> = fresh.iter().map(|index| batch[*index].head.source.clone()).collect();
    sources.sort_unstable();
    sources.dedup();
    let rows = sqlx::query(
        "select source, name, era, xid from cursor where source = any($1)
         union all select source, '', era, 0 from source_era where source = any($1)",
    )
    .bind(&sources)
    .fetch_all(&mut *connection)
    .await?;
    let mut known: HashMap<(String, String), Position> = HashMap::new();
    for row in rows {
        let position = Position { era: row.try_get("era")?, xid: row.try_get("xid")? };
        known.insert((row.try_get("source")?, row.try_get("name")?), position);
    }
    let mut ghosts = Vec::new();
    fresh.retain(|index| {
        let item = &batch[*index];
        let head = &item.head;
        let newest_era = known.get(&(head.source.clone(), String::new())).map_or(0, |position| position.era);
        if item.known_in_era < newest_era {
            ghosts.push(head.id);
            return false;
        }
        known.get(&(head.source.clone(), head.name.clone())).is_none_or(|cursor| head.position > *cursor)
    });
    if !ghosts.is_empty() {
        // Not handled: catch-up brings them again if the log still has them.
        sqlx::query("delete from inbox where source = any($1) and event_id = any($2)")
            .bind(&sources)
            .bind(&ghosts)
            .execute(connection)
            .await?;
        metrics::counter!("events_of_older_eras_total").increment(ghosts.len() as u64);
    }
    Ok(())
}
