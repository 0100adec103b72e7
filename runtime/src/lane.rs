//! Lanes: where a domain's writes happen. A lane runs whatever queued up while its last transaction ran: no timer, so
//! no added latency when idle, and big batches under pressure. Commands and events wait in queues of their own, taken
//! in turn.

mod commands;
pub(crate) mod commit;
mod events;
mod finish;

use std::{
    collections::VecDeque,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use uuid::Uuid;

pub(crate) use commands::{CommandItem, LaneReply, replay};
pub(crate) use commit::Committed;
pub(crate) use events::EventItem;
pub(crate) use finish::EffectItem;

use crate::{
    database::{Database, begin_era},
    effects::Effects,
    failure::{Blame, Breakage},
    log::LoggedCommit,
    publisher::Publisher,
};

/// Items of one batch at most. 10,000 advisory locks in one transaction fit at the server's defaults; 128 leave room
/// for many lanes.
const BATCH: usize = 128;

/// Deadlines of one turn at most.
const DUE_IN_A_TURN: usize = 2048;

/// Transactions that fail without anybody's blame are repeated so often, with growing pauses, before callers hear of it.
const REPEATS: u32 = 6;

/// Of an item that was too much even alone: longer than a frozen transaction of ours is let live (3 s), and no more, for
/// a lock that somebody holds is not worth a lane's time.
const REPEATS_ALONE: u32 = 3;

/// An item that stands alone and met another writer's row runs again so often before it is to blame. Once heals a race of
/// two; the second time is for a race after an attempt that failed for another reason.
const RACES: u32 = 2;

/// An item for a lane.
pub(crate) enum LaneMessage {
    Command(Box<CommandItem>),
    Effect(Box<EffectItem>),
    Event(Box<EventItem>),
}

/// What a lane's mailbox holds.
pub(crate) enum Mail {
    Item(LaneMessage, InLane),
    Run,
}

/// The number of items in all lanes of a domain on this node, waiting or running: what a drain waits for.
#[derive(Clone, Default)]
pub(crate) struct Depth(Arc<AtomicUsize>);

/// RAII guard: the item it belongs to is counted until the guard is dropped, also where its lane dies.
pub(crate) struct InLane(Arc<AtomicUsize>);

impl Depth {
    fn enter(&self) -> InLane {
        self.0.fetch_add(1, Ordering::Relaxed);
        InLane(self.0.clone())
    }

    pub(crate) fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for InLane {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What every lane of a domain on this node shares.
pub(crate) struct LaneContext {
    pub domain: &'static str,
    pub db: Database,
    pub publisher: Publisher,
    pub effects: Effects,
    pub depth: Depth,
}

/// The lanes of a domain on this node. A key leads to a lane; which node runs it is only a hint, row locks decide.
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

    /// Puts a lane's actor in its place, also after a restart.
    pub(crate) fn install(&self, number: usize, lane: ActorRef<Mail>) {
        *self.refs[number].write().unwrap_or_else(PoisonError::into_inner) = Some(lane);
    }

    /// Hands an item to the lane of its key. Admit before: mailboxes have no bound. An item that no lane takes is
    /// dropped, and whoever waits for it is told by its closed channel.
    pub(crate) fn cast(&self, key: Uuid, message: LaneMessage) {
        let number = contract::subject::partition(key) as usize % self.refs.len();
        let lane = self.refs[number].read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(lane) = lane {
            // A lane that has just died gives the item back, to be dropped here.
            drop(lane.cast(Mail::Item(message, self.context.depth.enter())));
        }
    }

    /// The same, after a pause, for what could not be claimed now.
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
        // `Run` comes out of the mailbox behind everything that is in it: that is the batch.
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

/// Takes the items of a batch out of one queue. What is late already has every other turn, the queues of news share the
/// rest.
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

/// What remains of a batch when an attempt at it broke.
enum Next {
    /// Try all of it again.
    Again,
    /// Try each half alone.
    Halve,
    /// The item that stands alone is to blame, or patience is over.
    GiveUp,
}

/// Says how a broken batch goes on, and waits where waiting helps.
async fn next_after(context: &LaneContext, breakage: &Breakage, size: usize, attempt: u32) -> Next {
    let blame = breakage.blame();
    context.db.presence.heed(breakage);
    if breakage.is_lost_connection() {
        context.db.held.drop_all();
    }
    metrics::counter!("lane_breakages_total", "domain" => context.domain, "blame" => format!("{blame:?}")).increment(1);
    tracing::warn!(domain = context.domain, size, attempt, %breakage, ?blame, "a batch broke");
    match blame {
        Blame::Data | Blame::Size if size > 1 => Next::Halve,
        // Somebody else wrote the same at once: run again, the handler sees their row.
        Blame::Data if breakage.is_unique_violation() && attempt <= RACES => Next::Again,
        Blame::Data => Next::GiveUp,
        Blame::Size if attempt >= REPEATS_ALONE => Next::GiveUp,
        Blame::Nobody if attempt >= REPEATS => Next::GiveUp,
        Blame::Size | Blame::Nobody => {
            if matches!(breakage, Breakage::StaleEra) {
                if let Err(error) = renew_era(&context.db).await {
                    tracing::warn!(domain = context.domain, %error, "the new era could not begin");
                }
                return Next::Again;
            }
            let pause = Duration::from_millis(20 * 2_u64.pow(attempt.min(6)));
            tokio::time::sleep(pause.mul_f64(0.5 + rand::random::<f64>())).await;
            Next::Again
        }
    }
}

async fn renew_era(db: &Database) -> Result<(), Breakage> {
    let mut connection = db.lanes.acquire().await?;
    Ok(begin_era(&mut connection).await?)
}

/// Tells the world what a batch has committed: notices, events, effects.
fn announce(context: &LaneContext, committed: Committed) {
    let Committed { position, at, events, leases_since, effects, has_waiting_effects } = committed;
    if !events.is_empty() {
        context.publisher.publish(LoggedCommit { position, at, events }, leases_since);
    }
    context.effects.start(effects, leases_since);
    if has_waiting_effects {
        context.effects.look();
    }
}

/// The series every batch leaves.
fn measure(context: &LaneContext, kind: &'static str, size: usize, began: Instant) {
    let size = u32::try_from(size).unwrap_or(u32::MAX);
    metrics::histogram!("lane_batch_size", "domain" => context.domain, "kind" => kind).record(f64::from(size));
    metrics::histogram!("lane_batch_duration_seconds", "domain" => context.domain, "kind" => kind)
        .record(began.elapsed().as_secs_f64());
}
