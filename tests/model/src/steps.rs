//! What may happen next. A node that is frozen is one whose steps do not come up for a while.

use crate::{
    rules::Rule,
    set::Set,
    state::{MAX_COMMITS, NODE_OF_LANE, NODES, PATTERNS, World},
};

/// A step of the world. Numbers are those of patterns, commits, events, places in the stream, nodes and lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "their names say it; the functions they lead to say more")]
pub enum Step {
    OwnerBegins(usize),
    OwnerCommits(usize),
    OwnerAborts(usize),
    OwnerBacksUp,
    OwnerRestores,
    /// The owner's nodes notice the new era. Means nothing where nobody caches it.
    OwnerLearnsEra,
    OwnerBeginsEraAgain,
    /// Everything committed until now is older than the delay.
    TimePasses,
    Publish(usize),
    LoseTail(usize),
    LoseOne(usize),
    Wipe {
        with_durable: bool,
    },
    Pull(usize),
    Kill(usize),
    /// Node 0 starts again with a handler for type 1.
    Upgrade,
    LaneTakes(usize, usize),
    LaneTakesAll(usize),
    LaneGoesOn(usize),
    LaneFails(usize),
    LaneBreaks(usize),
    CatchUp(usize),
    Prune,
    Redrive(usize),
    ConsumerBacksUp,
    ConsumerRestores,
}

impl World {
    /// Takes a step; false where it is not possible, and then nothing happened.
    pub fn take(&mut self, step: Step) -> bool {
        match step {
            Step::OwnerBegins(pattern) => self.owner_begins(pattern),
            Step::OwnerCommits(commit) => self.owner_commits(commit),
            Step::OwnerAborts(commit) => self.owner_aborts(commit),
            Step::OwnerBacksUp => self.back_up_owner(),
            Step::OwnerRestores => self.restore_owner(),
            Step::OwnerLearnsEra => {
                self.cached_era = self.owner.era;
                true
            }
            Step::OwnerBeginsEraAgain => self.owner_begins_era_again(),
            Step::TimePasses => {
                self.young = Set::EMPTY;
                true
            }
            Step::Publish(event) => self.publish(event),
            Step::LoseTail(messages) => self.lose_tail(messages),
            Step::LoseOne(place) => self.lose_one(place),
            Step::Wipe { with_durable } => self.wipe(with_durable),
            Step::Pull(node) => self.pull(node),
            Step::Kill(node) => self.kill(node),
            Step::Upgrade => {
                self.nodes[0].is_upgraded = true;
                true
            }
            Step::LaneTakes(lane, event) => self.lane_takes(lane, Set::of(event)),
            Step::LaneTakesAll(lane) => self.lane_takes(lane, self.nodes[NODE_OF_LANE[lane]].memory.events),
            Step::LaneGoesOn(lane) => self.lane_goes_on(lane),
            Step::LaneFails(lane) => self.lane_fails(lane),
            Step::LaneBreaks(lane) => self.lane_breaks(lane),
            Step::CatchUp(node) => self.catch_up_goes_on(node),
            Step::Prune => self.prune(),
            Step::Redrive(event) => self.redrive(event),
            Step::ConsumerBacksUp => self.back_up_consumer(),
            Step::ConsumerRestores => self.restore_consumer(),
        }
    }

    /// Tells every step that is possible now.
    pub fn possible(&self, mut tell: impl FnMut(Step)) {
        self.possible_of_owner(&mut tell);
        self.possible_of_stream(&mut tell);
        self.possible_of_lanes(&mut tell);
        for node in 0..NODES {
            tell(Step::CatchUp(node));
            if self.budget.kills > 0 {
                tell(Step::Kill(node));
            }
        }
        if !self.nodes[0].is_upgraded {
            tell(Step::Upgrade);
        }
        if !self.prunable().is_empty() {
            tell(Step::Prune);
        }
        if self.budget.consumer_restores > 0 {
            tell(if self.consumer_backup.is_none() { Step::ConsumerBacksUp } else { Step::ConsumerRestores });
        }
        self.consumer.dead.for_each(|event| tell(Step::Redrive(event)));
    }

    fn possible_of_owner(&self, tell: &mut impl FnMut(Step)) {
        if self.commits.len() < MAX_COMMITS {
            (0..PATTERNS.len()).for_each(|pattern| tell(Step::OwnerBegins(pattern)));
        }
        for commit in self.running {
            tell(Step::OwnerCommits(commit));
            tell(Step::OwnerAborts(commit));
        }
        if !self.young.is_empty() {
            tell(Step::TimePasses);
        }
        if self.budget.owner_restores > 0 {
            tell(if self.owner_backup.is_none() { Step::OwnerBacksUp } else { Step::OwnerRestores });
        }
        if !self.rules.has(Rule::R13) && self.cached_era != self.owner.era {
            tell(Step::OwnerLearnsEra);
        }
        if !self.rules.has(Rule::R15) && self.owner.era > 1 && self.clock <= 8 {
            tell(Step::OwnerBeginsEraAgain);
        }
    }

    fn possible_of_stream(&self, tell: &mut impl FnMut(Step)) {
        if self.has_room_in_stream() {
            for commit in self.ever {
                self.events_of(commit).for_each(|event| tell(Step::Publish(event)));
            }
        }
        if self.may_lose() {
            tell(Step::LoseTail(1));
            tell(Step::LoseTail(3));
            let places = self.stream.iter().enumerate().filter(|(_, message)| message.is_some());
            places.for_each(|(place, _)| tell(Step::LoseOne(place)));
            tell(Step::Wipe { with_durable: false });
            tell(Step::Wipe { with_durable: true });
        }
        if self.delivered < self.stream.len() {
            (0..NODES).for_each(|node| tell(Step::Pull(node)));
        }
    }

    fn possible_of_lanes(&self, tell: &mut impl FnMut(Step)) {
        for (lane, batch) in self.lanes.iter().enumerate() {
            let waiting = self.nodes[NODE_OF_LANE[lane]].memory.events;
            if batch.is_none() {
                waiting.for_each(|event| tell(Step::LaneTakes(lane, event)));
                if waiting.len() > 1 {
                    tell(Step::LaneTakesAll(lane));
                }
                continue;
            }
            if !self.lane_waits(lane) {
                tell(Step::LaneGoesOn(lane));
            }
            if self.budget.lane_failures > 0 {
                tell(Step::LaneFails(lane));
                tell(Step::LaneBreaks(lane));
            }
        }
    }
}
