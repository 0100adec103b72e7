//! Batches of events: inbox rows first, cursors in a later statement, reactions, one commit. The inbox is the ack.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use bytes::Bytes;
use contract::Position;
use sqlx::{PgConnection, Row};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::{
    LaneContext, LaneMessage, Lanes, Next, announce,
    commit::{AnswerRows, Committed, write},
    measure, next_after,
};
use crate::{
    consumer::InFlight,
    dead_letter,
    failure::Stored,
    guard::guarded,
    log::mark,
    operation::{Erased, EventHead, EventRoute},
    tx::Tx,
};

/// An event in a lane.
pub(crate) struct EventItem {
    pub route: EventRoute,
    pub head: EventHead,
    pub entity: Uuid,
    pub payload: Bytes,
    /// The message, or why it could not be read.
    pub message: Result<Erased, String>,
    /// The owner's era when this copy was known to be in its log: what the stream brought knows only its own.
    pub known_in_era: i64,
    /// It may have run before, and may have killed who ran it: count before running.
    pub is_repeat: bool,
    /// A person asked for it: it passes neither inbox nor cursor.
    pub is_redrive: bool,
    /// Held for what its drop does.
    pub _in_flight: Option<InFlight>,
    /// Held for what its drop does.
    pub _permit: Option<OwnedSemaphorePermit>,
}

/// Runs of an event before it is parked.
pub(crate) const ATTEMPTS: i32 = 5;

/// Runs that never finished, because the process died or the database went away, before an event is parked unrun.
const UNFINISHED_RUNS: i32 = 10;

/// The pause before an event that failed runs again.
const RETRY_PAUSE: Duration = Duration::from_millis(300);

pub(super) async fn run(lanes: &Lanes, items: Vec<EventItem>) {
    let (ready, alone) = prepare(lanes, items).await;
    run_all(lanes, ready).await;
    for item in alone {
        if let Some(item) = count_or_park(&lanes.context, item).await {
            run_all(lanes, vec![item]).await;
        }
    }
}

async fn run_all(lanes: &Lanes, items: Vec<EventItem>) {
    let mut work = vec![items];
    while let Some(batch) = work.pop() {
        if !batch.is_empty() {
            run_batch(lanes, batch, &mut work).await;
        }
    }
}

/// Parks what cannot be read; counts the runs of what may have run before. What was counted before runs alone, and those
/// with the fewest runs first: one of them may kill the process, and its neighbours must neither be counted for it nor
/// wait behind it.
async fn prepare(lanes: &Lanes, items: Vec<EventItem>) -> (Vec<EventItem>, Vec<EventItem>) {
    let context = &lanes.context;
    let mut seen = HashSet::new();
    let (mut ready, mut repeats) = (Vec::new(), Vec::new());
    for item in items {
        // The same event twice in a batch: one copy is enough.
        if !seen.insert((item.head.source.clone(), item.head.id, item.is_redrive)) {
            continue;
        }
        if let Err(reason) = &item.message {
            let reason = reason.clone();
            park(context, &item, &reason, 0).await;
        } else if item.is_repeat {
            repeats.push(item);
        } else {
            ready.push(item);
        }
    }
    if repeats.is_empty() {
        return (ready, Vec::new());
    }
    let counted = async {
        let before = counted_attempts(context, &repeats).await?;
        let (mut alone, first): (Vec<_>, Vec<_>) =
            repeats.into_iter().partition(|item| before.contains_key(&item.head.id));
        alone.sort_by_key(|item| before.get(&item.head.id).copied());
        count_attempts(context, &first).await?;
        Stored::Ok((first, alone))
    };
    match counted.await {
        Ok((first, alone)) => {
            ready.extend(first);
            (ready, alone)
        }
        // Not counted means not run: catch-up brings them again.
        Err(breakage) => {
            tracing::warn!(domain = context.domain, %breakage, "attempts could not be counted");
            (ready, Vec::new())
        }
    }
}

/// Counts the run that is about to begin, and parks unrun what has had its runs.
async fn count_or_park(context: &LaneContext, item: EventItem) -> Option<EventItem> {
    match count_attempts(context, std::slice::from_ref(&item)).await {
        Ok(counts) => {
            let count = counts.get(&item.head.id).copied().unwrap_or(0);
            if count > UNFINISHED_RUNS {
                park(context, &item, "it was run to its limit and never finished", count).await;
                return None;
            }
            Some(item)
        }
        Err(breakage) => {
            tracing::warn!(domain = context.domain, %breakage, "an attempt could not be counted");
            None
        }
    }
}

