//! What the world is.

use std::fmt;

use crate::{copies::Copies, rules::Rules, set::Set};

/// Commits of a schedule at most.
pub const MAX_COMMITS: usize = 9;
/// Events of a commit at most.
pub const PER_COMMIT: usize = 3;
/// Events of a schedule at most. An event's number is its commit's number times `PER_COMMIT`, plus its place in it.
pub const MAX_EVENTS: usize = MAX_COMMITS * PER_COMMIT;
/// Types of events. Every node knows type 0; node 0 learns type 1 only when it is upgraded.
pub const TYPES: usize = 2;
/// The types of the events of a commit, for each pattern a commit may have.
pub const PATTERNS: [&[usize]; 5] = [&[0], &[1], &[0, 1], &[0, 0], &[0, 0, 1]];
/// Nodes of the consumer.
pub const NODES: usize = 2;
/// The node each lane runs on.
pub const NODE_OF_LANE: [usize; 3] = [0, 1, 1];
/// Commits on one page of the log.
pub const PAGE: usize = 3;

/// A place in the owner's log: the epoch first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The owner's epoch.
    pub epoch: u8,
    /// The committing transaction's id.
    pub xid: u8,
}

impl Position {
    /// Above every position.
    pub const END: Self = Self { epoch: u8::MAX, xid: u8::MAX };

    /// The greatest position below this one.
    #[must_use]
    pub fn just_below(self) -> Self {
        Self { epoch: self.epoch, xid: self.xid.saturating_sub(1) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.xid)
    }
}

/// A transaction of the owner that emits events.
#[derive(Debug, Clone, Copy)]
pub struct Commit {
    /// Where it stands in the log, if it commits.
    pub position: Position,
    /// The types of its events.
    pub types: &'static [usize],
}

/// What a restore of the owner's database takes back.
#[derive(Debug, Clone, Copy)]
pub struct OwnerDb {
    /// Commits in the log.
    pub committed: Set,
    /// The next transaction's id.
    pub next_xid: u8,
    /// The newest row of the epoch table.
    pub epoch: u8,
}

/// What a restore of the consumer's database takes back.
#[derive(Debug, Clone, Copy, Default)]
pub struct ConsumerDb {
    /// Handled events, above their cursors at least.
    pub inbox: Set,
    /// At or below it every event of the type was handled.
    pub cursors: [Position; TYPES],
    /// The newest epoch of the owner that was seen.
    pub newest_epoch: u8,
    /// Events whose effect is written.
    pub applied: Set,
    /// Dead-lettered events.
    pub dead: Set,
}

impl ConsumerDb {
    /// Applied or dead-lettered.
    pub fn handled(&self) -> Set {
        self.applied.union(self.dead)
    }
}

/// How far a lane's transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneStage {
    /// Nothing is done.
    Begun,
    /// The first of inserting and checking is done.
    Half,
    /// Both are done: the commit is next.
    Ready,
}

/// A lane's transaction over a batch.
#[derive(Debug, Clone, Copy)]
pub struct Batch {
    /// How far it is.
    pub stage: LaneStage,
    /// What was taken into the batch: it goes back where the transaction breaks.
    pub copies: Copies,
    /// What is still to be applied.
    pub open: Set,
    /// Inbox rows inserted, not visible to others until the commit; another insert of them waits.
    pub inserted: Set,
    /// Whether it writes a dead letter in the place of the effect.
    pub dead_letters: bool,
    /// The newest epoch that its check read.
    pub saw_epoch: u8,
}

/// How far a pass of catch-up is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PassStage {
    /// It has not begun.
    #[default]
    Idle,
    /// It knows from where to ask.
    Asking,
    /// The owner has read the first of horizon and rows.
    HalfAnswered,
    /// It has the page.
    Answered,
    /// It has compared; moving and committing are next.
    Compared,
}

