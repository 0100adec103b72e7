//! What must never be.

use std::fmt;

use crate::{
    set::Set,
    state::{NODE_OF_LANE, NODES, PER_COMMIT, PassStage, World},
};

/// How a promise is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An event had its effect, or was dead-lettered, a second time.
    Twice,
    /// A cursor passed an event of the log that was not handled: it will not be fetched again.
    Lost,
    /// The faults are over and all processes continue, and an event of the log is still not handled.
    Never,
    /// An event of a history that a restore has ended was applied by a lane that had seen the new epoch.
    Ghost,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Twice => "TWICE",
            Self::Lost => "LOST",
            Self::Never => "NEVER",
            Self::Ghost => "GHOST",
        })
    }
}

/// A broken promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// How.
    pub kind: Kind,
    /// Of which event.
    pub event: usize,
    /// Whether it showed only after the schedule's end, when the faults were over and all processes continued.
    pub in_the_end: bool,
}

/// Rounds in which each process takes all its steps, until the faults must have been repaired.
const ROUNDS: usize = 8;

impl World {
    /// Looks at the world after a step.
    pub fn violation(&self) -> Option<Violation> {
        let found = |kind, event: Option<usize>| event.map(|event| Violation { kind, event, in_the_end: false });
        let lost = || self.unhandled().find(|e| self.position(*e) <= self.consumer.cursors[self.kind(*e)]);
        found(Kind::Twice, self.twice).or_else(|| found(Kind::Ghost, self.ghost)).or_else(|| found(Kind::Lost, lost()))
    }

    /// Events of the log that are neither applied nor dead-lettered.
    fn unhandled(&self) -> impl Iterator<Item = usize> {
        let handled = self.consumer.handled();
        self.owner.committed.flat_map(|commit| self.events_of(commit)).filter(move |event| !handled.contains(*event))
    }

    /// The end of a schedule: no more faults, what was frozen goes on, all nodes know all types. First with the owner's
    /// open transactions still open, for repair must not wait for them (R6), then without.
    pub fn violation_in_the_end(&self) -> Option<Violation> {
        let mut world = self.clone();
        world.nodes[0].is_upgraded = true;
        world.settle().or_else(|| {
            for commit in world.running {
                world.owner_commits(commit);
            }
            world.settle()
        })
    }

    fn settle(&mut self) -> Option<Violation> {
        for round in 0..ROUNDS {
            self.young = Set::EMPTY;
            self.run_lanes();
            for node in 0..NODES {
                self.finish_pass(node);
            }
            self.run_lanes();
            self.prune();
            if let Some(violation) = self.violation() {
                return Some(Violation { in_the_end: true, ..violation });
            }
            // A pass that began before the end is finished in the first round, one with what it brought in the second.
            if round > 0 && self.unhandled().next().is_none() {
                return None;
            }
        }
        self.unhandled().next().map(|event| Violation { kind: Kind::Never, event, in_the_end: true })
    }

    fn run_lanes(&mut self) {
        // Open transactions first, round robin, for one may wait for another; then what waits in memory.
        for _ in 0..4 * self.lanes.len() {
            for lane in 0..self.lanes.len() {
                self.lane_goes_on(lane);
            }
        }
        for (lane, node) in NODE_OF_LANE.into_iter().enumerate() {
            self.lane_takes(lane, self.nodes[node].memory.events);
            while self.lane_goes_on(lane) {}
        }
    }

    fn finish_pass(&mut self, node: usize) {
        // As many pages as there can be, and one step more to begin.
        for _ in 0..4 * PER_COMMIT * self.commits.len() + 2 {
            self.catch_up_goes_on(node);
            if self.nodes[node].pass.stage == PassStage::Idle {
                return;
            }
        }
    }
}