/// The runs that were counted so far.
async fn counted_attempts(context: &LaneContext, items: &[EventItem]) -> Stored<HashMap<Uuid, i32>> {
    let (sources, ids) = keys(items);
    let rows = sqlx::query(
        "select event_id, count from unnest($1::text[], $2::uuid[]) as t(source, event_id)
         join attempt using (source, event_id)",
    )
    .bind(sources)
    .bind(ids)
    .fetch_all(&context.db.lanes)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("event_id")?, row.try_get("count")?))).collect()
}

/// Sources and ids, in one order everywhere.
fn keys(items: &[EventItem]) -> (Vec<String>, Vec<Uuid>) {
    let mut keys: Vec<(String, Uuid)> = items.iter().map(|i| (i.head.source.clone(), i.head.id)).collect();
    keys.sort_unstable();
    keys.into_iter().unzip()
}

async fn count_attempts(context: &LaneContext, items: &[EventItem]) -> Stored<HashMap<Uuid, i32>> {
    let (sources, ids) = keys(items);
    let rows = sqlx::query(
        "insert into attempt (source, event_id, count) select *, 1 from unnest($1::text[], $2::uuid[])
         on conflict (source, event_id) do update set count = attempt.count + 1, at = clock_timestamp() returning event_id, count",
    )
    .bind(sources)
    .bind(ids)
    .fetch_all(&context.db.lanes)
    .await?;
    rows.iter().map(|row| Ok((row.try_get("event_id")?, row.try_get("count")?))).collect()
}

/// The run that was counted ahead did not happen, or failed by nobody's fault. Where the database is still away the count stands, which is
/// why the limit for runs that never finished is the greater one.
async fn uncount_attempt(context: &LaneContext, item: &EventItem) {
    let done = sqlx::query("update attempt set count = count - 1 where source = $1 and event_id = $2 and count > 0")
        .bind(&item.head.source)
        .bind(item.head.id)
        .execute(&context.db.lanes)
        .await;
    if let Err(error) = done {
        tracing::debug!(domain = context.domain, %error, "an attempt stays counted");
    }
}

async fn run_batch(lanes: &Lanes, mut batch: Vec<EventItem>, work: &mut Vec<Vec<EventItem>>) {
    let context = &lanes.context;
    let mut attempt = 0;
    loop {
        attempt += 1;
        let began = Instant::now();
        let confirmed = context.publisher.take_confirmed();
        match guarded(transact(context, &batch, &confirmed)).await {
            Ok((unclaimed, committed)) => {
                measure(context, "event", batch.len(), began);
                announce(context, committed);
                for index in unclaimed.into_iter().rev() {
                    let item = batch.swap_remove(index);
                    if item.is_repeat {
                        // It did not run after all: somebody else holds it.
                        uncount_attempt(context, &item).await;
                    }
                    lanes.cast_later(item.entity, LaneMessage::Event(Box::new(item)), RETRY_PAUSE);
                }
                return;
            }
            Err(breakage) => {
                context.publisher.put_back(confirmed);
                match next_after(context, &breakage, batch.len(), attempt).await {
                    Next::Again => {}
                    Next::Halve => {
                        let second = batch.split_off(batch.len() / 2);
                        work.push(second);
                        work.push(batch);
                        return;
                    }
                    Next::GiveUp => {
                        let blamed = breakage.blame() == crate::failure::Blame::Data;
                        for item in batch {
                            again(lanes, item, blamed, &breakage.to_string()).await;
                        }
                        return;
                    }
                }
            }
        }
    }
}

/// An event that failed runs again after a pause, and is parked at its limit. A failure that is nobody's counts against
/// nobody: catch-up brings the event again once the database is back.
async fn again(lanes: &Lanes, mut item: EventItem, blamed: bool, reason: &str) {
    let context = &lanes.context;
    if !blamed {
        if item.is_repeat {
            uncount_attempt(context, &item).await;
        }
        return;
    }
    let counted = match count_attempts(context, std::slice::from_ref(&item)).await {
        Ok(counts) => counts.get(&item.head.id).copied().unwrap_or(0),
        Err(breakage) => {
            tracing::warn!(domain = context.domain, %breakage, "an attempt could not be counted");
            return;
        }
    };
    if counted >= ATTEMPTS || item.is_redrive {
        park(context, &item, reason, counted).await;
        return;
    }
    // Counted here already, so the next run need not count again.
    item.is_repeat = false;
    lanes.cast_later(
        item.entity,
        LaneMessage::Event(Box::new(item)),
        RETRY_PAUSE * u32::try_from(counted).unwrap_or(1),
    );
}

