//! Lanes, which run a domain's writes. A lane runs everything that was queued while its previous transaction ran: there
//! is no timer, so an idle lane adds no latency, and batches grow with the load. Due deadlines, commands, events and
//! effect results have separate queues, which take turns.
//!
//! To read first: `lane/batch.rs` (claim, handle, write and commit, for every kind of batch), `lane/commands.rs` and
//! `lane/events.rs` (what is specific to commands and to events). The publisher in `log/publisher.rs` publishes the
//! events of a committed batch.

pub(crate) mod audit;
mod batch;
pub(crate) mod command_log;
mod commands;
pub(crate) mod commit;
pub(crate) mod effects;
mod events;
mod finish;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::RwLock;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use uuid::Uuid;

pub(crate) use commands::{CommandItem, LaneReply};
pub(crate) use commit::Committed;
pub(crate) use events::{EventItem, InFlightSet};
pub(crate) use finish::EffectItem;

use crate::{
    database::{Database, begin_epoch},
    error::{InternalError, RetryClass},
    lane::effects::Effects,
    log::{event_log::LoggedCommit, publisher::Publisher},
};

/// The most items of one batch. 10,000 advisory locks in one transaction fit at the server's defaults; 128 leave room
/// for many lanes.
const BATCH: usize = 128;

/// The most deadlines of one turn.
const DUE_IN_A_TURN: usize = 2048;

/// Attempts at a transaction that fails for a reason other than its items, with growing pauses, before the callers get
/// an error.
const REPEATS: u32 = 6;

/// Attempts at a single item that exceeds a limit of the server. Three attempts outlast a suspended transaction of
/// another lane, which the server ends after 3 s; a lock held for longer is not worth the lane's time.
const REPEATS_ALONE: u32 = 3;

/// Retries of a single item that violates a unique constraint, before the item is considered the cause. The first
/// resolves a race of two writers; the second covers a race after an attempt that failed for another reason.
const RACES: u32 = 2;

/// An item for a lane.
pub(crate) enum LaneMessage {
    Command(Box<CommandItem>),
    Effect(Box<EffectItem>),
    Event(Box<EventItem>),
}

/// A message in a lane's mailbox.
pub(crate) enum Mail {
    Item(LaneMessage, InLane),
    Run,
}

/// The number of items in all lanes of a domain on this node, waiting or running. A drain waits until it is zero.
#[derive(Default)]
pub(crate) struct Depth(Arc<()>);

/// Held by each item: it is counted until it is dropped, even if its lane dies.
type InLane = Arc<()>;

impl Depth {
    fn enter(&self) -> InLane {
        self.0.clone()
    }

    pub(crate) fn get(&self) -> usize {
        Arc::strong_count(&self.0) - 1
    }
}

/// What the lanes of a domain on this node share.
pub(crate) struct LaneContext {
    pub domain: &'static str,
    /// Whether the domain has a stream. Without one an event would never be published.
    pub emits: bool,
    pub db: Database,
    pub publisher: Arc<Publisher>,
    pub effects: Arc<Effects>,
    pub depth: Depth,
}

/// The lanes of a domain on this node. A key maps to one lane of a node. Several nodes may run the same key:
/// correctness rests on row locks.
#[derive(Clone)]
pub(crate) struct Lanes {
    pub(crate) context: Arc<LaneContext>,
    refs: Arc<Vec<RwLock<Option<ActorRef<Mail>>>>>,
}

impl Lanes {
    pub(crate) fn new(context: Arc<LaneContext>, count: usize) -> Self {
        Self { context, refs: Arc::new((0..count.max(1)).map(|_| RwLock::new(None)).collect()) }
    }

    pub(crate) fn count(&self) -> usize {
        self.refs.len()
    }

    /// Registers the actor of a lane, after its start and after each restart.
    pub(crate) fn install(&self, number: usize, lane: ActorRef<Mail>) {
        *self.refs[number].write() = Some(lane);
    }

    /// Sends an item to the lane of its key. Callers limit the number of items beforehand, because mailboxes are
    /// unbounded. An item that no lane accepts is dropped, which closes its reply channel.
    pub(crate) fn cast(&self, key: Uuid, message: LaneMessage) {
        let number = contract::subject::partition(key) as usize % self.refs.len();
        let lane = self.refs[number].read().clone();
        if let Some(lane) = lane {
            // A lane that has just died returns the item, which is dropped here.
            drop(lane.cast(Mail::Item(message, self.context.depth.enter())));
        }
    }

    /// Sends an item to its lane after a pause, because it could not be claimed now.
    pub(crate) fn cast_later(&self, key: Uuid, message: LaneMessage, pause: Duration) {
        let lanes = self.clone();
        let counted = self.context.depth.enter();
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            lanes.cast(key, message);
            drop(counted);
        });
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.context.depth.get() == 0
    }
}

/// The actor of one lane.
pub(crate) struct Lane;

type Queue<T> = VecDeque<(Box<T>, InLane)>;

#[derive(Default)]
struct Queues {
    due: Queue<CommandItem>,
    commands: Queue<CommandItem>,
    effects: Queue<EffectItem>,
    events: Queue<EventItem>,
    turn: usize,
    is_scheduled: bool,
}

pub(crate) struct LaneState {
    lanes: Lanes,
    queues: Queues,
}

impl Actor for Lane {
    type Msg = Mail;
    type State = LaneState;
    type Arguments = (Lanes, usize);

    async fn pre_start(
        &self,
        myself: ActorRef<Mail>,
        (lanes, number): (Lanes, usize),
    ) -> Result<LaneState, ActorProcessingErr> {
        lanes.install(number, myself);
        Ok(LaneState { lanes, queues: Queues::default() })
    }

