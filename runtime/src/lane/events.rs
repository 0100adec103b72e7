//! Batches of events: inbox rows first, cursors in a later statement, reactions, one commit. The inbox is the ack.

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

/// The pause before an event that failed runs again.
const RETRY_PAUSE: Duration = Duration::from_millis(300);

/// How long events may keep their lane once one of them makes trouble. What has not begun by then is let go of: it stays
/// unhandled, so catch-up brings it again, and commands have their turn.
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

/// One transaction over a batch; gives the places of what could not be claimed.
async fn transact(
    context: &LaneContext,
    batch: &[EventItem],
    confirmed: &[Position],
) -> Result<(Vec<usize>, Committed), Breakage> {
    let mut connection = context.db.lane().await?;
    let mut transaction = connection.begin().await?;
    let Claimed { unclaimed, mut fresh, redriven, now } = claim(&mut transaction, batch).await?;
    // Cursors in a later statement of the same transaction: checked earlier, a copy held since before a prune would run
    // a second time.
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
