//! Counts the runs of an event, so that an event that keeps failing, or that crashes the process, is dead-lettered in
//! the end.

use std::collections::{HashMap, HashSet};

use sqlx::PgConnection;
use uuid::Uuid;

use super::{EventItem, RETRY_PAUSE, dead_letter};
use crate::{
    error::InternalError,
    lane::{LaneContext, LaneMessage, Lanes},
};

/// Failed runs of an event before it is dead-lettered.
const ATTEMPTS: i32 = 5;

/// Runs that never finished, because the process died or the database was lost, before an event is dead-lettered
/// without another run.
const UNFINISHED_RUNS: i32 = 10;

/// Dead-letters events that could not be decoded, and counts a run for those that may have run before. Events with an
/// earlier count are returned separately, those with the fewest runs first, and run alone: one of them may crash the
/// process, and its neighbours must neither be counted for it nor wait behind it.
pub(super) async fn prepare(lanes: &Lanes, items: Vec<EventItem>) -> (Vec<EventItem>, Vec<EventItem>) {
    let context = &lanes.context;
    let mut seen = HashSet::new();
    let (mut ready, mut repeats) = (Vec::new(), Vec::new());
    for item in items {
        // One copy of each event is enough.
        if !seen.insert((item.head.source.clone(), item.head.id, item.is_redrive)) {
            continue;
        }
        if let Err(reason) = &item.message {
            let reason = reason.clone();
            dead_letter_event(context, &item, &reason, 0).await;
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
        Ok::<_, InternalError>((first, alone))
    };
    match counted.await {
        Ok((first, alone)) => {
            ready.extend(first);
            (ready, alone)
        }
        // An event that was not counted must not run; catch-up delivers it again.
        Err(error) => {
            tracing::warn!(domain = context.domain, %error, "attempts could not be counted");
            (ready, Vec::new())
        }
    }
}

/// Counts the run that is about to begin. Dead-letters the event instead if it has reached the limit.
pub(super) async fn count_or_dead_letter(context: &LaneContext, item: EventItem) -> Option<EventItem> {
    let count = count_attempt(context, &item).await?;
    if count > UNFINISHED_RUNS {
        dead_letter_event(context, &item, "its runs reached the limit and never finished", count).await;
        return None;
    }
    Some(item)
}

/// Counts a run of one event. `None` if it could not be counted.
async fn count_attempt(context: &LaneContext, item: &EventItem) -> Option<i32> {
    match count_attempts(context, std::slice::from_ref(item)).await {
        Ok(counts) => counts.get(&item.head.id).copied().or(Some(0)),
        Err(error) => {
            tracing::warn!(domain = context.domain, %error, "attempt could not be counted");
            None
        }
    }
}

/// The current counts of those events that have one.
async fn counted_attempts(context: &LaneContext, items: &[EventItem]) -> Result<HashMap<Uuid, i32>, InternalError> {
    let (sources, ids) = keys(items);
    let sql = "select event_id, count from unnest($1::text[], $2::uuid[]) as t(source, event_id)
         join attempt using (source, event_id)";
    Ok(sqlx::query_as(sql).bind(sources).bind(ids).fetch_all(&context.db.lanes).await?.into_iter().collect())
}

/// Sources and ids in a fixed order, so that concurrent statements cannot deadlock.
fn keys<'a>(items: impl IntoIterator<Item = &'a EventItem>) -> (Vec<String>, Vec<Uuid>) {
    let mut keys: Vec<(String, Uuid)> = items.into_iter().map(|i| (i.head.source.clone(), i.head.id)).collect();
    keys.sort_unstable();
    keys.into_iter().unzip()
}

async fn count_attempts(context: &LaneContext, items: &[EventItem]) -> Result<HashMap<Uuid, i32>, InternalError> {
    let (sources, ids) = keys(items);
    let sql = "insert into attempt (source, event_id, count) select *, 1 from unnest($1::text[], $2::uuid[])
         on conflict (source, event_id) do update set count = attempt.count + 1, at = clock_timestamp()
         returning event_id, count";
    Ok(sqlx::query_as(sql).bind(sources).bind(ids).fetch_all(&context.db.lanes).await?.into_iter().collect())
}

/// Takes back the count of a run that did not happen, or that failed for a reason other than the event. While the
/// database is down this fails and the count stays, which is why [`UNFINISHED_RUNS`] is greater than [`ATTEMPTS`].
pub(super) async fn uncount_attempt(context: &LaneContext, item: &EventItem) {
    let done = sqlx::query("update attempt set count = count - 1 where source = $1 and event_id = $2 and count > 0")
        .bind(&item.head.source)
        .bind(item.head.id)
        .execute(&context.db.lanes)
        .await;
    if let Err(error) = done {
        tracing::debug!(domain = context.domain, %error, "attempt could not be uncounted");
    }
}

/// Retries a failed event after a pause, and dead-letters it at the limit; a failed redrive at once. A failure that the
/// event did not cause is not counted: catch-up delivers the event again once the database is back.
pub(super) async fn again(lanes: &Lanes, mut item: EventItem, is_item_error: bool, reason: &str) {
    let context = &lanes.context;
    if !is_item_error {
        if item.is_repeat {
            uncount_attempt(context, &item).await;
        }
        return;
    }
    let Some(counted) = count_attempt(context, &item).await else { return };
    if counted >= ATTEMPTS || item.is_redrive {
        dead_letter_event(context, &item, reason, counted).await;
        return;
    }
    // Already counted here, so the next run does not count it again.
    item.is_repeat = false;
    lanes.cast_later(
        item.entity,
        LaneMessage::Event(Box::new(item)),
        RETRY_PAUSE * u32::try_from(counted).unwrap_or(1),
    );
}

async fn dead_letter_event(context: &LaneContext, item: &EventItem, reason: &str, attempts: i32) {
    crate::fail_point("dead_letter.before_commit");
    match dead_letter::add(&context.db.lanes, item, reason, attempts).await {
        Ok(true) => crate::fail_point("dead_letter.after_commit"),
        // It was handled meanwhile, or belongs to a history that a restore has ended.
        Ok(false) => return,
        Err(error) => {
            // The event stays unhandled, so catch-up delivers it again.
            tracing::error!(
                domain = context.domain,
                event_id = %item.head.id,
                request_id = item.head.request_id,
                %error,
                "event could not be dead-lettered"
            );
            return;
        }
    }
    metrics::counter!("dead_letters_total", "domain" => context.domain, "source" => item.head.source.clone())
        .increment(1);
    tracing::error!(
        domain = context.domain, source = item.head.source, name = item.head.name, event_id = %item.head.id,
        request_id = item.head.request_id, attempts, reason, "event dead-lettered"
    );
}

/// Deletes the counts of events that are handled or dead-lettered.
pub(super) async fn delete_attempts(
    connection: &mut PgConnection,
    items: impl IntoIterator<Item = &EventItem>,
) -> Result<(), InternalError> {
    let (sources, ids) = keys(items);
    if !ids.is_empty() {
        let sql = "delete from attempt using unnest($1::text[], $2::uuid[]) as gone(source, event_id)
             where attempt.source = gone.source and attempt.event_id = gone.event_id";
        sqlx::query(sql).bind(sources).bind(ids).execute(connection).await?;
    }
    Ok(())
}
