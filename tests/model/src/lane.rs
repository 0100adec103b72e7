//! A lane's transaction over a batch of events: inbox rows, cursors, effects, one commit; and what is done when it
//! fails.

use crate::{
    rules::Rule,
    set::Set,
    state::{Batch, LaneStage, NODE_OF_LANE, World},
};

impl World {
    /// A lane takes events out of its node's memory.
    pub(crate) fn lane_takes(&mut self, lane: usize, events: Set) -> bool {
        let memory = &mut self.nodes[NODE_OF_LANE[lane]].memory;
        if self.lanes[lane].is_some() || memory.events.common(events).is_empty() {
            return false;
        }
        let copies = memory.take(events);
        let (open, inserted) = (copies.events, Set::EMPTY);
        self.lanes[lane] =
            Some(Batch { stage: LaneStage::Begun, copies, open, inserted, dead_letters: false, saw_epoch: 0 });
        true
    }

    /// The next statement of a lane's transaction.
    pub(crate) fn lane_goes_on(&mut self, lane: usize) -> bool {
        let Some(mut batch) = self.lanes[lane] else { return false };
        if self.lane_waits(lane) {
            return false;
        }
        match batch.stage {
            LaneStage::Ready => {
                self.lanes[lane] = None;
                self.commit(&batch);
                return true;
            }
            stage if self.inserts_at() == stage => self.insert_inbox(&mut batch),
            LaneStage::Begun | LaneStage::Half => self.check_cursors(&mut batch),
        }
        batch.stage = if batch.stage == LaneStage::Begun { LaneStage::Half } else { LaneStage::Ready };
        self.lanes[lane] = Some(batch);
        true
    }

    /// Whether the inbox rows are inserted first or after the check.
    fn inserts_at(&self) -> LaneStage {
        if self.rules.has(Rule::R1) { LaneStage::Begun } else { LaneStage::Half }
    }

    /// An insert waits for the end of a transaction that has inserted the same row.
    pub(crate) fn lane_waits(&self, lane: usize) -> bool {
        self.lanes[lane].is_some_and(|mine| {
            let others = self.lanes.iter().enumerate().filter(|(number, _)| *number != lane);
            mine.stage == self.inserts_at()
                && others.filter_map(|(_, other)| *other).any(|other| !other.inserted.common(mine.open).is_empty())
        })
    }

    /// What has a row was handled before.
    fn insert_inbox(&self, batch: &mut Batch) {
        batch.open = batch.open.without(self.consumer.inbox);
        if !batch.dead_letters || self.rules.has(Rule::R10) {
            batch.inserted = batch.open;
        }
    }

    /// What lies at or below its cursor was handled before, and its row was pruned since. What belongs to a history
    /// that a restore of the owner has ended is not handled: no row of it stays.
    fn check_cursors(&self, batch: &mut Batch) {
        batch.saw_epoch = self.consumer.newest_epoch;
        batch.open = batch.open.only(|event| self.position(event) > self.consumer.cursors[self.kind(event)]);
        if self.rules.has(Rule::R14) {
            let ghosts = batch.open.only(|event| batch.copies.known_in_epoch(event) < batch.saw_epoch);
            batch.open = batch.open.without(ghosts);
            batch.inserted = batch.inserted.without(ghosts);
        }
    }

    fn commit(&mut self, batch: &Batch) {
        self.consumer.inbox = self.consumer.inbox.union(batch.inserted);
        self.note_twice(batch.open);
        let ghost = batch.open.only(|e| !self.is_in_log(e) && self.position(e).epoch < batch.saw_epoch);
        self.ghost = self.ghost.or(ghost.first());
        if batch.dead_letters {
            self.consumer.dead = self.consumer.dead.union(batch.open);
        } else {
            self.consumer.applied = self.consumer.applied.union(batch.open);
        }
    }

    pub(crate) fn note_twice(&mut self, events: Set) {
        self.twice = self.twice.or(events.common(self.consumer.handled()).first());
    }

    /// An error of the data: a batch is halved (one event runs again alone, the others go back), an event that is alone
    /// is dead-lettered.
    pub(crate) fn lane_fails(&mut self, lane: usize) -> bool {
        let Some(mut batch) = self.lanes[lane].filter(|_| self.budget.lane_failures > 0) else { return false };
        self.budget.lane_failures -= 1;
        let Some(first) = batch.copies.events.first() else { return false };
        let alone = batch.copies.take(Set::of(first));
        let dead_letters = batch.copies.events.is_empty();
        self.nodes[NODE_OF_LANE[lane]].memory.add_all(&batch.copies);
        let (open, inserted) = (alone.events, Set::EMPTY);
        self.lanes[lane] =
            Some(Batch { stage: LaneStage::Begun, copies: alone, open, inserted, dead_letters, saw_epoch: 0 });
        true
    }

    /// An error that no event causes: a deadlock, a time-out, a lost connection. The batch runs again.
    pub(crate) fn lane_breaks(&mut self, lane: usize) -> bool {
        if self.budget.lane_failures == 0 || self.lanes[lane].is_none() {
            return false;
        }
        self.budget.lane_failures -= 1;
        self.lane_rolls_back(lane);
        true
    }

    pub(crate) fn lane_rolls_back(&mut self, lane: usize) {
        if let Some(batch) = self.lanes[lane].take() {
            self.nodes[NODE_OF_LANE[lane]].memory.add_all(&batch.copies);
        }
    }

    /// An operator redrives a dead-lettered event.
    pub(crate) fn redrive(&mut self, event: usize) -> bool {
        if !self.consumer.dead.contains(event) {
            return false;
        }
        self.consumer.dead.remove(event);
        if self.rules.has(Rule::R11) {
            self.note_twice(Set::of(event));
            self.consumer.applied.insert(event);
        } else {
            let epoch = self.owner.epoch;
            self.nodes[1].memory.add(event, epoch);
        }
        true
    }
}
