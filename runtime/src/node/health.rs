//! Whether a node can do its work.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use serde::Serialize;

use crate::{clock::Clock, supervise::Watch};

/// How one domain on this node fares.
#[derive(Debug, Clone, Serialize)]
pub struct DomainHealth {
    /// The domain.
    pub name: &'static str,
    /// Whether it can answer.
    pub is_ready: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// How a node fares.
#[derive(Debug, Clone, Serialize)]
pub struct Health {
    /// Whether every domain of the node can answer.
    pub is_ready: bool,
    /// Each domain.
    pub domains: Vec<DomainHealth>,
}

/// What is known of one domain, kept up by its watcher.
pub(super) struct Pulse {
    pub name: &'static str,
    pub watch: Arc<Watch>,
    pub is_connected: AtomicBool,
    pub has_database: AtomicBool,
    pub clock: Clock,
}

impl Pulse {
    pub(super) fn new(name: &'static str, watch: Arc<Watch>, clock: Clock) -> Self {
        Self { name, watch, is_connected: AtomicBool::new(true), has_database: AtomicBool::new(true), clock }
    }

    pub(super) fn health(&self) -> DomainHealth {
        let reason = if self.watch.is_draining.load(Ordering::Relaxed) {
            Some("draining")
        } else if self.watch.is_failing(Instant::now()) {
            Some("an actor keeps dying")
        } else if !self.is_connected.load(Ordering::Relaxed) {
            Some("not connected to NATS")
        } else if !self.has_database.load(Ordering::Relaxed) {
            Some("the database does not answer")
        } else if self.clock.is_off() {
            Some("the clock is off by more than a second")
        } else {
            None
        };
        DomainHealth { name: self.name, is_ready: reason.is_none(), reason }
    }
}
