//! Copies of events in a node's memory.

use crate::{set::Set, state::MAX_EVENTS};

/// Copies of events in memory, each with the owner's epoch in which it was known to be in the log: what the stream
/// brought knows only its own epoch, what catch-up brought the one of the page.
#[derive(Debug, Clone, Copy, Default)]
pub struct Copies {
    /// The events.
    pub events: Set,
    known_in_epoch: [u8; MAX_EVENTS],
}

impl Copies {
    /// Adds a copy; of two copies the one that knows more counts.
    pub fn add(&mut self, event: usize, epoch: u8) {
        let known = if self.events.contains(event) { self.known_in_epoch[event] } else { 0 };
        self.known_in_epoch[event] = known.max(epoch);
        self.events.insert(event);
    }

    /// Adds all copies of another place.
    pub fn add_all(&mut self, others: &Self) {
        for event in others.events {
            self.add(event, others.known_in_epoch[event]);
        }
    }

    /// Takes copies out.
    pub fn take(&mut self, events: Set) -> Self {
        let taken = Self { events: self.events.common(events), known_in_epoch: self.known_in_epoch };
        self.events = self.events.without(events);
        taken
    }

    /// The epoch in which an event was known to be in the log.
    pub fn known_in_epoch(&self, event: usize) -> u8 {
        self.known_in_epoch[event]
    }
}
