//! Catch-up on a node: it reads the cursors, asks the owner page by page, compares with the inbox, moves the cursors
//! and hands over what is missing. And pruning.

use crate::{
    rules::Rule,
    set::Set,
    state::{Pass, PassStage, Position, TYPES, World},
};

impl World {
    /// The next step of a node's pass.
    pub(crate) fn catch_up_goes_on(&mut self, node: usize) -> bool {
        let mut pass = self.nodes[node].pass;
        match pass.stage {
            PassStage::Idle => {
                let cursors = self.consumer.cursors;
                let lower = self.moved_by(node).map(|kind| cursors[kind]).min().unwrap_or_default();
                pass = Pass { stage: PassStage::Asking, cursors, lower, after: lower, ..Pass::default() };
            }
            PassStage::Asking => {
                pass.horizon = Position::END;
                if self.rules.has(Rule::R4) {
                    self.read_horizon(&mut pass);
                } else {
                    self.read_rows(&mut pass);
                }
                pass.stage = PassStage::HalfAnswered;
            }
            PassStage::HalfAnswered => {
                if self.rules.has(Rule::R4) {
                    self.read_rows(&mut pass);
                } else {
                    self.read_horizon(&mut pass);
                }
                if !self.rules.has(Rule::R6) {
                    pass.rows = pass.rows.only(|commit| self.commits[commit].position <= pass.horizon);
                }
                pass.stage = PassStage::Answered;
            }
            PassStage::Answered => self.compare(node, &mut pass),
            PassStage::Compared => self.move_up(node, &mut pass),
        }
        self.nodes[node].pass = pass;
        true
    }

    /// The types whose cursors a node moves.
    fn moved_by(&self, node: usize) -> impl Iterator<Item = usize> + use<> {
        let knows: [bool; TYPES] = std::array::from_fn(|kind| self.knows(node, kind));
        let moves_all = !self.rules.has(Rule::R8);
        (0..TYPES).filter(move |kind| moves_all || knows[*kind])
    }

    fn compare(&self, node: usize, pass: &mut Pass) {
        if self.rules.has(Rule::R2) {
            pass.cursors = self.consumer.cursors;
            if self.moved_by(node).any(|kind| pass.cursors[kind] < pass.lower) {
                // The consumer's database was restored since: the list begins too high.
                *pass = Pass::default();
                return;
            }
        }
        pass.missing = Set::EMPTY;
        pass.targets = [None; TYPES];
        for kind in self.moved_by(node) {
            // A gap on an earlier page holds the cursor; this page is only repaired.
            pass.is_held[kind] |= pass.cursors[kind] < pass.after;
            let mut target = (!pass.is_held[kind]).then_some(pass.horizon);
            for commit in pass.rows {
                let position = self.commits[commit].position;
                let missing = self.missing(node, commit, kind);
                if position > pass.cursors[kind] && !missing.is_empty() {
                    pass.missing = pass.missing.union(missing);
                    pass.is_held[kind] = true;
                    target = target.map(|target| target.min(position.just_below()));
                }
            }
            pass.targets[kind] = target;
        }
        pass.stage = PassStage::Compared;
    }

    /// The events of a commit and type that the inbox lacks.
    fn missing(&self, node: usize, commit: usize, kind: usize) -> Set {
        if !self.knows(node, kind) {
            return Set::EMPTY;
        }
        let events: Set = self.events_of(commit).collect();
        if !self.rules.has(Rule::R7) {
            let expected = events.only(|event| self.knows(node, self.kind(event))).len();
            if events.common(self.consumer.inbox).len() >= expected {
                return Set::EMPTY;
            }
        }
        events.only(|event| self.kind(event) == kind).without(self.consumer.inbox)
    }

    /// Moves the cursors and commits; then hands over, and asks for the next page if there is one.
    fn move_up(&mut self, node: usize, pass: &mut Pass) {
        let consumer = &mut self.consumer;
        consumer.newest_epoch = consumer.newest_epoch.max(pass.epoch);
        for (kind, target) in pass.targets.iter().enumerate() {
            let Some(target) = target else { continue };
            consumer.cursors[kind] = consumer.cursors[kind].max(*target);
            pass.cursors[kind] = pass.cursors[kind].max(*target);
        }
        if self.rules.has(Rule::R9) {
            for event in pass.missing {
                self.nodes[node].memory.add(event, pass.epoch);
            }
        } else {
            let open = pass.missing.without(consumer.inbox);
            consumer.inbox = consumer.inbox.union(open);
            self.note_twice(open);
            self.consumer.applied = self.consumer.applied.union(open);
        }
        *pass = match pass.next {
            Some(next) => Pass { stage: PassStage::Asking, after: next, ..*pass },
            None => Pass::default(),
        };
    }

    /// Inbox rows that a prune would delete now.
    pub(crate) fn prunable(&self) -> Set {
        let cursors = self.consumer.cursors;
        let highest = cursors.into_iter().max().unwrap_or_default();
        self.consumer.inbox.only(|event| {
            let limit = if self.rules.has(Rule::R3) { cursors[self.kind(event)] } else { highest };
            self.position(event) <= limit
        })
    }

    /// One statement deletes them.
    pub(crate) fn prune(&mut self) -> bool {
        let gone = self.prunable();
        self.consumer.inbox = self.consumer.inbox.without(gone);
        !gone.is_empty()
    }
}
