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
    /// The owner's nodes notice the new epoch. Has no effect unless the epoch is cached.
    OwnerLearnsEpoch,
    OwnerBeginsEpochAgain,
    /// Everything committed until now is older than the delay.
    TimePasses,
    Publish(usize),
    LoseEnd(usize),
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
            Step::OwnerLearnsEpoch => {
                self.cached_epoch = self.owner.epoch;
                true
            }
            Step::OwnerBeginsEpochAgain => self.owner_begins_epoch_again(),
            Step::TimePasses => {
                self.young = Set::EMPTY;
                true
            }
            Step::Publish(event) => self.publish(event),
            Step::LoseEnd(messages) => self.lose_end(messages),
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

    /// Reports every step that is possible now.
    pub fn possible(&self, mut report: impl FnMut(Step)) {
        self.possible_of_owner(&mut report);
        self.possible_of_stream(&mut report);
        self.possible_of_lanes(&mut report);
        for node in 0..NODES {
            report(Step::CatchUp(node));
            if self.budget.kills > 0 {
                report(Step::Kill(node));
            }
        }
        if !self.nodes[0].is_upgraded {
            report(Step::Upgrade);
        }
        if !self.prunable().is_empty() {
            report(Step::Prune);
        }
        if self.budget.consumer_restores > 0 {
            report(if self.consumer_backup.is_none() { Step::ConsumerBacksUp } else { Step::ConsumerRestores });
        }
        self.consumer.dead.for_each(|event| report(Step::Redrive(event)));
    }

    fn possible_of_owner(&self, report: &mut impl FnMut(Step)) {
        if self.commits.len() < MAX_COMMITS {
            (0..PATTERNS.len()).for_each(|pattern| report(Step::OwnerBegins(pattern)));
        }
        for commit in self.running {
            report(Step::OwnerCommits(commit));
            report(Step::OwnerAborts(commit));
        }
        if !self.young.is_empty() {
            report(Step::TimePasses);
        }
        if self.budget.owner_restores > 0 {
            report(if self.owner_backup.is_none() { Step::OwnerBacksUp } else { Step::OwnerRestores });
        }
        if !self.rules.has(Rule::R13) && self.cached_epoch != self.owner.epoch {
            report(Step::OwnerLearnsEpoch);
        }
        if !self.rules.has(Rule::R15) && self.owner.epoch > 1 && self.clock <= 8 {
            report(Step::OwnerBeginsEpochAgain);
        }
    }

    fn possible_of_stream(&self, report: &mut impl FnMut(Step)) {
        if self.has_room_in_stream() {
            for commit in self.ever {
                self.events_of(commit).for_each(|event| report(Step::Publish(event)));
            }
        }
        if self.may_lose() {
            report(Step::LoseEnd(1));
            report(Step::LoseEnd(3));
            let places = self.stream.iter().enumerate().filter(|(_, message)| message.is_some());
            places.for_each(|(place, _)| report(Step::LoseOne(place)));
            report(Step::Wipe { with_durable: false });
            report(Step::Wipe { with_durable: true });
        }
        if self.delivered < self.stream.len() {
            (0..NODES).for_each(|node| report(Step::Pull(node)));
        }
    }

    fn possible_of_lanes(&self, report: &mut impl FnMut(Step)) {
        for (lane, batch) in self.lanes.iter().enumerate() {
            let waiting = self.nodes[NODE_OF_LANE[lane]].memory.events;
            if batch.is_none() {
                waiting.for_each(|event| report(Step::LaneTakes(lane, event)));
                if waiting.len() > 1 {
                    report(Step::LaneTakesAll(lane));
                }
                continue;
            }
            if !self.lane_waits(lane) {
                report(Step::LaneGoesOn(lane));
            }
            if self.budget.lane_failures > 0 {
                report(Step::LaneFails(lane));
                report(Step::LaneBreaks(lane));
            }
        }
    }
}
