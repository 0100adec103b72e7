//! The owner of the events: concurrent transactions, and what it answers when it is asked for its log.

use crate::{
    rules::Rule,
    set::Set,
    state::{Commit, MAX_COMMITS, PAGE, PATTERNS, Pass, Position, World},
};

impl World {
    /// A transaction takes its id and its epoch: its position, if it commits.
    pub(crate) fn owner_begins(&mut self, pattern: usize) -> bool {
        if self.commits.len() >= MAX_COMMITS {
            return false;
        }
        let Some(types) = PATTERNS.get(pattern) else { return false };
        let epoch = if self.rules.has(Rule::R13) { self.owner.epoch } else { self.cached_epoch };
        self.running.insert(self.commits.len());
        self.commits.push(Commit { position: Position { epoch, xid: self.owner.next_xid }, types });
        self.owner.next_xid += 1;
        true
    }

    /// It commits: only now is its row in the log, whatever was read meanwhile.
    pub(crate) fn owner_commits(&mut self, commit: usize) -> bool {
        if !self.running.contains(commit) {
            return false;
        }
        self.running.remove(commit);
        self.owner.committed.insert(commit);
        self.ever.insert(commit);
        self.young.insert(commit);
        true
    }

    /// It rolls back.
    pub(crate) fn owner_aborts(&mut self, commit: usize) -> bool {
        let was_running = self.running.contains(commit);
        self.running.remove(commit);
        was_running
    }

    /// Another of the owner's lanes, which had looked before the epoch of this start was committed, begins one more.
    pub(crate) fn owner_begins_epoch_again(&mut self) -> bool {
        if self.rules.has(Rule::R15) || self.owner.epoch == 1 || self.clock > 8 {
            return false;
        }
        self.clock += 1;
        self.owner.epoch = self.clock;
        true
    }

    /// The horizon: below the oldest open transaction everything is settled. Transaction ids know no epochs.
    pub(crate) fn read_horizon(&self, pass: &mut Pass) {
        let oldest = self.running.map(|commit| self.commits[commit].position.xid).min().unwrap_or(self.owner.next_xid);
        pass.epoch = self.owner.epoch;
        pass.horizon = pass.horizon.min(Position { epoch: self.owner.epoch, xid: oldest - 1 });
    }

    /// A page of rows: the old ones are given, young ones and the page's end lower the horizon.
    pub(crate) fn read_rows(&self, pass: &mut Pass) {
        let mut all: Vec<usize> =
            self.owner.committed.only(|commit| self.commits[commit].position > pass.after).collect();
        all.sort_unstable_by_key(|commit| self.commits[*commit].position);
        let is_cut = all.len() >= PAGE;
        all.truncate(PAGE);
        pass.rows = Set::EMPTY;
        for commit in &all {
            if !self.young.contains(*commit) {
                pass.rows.insert(*commit);
            } else if self.rules.has(Rule::R5) {
                pass.horizon = pass.horizon.min(self.commits[*commit].position.just_below());
            }
        }
        pass.next = all.last().filter(|_| is_cut).map(|commit| self.commits[*commit].position);
        if let Some(end) = pass.next {
            pass.horizon = pass.horizon.min(end);
        }
    }
}