/// A pass of catch-up on a node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pass {
    /// How far it is.
    pub stage: PassStage,
    /// The consumer's cursors as last read.
    pub cursors: [Position; TYPES],
    /// The lower end of the list of this pass.
    pub lower: Position,
    /// The lower end of this page.
    pub after: Position,
    /// The owner's epoch when the page was read.
    pub epoch: u8,
    /// Up to here the page is complete.
    pub horizon: Position,
    /// The commits of the page that are old enough.
    pub rows: Set,
    /// Where the next page begins.
    pub next: Option<Position>,
    /// Cursors that an earlier page holds back.
    pub is_held: [bool; TYPES],
    /// Where the cursors go.
    pub targets: [Option<Position>; TYPES],
    /// Events that the inbox lacks.
    pub missing: Set,
}

/// A node of the consumer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Node {
    /// Whether it has a handler for type 1.
    pub is_upgraded: bool,
    /// Events that wait for a lane.
    pub memory: Copies,
    /// Its catch-up. Both nodes may run one at once: the lease is never relied on.
    pub pass: Pass,
}

/// What may still go wrong in this schedule.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "their names say it")]
pub struct Budget {
    pub owner_restores: u8,
    pub consumer_restores: u8,
    pub kills: u8,
    pub stream_losses: u8,
    pub lane_failures: u8,
}

/// Everything.
#[derive(Debug, Clone)]
pub struct World {
    /// The rules in force.
    pub rules: Rules,
    /// The owner's transactions, in the order they began.
    pub commits: Vec<Commit>,
    /// Those that are open.
    pub running: Set,
    /// Those that were committed once, in whatever history.
    pub ever: Set,
    /// Commits younger than the delay.
    pub young: Set,
    /// The owner's database.
    pub owner: OwnerDb,
    /// Its backup.
    pub owner_backup: Option<OwnerDb>,
    /// The owner's clock, as far as it makes epochs.
    pub clock: u8,
    /// The epoch that the owner's nodes would have cached.
    pub cached_epoch: u8,
    /// The stream; a gap is `None`.
    pub stream: Vec<Option<usize>>,
    /// How many of the stream's messages were delivered: its durable's place. Republished numbers are never delivered.
    pub delivered: usize,
    /// The consumer's nodes.
    pub nodes: [Node; NODES],
    /// The lanes' transactions.
    pub lanes: [Option<Batch>; 3],
    /// The consumer's database.
    pub consumer: ConsumerDb,
    /// Its backup.
    pub consumer_backup: Option<ConsumerDb>,
    /// What may still go wrong.
    pub budget: Budget,
    /// An event that was applied a second time.
    pub twice: Option<usize>,
    /// An event of a lost history that was applied by a lane that knew better.
    pub ghost: Option<usize>,
}

impl World {
    /// Before anything happened.
    pub fn new(rules: Rules) -> Self {
        let mut nodes = [Node::default(); NODES];
        nodes[1].is_upgraded = true;
        Self {
            rules,
            commits: Vec::with_capacity(MAX_COMMITS),
            running: Set::EMPTY,
            ever: Set::EMPTY,
            young: Set::EMPTY,
            owner: OwnerDb { committed: Set::EMPTY, next_xid: 1, epoch: 1 },
            owner_backup: None,
            clock: 1,
            cached_epoch: 1,
            stream: Vec::new(),
            delivered: 0,
            nodes,
            lanes: [None; 3],
            consumer: ConsumerDb::default(),
            consumer_backup: None,
            budget: Budget { owner_restores: 2, consumer_restores: 2, kills: 3, stream_losses: 4, lane_failures: 3 },
            twice: None,
            ghost: None,
        }
    }

    /// The position of an event.
    pub fn position(&self, event: usize) -> Position {
        self.commits[event / PER_COMMIT].position
    }

    /// The type of an event.
    pub fn kind(&self, event: usize) -> usize {
        self.commits[event / PER_COMMIT].types[event % PER_COMMIT]
    }

    /// The events of a commit.
    pub fn events_of(&self, commit: usize) -> impl Iterator<Item = usize> + use<> {
        (0..self.commits[commit].types.len()).map(move |place| commit * PER_COMMIT + place)
    }

    /// Whether an event is in the owner's log now.
    pub fn is_in_log(&self, event: usize) -> bool {
        self.owner.committed.contains(event / PER_COMMIT)
    }

    /// Whether a node has a handler for a type.
    pub fn knows(&self, node: usize, kind: usize) -> bool {
        kind == 0 || self.nodes[node].is_upgraded
    }
}