    async fn handle(
        &self,
        myself: ActorRef<Mail>,
        mail: Mail,
        state: &mut LaneState,
    ) -> Result<(), ActorProcessingErr> {
        let queues = &mut state.queues;
        match mail {
            Mail::Item(message, counted) => queues.push(message, counted),
            Mail::Run => {
                queues.is_scheduled = false;
                run(&state.lanes, queues).await;
            }
        }
        // `Run` is queued behind every item that is already in the mailbox: these form the batch.
        if !queues.is_scheduled && !queues.is_empty() {
            queues.is_scheduled = true;
            myself.cast(Mail::Run)?;
        }
        Ok(())
    }
}

impl Queues {
    fn push(&mut self, message: LaneMessage, counted: InLane) {
        match message {
            LaneMessage::Command(item) if item.is_due => self.due.push_back((item, counted)),
            LaneMessage::Command(item) => self.commands.push_back((item, counted)),
            LaneMessage::Effect(item) => self.effects.push_back((item, counted)),
            LaneMessage::Event(item) => self.events.push_back((item, counted)),
        }
    }

    fn is_empty(&self) -> bool {
        self.due.is_empty() && self.commands.is_empty() && self.effects.is_empty() && self.events.is_empty()
    }
}

/// Runs one batch from one queue. Due deadlines, which are late already, have every other turn; the other queues share
/// the rest.
async fn run(lanes: &Lanes, queues: &mut Queues) {
    for _ in 0..6 {
        queues.turn = (queues.turn + 1) % 6;
        let done = match queues.turn {
            1 => drain(&mut queues.commands, BATCH, |items| commands::run(lanes, items)).await,
            3 => drain(&mut queues.events, BATCH, |items| events::run(lanes, items)).await,
            5 => drain(&mut queues.effects, BATCH, |items| finish::run(lanes, items)).await,
            _ => drain(&mut queues.due, DUE_IN_A_TURN, |items| commands::run_due(lanes, items)).await,
        };
        if done > 0 {
            return;
        }
    }
}

async fn drain<T, F: Future<Output = ()>>(queue: &mut Queue<T>, most: usize, run: impl FnOnce(Vec<T>) -> F) -> usize {
    let count = queue.len().min(most);
    if count > 0 {
        let (items, counted): (Vec<T>, Vec<InLane>) =
            queue.drain(..count).map(|(item, counted)| (*item, counted)).unzip();
        run(items).await;
        drop(counted);
    }
    count
}

/// How to continue after an attempt at a batch failed.
enum Next {
    /// Retry the whole batch.
    Again,
    /// Run each half as a batch of its own.
    Halve,
    /// The single item is the cause, or the attempts are used up.
    GiveUp,
}

/// Decides how to continue after a failed batch. Pauses before a retry, except after a data error or for a stale epoch.
async fn next_after(context: &LaneContext, internal_error: &InternalError, size: usize, attempt: u32) -> Next {
    let retry_class = internal_error.retry_class();
    context.db.health.report(internal_error);
    if internal_error.is_lost_connection() {
        context.db.held.drop_all();
    }
    metrics::counter!(
        "lane_batch_errors_total",
        "domain" => context.domain,
        "retry_class" => format!("{retry_class:?}")
    )
    .increment(1);
    tracing::warn!(domain = context.domain, size, attempt, error = %internal_error, ?retry_class, "batch failed");
    match retry_class {
        RetryClass::Data | RetryClass::Size if size > 1 => Next::Halve,
        // Another transaction inserted the same row concurrently: on a retry the handler sees it.
        RetryClass::Data if internal_error.is_unique_violation() && attempt <= RACES => Next::Again,
        RetryClass::Data => Next::GiveUp,
        RetryClass::Size if attempt >= REPEATS_ALONE => Next::GiveUp,
        RetryClass::Transient if attempt >= REPEATS => Next::GiveUp,
        RetryClass::Size | RetryClass::Transient => {
            if matches!(internal_error, InternalError::StaleEpoch) {
                if let Err(error) = renew_epoch(&context.db).await {
                    tracing::warn!(domain = context.domain, %error, "new epoch could not be started");
                }
                return Next::Again;
            }
            let pause = Duration::from_millis(20 * 2_u64.pow(attempt.min(6)));
            tokio::time::sleep(pause.mul_f64(0.5 + rand::random::<f64>())).await;
            Next::Again
        }
    }
}

async fn renew_epoch(db: &Database) -> Result<(), InternalError> {
    let mut connection = db.lanes.acquire().await?;
    Ok(begin_epoch(&mut connection).await?)
}

/// Publishes what a batch has committed, and starts its effects.
fn publish(lanes: &Lanes, committed: Committed) {
    let Committed { position, at, events, leases_since, effects, has_waiting_effects } = committed;
    let context = &lanes.context;
    if !events.is_empty() {
        context.publisher.publish(LoggedCommit { position, at, events }, leases_since);
    }
    context.effects.start(lanes, effects, leases_since);
    if has_waiting_effects {
        context.effects.wake_up();
    }
}

/// Records the metrics of a batch.
fn measure(context: &LaneContext, kind: &'static str, size: usize, began: Instant) {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    metrics::histogram!("lane_batch_size", "domain" => context.domain, "kind" => kind).record(f64::from(size));
    metrics::histogram!("lane_batch_duration_seconds", "domain" => context.domain, "kind" => kind)
        .record(began.elapsed().as_secs_f64());
}
