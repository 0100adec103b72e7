//! Batches of events: inbox rows first, cursors in a later statement, reactions, one commit. The inbox row is the
//! acknowledgement.

mod attempts;
mod inbox;

use std::time::{Duration, Instant};

use bytes::Bytes;
use contract::Position;
use sqlx::Connection;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use attempts::{again, count_or_park, forget_attempts, prepare, uncount_attempt};
use inbox::{Claimed, claim, drop_handled};

use super::{
    LaneContext, LaneMessage, Lanes, Next, announce,
    commit::{AnswerRows, Committed, write},
    measure, next_after,
};
use crate::{
    consumer::InFlight,
    dead_letter,
    failure::Breakage,
    guard::guarded,
    operation::{Erased, EventHead, EventRoute},
    tx::Tx,
};

/// An event in a lane.
pub(crate) struct EventItem {
    pub route: EventRoute,
    pub head: EventHead,
    pub entity: Uuid,
    pub payload: Bytes,
    /// The decoded message, or why it could not be decoded.
    pub message: Result<Erased, String>,
    /// The owner's epoch in which this copy is known to have been in the log. For a copy from the stream, that is the
    /// epoch of its position.
    pub known_in_era: i64,
    /// Whether it may have run before, and may have ended the process that ran it: such a run is counted beforehand.
    pub is_repeat: bool,
    /// Redriven by an operator: neither the inbox nor the cursor is checked.
    pub is_redrive: bool,
    /// RAII guard: dropping it removes the event from the in-flight set.
    pub _in_flight: Option<InFlight>,
    /// RAII guard: dropping it releases the permit.
    pub _permit: Option<OwnedSemaphorePermit>,
}

/// The pause before an event that failed or could not be claimed is retried. It grows with each counted failure.
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// How long one turn of events may keep the lane if its batches fail or run alone. Events that have not started by then
/// are dropped, so that commands get their turn: they stay unhandled, and catch-up delivers them again.
const TURN: Duration = Duration::from_secs(3);

pub(super) async fn run(lanes: &Lanes, items: Vec<EventItem>) {
    let until = Instant::now() + TURN;
    let (ready, alone) = prepare(lanes, items).await;
    run_all(lanes, ready, until).await;
    for item in alone {
        if Instant::now() > until {
            return;
        }
        if let Some(item) = count_or_park(&lanes.context, item).await {
            run_all(lanes, vec![item], until).await;
        }
    }
}

async fn run_all(lanes: &Lanes, items: Vec<EventItem>, until: Instant) {
    let mut work = vec![items];
    while let Some(batch) = work.pop() {
        if batch.is_empty() {
            continue;
        }
        run_batch(lanes, batch, &mut work).await;
        if Instant::now() > until {
            for item in work.into_iter().flatten().filter(|item| item.is_repeat) {
                uncount_attempt(&lanes.context, &item).await;
            }
            return;
        }
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
                        // It did not run: another transaction holds the claim.
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

/// Runs one transaction over a batch, and returns the indices of the events that could not be claimed.
async fn transact(
    context: &LaneContext,
    batch: &[EventItem],
    confirmed: &[Position],
) -> Result<(Vec<usize>, Committed), Breakage> {
    let mut connection = context.db.lane().await?;
    let mut transaction = connection.begin().await?;
    let Claimed { unclaimed, mut fresh, redriven, now } = claim(&mut transaction, batch).await?;
    // The cursors are read in a later statement of the same transaction: if they were read first, a copy that has
    // waited since before a prune would run a second time.
    drop_handled(&mut transaction, batch, &mut fresh).await?;
    fresh.extend(dead_letter::claim_for_redrive(&mut transaction, batch, &redriven).await?);
    fresh.sort_unstable();
    forget_attempts(&mut transaction, batch, &fresh).await?;

    let mut tx = Tx::new(&mut transaction, now, context.effects.names());
    let inputs: Vec<_> = fresh.into_iter().filter_map(|index| batch[index].message.as_deref().ok()).collect();
    if let (Some(item), false) = (batch.first(), inputs.is_empty()) {
        item.route.reactions.run(&mut tx, &inputs).await?;
    }
    let (events, effects) = (std::mem::take(&mut tx.events), std::mem::take(&mut tx.effects));
    let committed = write(&mut transaction, AnswerRows::default(), &events, effects, confirmed).await?;
    crate::fail_point("lane.before_event_commit");
    transaction.commit().await?;
    context.db.hold(connection);
    crate::fail_point("lane.after_event_commit");
    Ok((unclaimed, committed))
}
