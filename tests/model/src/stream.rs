//! The stream: anything may be published again at any time, and anything may be lost.

use crate::state::{PER_COMMIT, World};

/// Messages in the stream at most.
const MAX_STREAM: usize = 14;

impl World {
    /// Whether one more message fits.
    pub(crate) fn has_room_in_stream(&self) -> bool {
        self.stream.len() < MAX_STREAM
    }

    /// An event that was committed once is published, perhaps again.
    pub(crate) fn publish(&mut self, event: usize) -> bool {
        let commit = event / PER_COMMIT;
        let may = self.has_room_in_stream()
            && self.ever.contains(commit)
            && event % PER_COMMIT < self.commits[commit].types.len();
        if may {
            self.stream.push(Some(event));
        }
        may
    }

    /// The tail is lost. The durable keeps its place, so numbers that are given again are never delivered.
    pub(crate) fn lose_end(&mut self, messages: usize) -> bool {
        let may = self.may_lose();
        if may {
            self.budget.stream_losses -= 1;
            self.stream.truncate(self.stream.len().saturating_sub(messages));
        }
        may
    }

    /// One message is lost.
    pub(crate) fn lose_one(&mut self, place: usize) -> bool {
        let may = self.may_lose() && self.stream.get(place).is_some_and(Option::is_some);
        if may {
            self.budget.stream_losses -= 1;
            self.stream[place] = None;
        }
        may
    }

    /// Everything is lost, with or without the durable.
    pub(crate) fn wipe(&mut self, with_durable: bool) -> bool {
        let may = self.may_lose();
        if may {
            self.budget.stream_losses -= 1;
            self.stream.clear();
            if with_durable {
                self.delivered = 0;
            }
        }
        may
    }

    pub(crate) fn may_lose(&self) -> bool {
        self.budget.stream_losses > 0 && !self.stream.is_empty()
    }

    /// A node pulls the next message. There is no ack: only the node that pulled it has it. It leaves a type alone that
    /// it does not know.
    pub(crate) fn pull(&mut self, node: usize) -> bool {
        let Some(message) = self.stream.get(self.delivered).copied() else { return false };
        self.delivered += 1;
        if let Some(event) = message
            && self.knows(node, self.kind(event))
        {
            let epoch = self.position(event).epoch;
            self.nodes[node].memory.add(event, epoch);
        }
        true
    }
}
