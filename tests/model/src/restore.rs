//! Backups and restores of either database, and the death of a node.

use crate::{
    rules::Rule,
    state::{NODE_OF_LANE, Node, PassStage, World},
};

impl World {
    /// A backup of the owner's database: one per schedule.
    pub(crate) fn back_up_owner(&mut self) -> bool {
        let may = self.owner_backup.is_none() && self.budget.owner_restores > 0;
        if may {
            self.owner_backup = Some(self.owner);
        }
        may
    }

    /// The owner's database goes back to its backup. Open transactions end, the server has restarted: an epoch begins.
    pub(crate) fn restore_owner(&mut self) -> bool {
        let Some(backup) = self.owner_backup.filter(|_| self.budget.owner_restores > 0) else { return false };
        self.budget.owner_restores -= 1;
        self.owner = backup;
        self.running = crate::set::Set::EMPTY;
        self.young = self.young.common(backup.committed);
        self.clock += 1;
        self.owner.epoch = if self.rules.has(Rule::R12) { self.clock } else { backup.epoch + 1 };
        true
    }

    /// A backup of the consumer's database: one per schedule.
    pub(crate) fn back_up_consumer(&mut self) -> bool {
        let may = self.consumer_backup.is_none() && self.budget.consumer_restores > 0;
        if may {
            self.consumer_backup = Some(self.consumer);
        }
        may
    }

    /// The consumer's database goes back to its backup. Its transactions end; its nodes keep their memory.
    pub(crate) fn restore_consumer(&mut self) -> bool {
        let Some(backup) = self.consumer_backup.filter(|_| self.budget.consumer_restores > 0) else { return false };
        self.budget.consumer_restores -= 1;
        self.consumer = backup;
        for lane in 0..self.lanes.len() {
            self.lane_rolls_back(lane);
        }
        if self.rules.has(Rule::R2) {
            for node in &mut self.nodes {
                if node.pass.stage == PassStage::Compared {
                    node.pass = Default::default();
                }
            }
        }
        true
    }

    /// kill -9: memory, lanes and pass of a node are gone.
    pub(crate) fn kill(&mut self, node: usize) -> bool {
        if self.budget.kills == 0 {
            return false;
        }
        self.budget.kills -= 1;
        self.nodes[node] = Node { is_upgraded: self.nodes[node].is_upgraded, ..Node::default() };
        for (lane, batch) in self.lanes.iter_mut().enumerate() {
            if NODE_OF_LANE[lane] == node {
                *batch = None;
            }
        }
        true
    }
}