async fn park(context: &LaneContext, item: &EventItem, reason: &str, attempts: i32) {
    let pool = &context.db.lanes;
    let parked = if item.is_redrive {
        dead_letter::park_again(pool, &item.head, reason).await
    } else {
        dead_letter::park(pool, &item.head, &item.payload, item.known_in_era, reason, attempts).await
    };
    if let Err(breakage) = parked {
        // It stays unhandled, so catch-up brings it again.
        tracing::error!(domain = context.domain, event = %item.head.id, %breakage, "an event could not be parked");
        return;
    }
    metrics::counter!("dead_letters_total", "domain" => context.domain, "source" => item.head.source.clone())
        .increment(1);
    tracing::error!(
        domain = context.domain, source = item.head.source, name = item.head.name, event = %item.head.id,
        attempts, reason, "an event was parked"
    );
}

/// One transaction over a batch; gives the places of what could not be claimed.
async fn transact(
    context: &LaneContext,
    batch: &[EventItem],
    confirmed: &[Position],
) -> Stored<(Vec<usize>, Committed)> {
    let mut transaction = context.db.lanes.begin().await?;
    let (claimed, now) = claim(&mut transaction, batch).await?;
    let unclaimed: Vec<usize> = (0..batch.len()).filter(|index| !claimed.contains(index)).collect();
    let (redriven, delivered): (Vec<usize>, Vec<usize>) =
        claimed.into_iter().partition(|index| batch[*index].is_redrive);
    let mut fresh = insert_inbox(&mut transaction, batch, &delivered).await?;
    // Cursors in a later statement of the same transaction: checked earlier, a copy held since before a prune would run
    // a second time.
    drop_handled(&mut transaction, batch, &mut fresh).await?;
    fresh.extend(dead_letter::claim_for_redrive(&mut transaction, batch, &redriven).await?);
    fresh.sort_unstable();
    forget_attempts(&mut transaction, batch, &fresh).await?;

    let mut tx = Tx::new(&mut transaction, now);
    let mut groups: Vec<(&EventRoute, Vec<&(dyn std::any::Any + Send + Sync)>)> = Vec::new();
    for index in fresh {
        let item = &batch[index];
        let Ok(message) = item.message.as_deref() else { continue };
        match groups.iter_mut().find(|(route, _)| (route.source, route.name) == (item.route.source, item.route.name)) {
            Some((_, members)) => members.push(message),
            None => groups.push((&item.route, vec![message])),
        }
    }
    for (route, events) in groups {
        route.handler.run(&mut tx, &events).await?;
    }
    let (events, effects) = (std::mem::take(&mut tx.events), std::mem::take(&mut tx.effects));
    let committed = write(&mut transaction, AnswerRows::default(), &events, effects, confirmed).await?;
    crate::fail_point("lane.before_event_commit");
    transaction.commit().await?;
    crate::fail_point("lane.after_event_commit");
    Ok((unclaimed, committed))
}

async fn claim(
    connection: &mut PgConnection,
    batch: &[EventItem],
) -> Stored<(Vec<usize>, chrono::DateTime<chrono::Utc>)> {
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

pub(crate) fn lock_number(head: &EventHead) -> i64 {
    mark(Uuid::new_v5(&head.id, head.source.as_bytes()))
}

/// Inserts inbox rows, sorted; what had one was handled before.
async fn insert_inbox(connection: &mut PgConnection, batch: &[EventItem], claimed: &[usize]) -> Stored<Vec<usize>> {
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
async fn drop_handled(connection: &mut PgConnection, batch: &[EventItem], fresh: &mut Vec<usize>) -> Stored<()> {
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

async fn forget_attempts(connection: &mut PgConnection, batch: &[EventItem], fresh: &[usize]) -> Stored<()> {
    let repeated: Vec<Uuid> = fresh.iter().map(|i| &batch[*i]).filter(|i| i.is_repeat).map(|i| i.head.id).collect();
    if !repeated.is_empty() {
        sqlx::query("delete from attempt where event_id = any($1)").bind(repeated).execute(connection).await?;
    }
    Ok(())
}
