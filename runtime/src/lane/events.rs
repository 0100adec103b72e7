//! Batches of events: inbox rows first, cursors in a later statement, reactions, one commit. The inbox row is the
//! acknowledgement.

mod attempts;
mod dead_letter;
mod inbox;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use contract::EventHead;
use parking_lot::Mutex;
use sqlx::PgConnection;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use attempts::{again, count_or_dead_letter, delete_attempts, prepare, uncount_attempt};
use inbox::{Claimed, claim};

use super::{
    LaneContext, LaneMessage, Lanes,
    batch::{Kind, run_batch},
    commit::AnswerRow,
    publish,
};
use crate::{
    api::{
        routes::{Erased, EventRoute},
        tx::Tx,
    },
    error::{InternalError, RetryClass},
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
    pub known_in_epoch: i64,
    /// Whether it may have run before, and may have ended the process that ran it: such a run is counted beforehand.
    pub is_repeat: bool,
    /// Redriven by an operator: neither the inbox nor the cursor is checked.
    pub is_redrive: bool,
    /// RAII guard: dropping it removes the event from the in-flight set.
    pub _in_flight: Option<InFlight>,
    /// RAII guard: dropping it releases the permit.
    pub _permit: Option<OwnedSemaphorePermit>,
}

/// Events that are in a lane of this node, which catch-up skips.
#[derive(Default)]
pub(crate) struct InFlightSet(Mutex<HashMap<Uuid, usize>>);

/// RAII guard: dropping it removes the event from the set.
pub(crate) struct InFlight {
    set: Arc<InFlightSet>,
    id: Uuid,
}

impl InFlightSet {
    pub(crate) fn enter(self: &Arc<Self>, id: Uuid) -> InFlight {
        *self.0.lock().entry(id).or_default() += 1;
        InFlight { set: self.clone(), id }
    }

    pub(crate) fn holds(&self, id: Uuid) -> bool {
        self.0.lock().contains_key(&id)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut held = self.set.0.lock();
        if let Some(count) = held.get_mut(&self.id) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.id);
            }
        }
    }
}

impl EventItem {
    /// A first delivery, which holds nothing.
    pub(crate) fn of(route: &EventRoute, head: EventHead, payload: Bytes, known_in_epoch: i64) -> Self {
        let (message, entity) = match (route.decode)(&head, &payload) {
            Ok((message, entity)) => (Ok(message), entity),
            Err(error) => (Err(format!("it could not be read: {error}")), head.id),
        };
        Self {
            route: route.clone(),
            head,
            entity,
            payload,
            message,
            known_in_epoch,
            is_repeat: false,
            is_redrive: false,
            _in_flight: None,
            _permit: None,
        }
    }
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
        if let Some(item) = count_or_dead_letter(&lanes.context, item).await {
            run_all(lanes, vec![item], until).await;
        }
    }
}

async fn run_all(lanes: &Lanes, items: Vec<EventItem>, until: Instant) {
    let mut work = vec![items];
    while let Some(batch) = work.pop() {
        run_batch::<Events>(lanes, batch, &mut work, |committed| publish(lanes, committed)).await;
        if Instant::now() > until {
            for item in work.into_iter().flatten().filter(|item| item.is_repeat) {
                uncount_attempt(&lanes.context, &item).await;
            }
            return;
        }
    }
}

/// Batches of events.
enum Events {}

impl Kind for Events {
    type Item = EventItem;
    type Claimed = Claimed;
    /// The indices of the events that could not be claimed.
    type Outcome = Vec<usize>;

    const NAME: &'static str = "event";
    const CRASH_POINTS: [fn(); 2] =
        [|| crate::fail_point("lane.before_event_commit"), || crate::fail_point("lane.after_event_commit")];

    async fn claim(
        connection: &mut PgConnection,
        _context: &LaneContext,
        items: &[EventItem],
    ) -> Result<(Claimed, DateTime<Utc>), InternalError> {
        let (mut claimed, now) = claim(connection, items).await?;
        claimed.fresh.extend(dead_letter::claim_for_redrive(connection, items, &claimed.redriven).await?);
        claimed.fresh.sort_unstable();
        let fresh = claimed.fresh.iter().map(|index| &items[*index]);
        delete_attempts(connection, fresh.filter(|item| item.is_repeat)).await?;
        Ok((claimed, now))
    }

    async fn handle(
        tx: &mut Tx<'_>,
        items: &[EventItem],
        claimed: Claimed,
    ) -> Result<(Vec<usize>, Option<Vec<AnswerRow>>), InternalError> {
        let Claimed { unclaimed, fresh, .. } = claimed;
        let inputs: Vec<_> = fresh.into_iter().filter_map(|index| items[index].message.as_deref().ok()).collect();
        if let (Some(item), false) = (items.first(), inputs.is_empty()) {
            (item.route.react)(tx, &inputs).await?;
        }
        Ok((unclaimed, Some(Vec::new())))
    }

    async fn settle(lanes: &Lanes, mut items: Vec<EventItem>, unclaimed: Vec<usize>) {
        for index in unclaimed.into_iter().rev() {
            let item = items.swap_remove(index);
            if item.is_repeat {
                // It did not run: another transaction holds the claim.
                uncount_attempt(&lanes.context, &item).await;
            }
            lanes.cast_later(item.entity, LaneMessage::Event(Box::new(item)), RETRY_PAUSE);
        }
    }

    async fn give_up(lanes: &Lanes, items: Vec<EventItem>, error: &InternalError) {
        let is_item_error = error.retry_class() == RetryClass::Data;
        for item in items {
            again(lanes, item, is_item_error, &error.to_string()).await;
        }
    }
}
