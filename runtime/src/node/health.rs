//! The health of a node.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use serde::Serialize;

use crate::{clock::Clock, node::supervise::Watch};

/// The health of one domain or service of a node.
#[derive(Debug, Clone, Serialize)]
pub struct DomainHealth {
    /// The name of the domain or service.
    pub name: &'static str,
    /// Whether it can serve requests.
    pub is_ready: bool,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// The health of a node.
#[derive(Debug, Clone, Serialize)]
pub struct Health {
    /// Whether every domain and service of the node is ready.
    pub is_ready: bool,
    /// The health of each domain and service.
    pub domains: Vec<DomainHealth>,
}

/// The state of one domain or service from which its health is computed. Its watcher updates it.
pub(super) struct HealthState {
    pub name: &'static str,
    pub watch: Arc<Watch>,
    pub is_connected: AtomicBool,
    pub has_database: AtomicBool,
    pub clock: Clock,
}

impl HealthState {
    pub(super) fn new(name: &'static str, watch: Arc<Watch>, clock: Clock) -> Self {
        Self { name, watch, is_connected: AtomicBool::new(true), has_database: AtomicBool::new(true), clock }
    }

    pub(super) fn health(&self) -> DomainHealth {
        let reason = if self.watch.is_draining.load(Ordering::Relaxed) {
            Some("draining")
        } else if self.watch.is_failing(Instant::now()) {
            Some("an actor fails repeatedly")
        } else if !self.is_connected.load(Ordering::Relaxed) {
            Some("not connected to NATS")
        } else if !self.has_database.load(Ordering::Relaxed) {
            Some("the database is not available")
        } else if self.clock.is_off() {
            Some("the clock is off by more than a second")
        } else {
            None
        };
        DomainHealth { name: self.name, is_ready: reason.is_none(), reason }
    }
}
