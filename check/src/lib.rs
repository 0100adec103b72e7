//! Conservation checks over the databases and streams of all domains, on a running system: nothing is stopped or
//! written. The only code that reads the tables of all domains, with a read-only role; docs/reliability.md explains
//! each check.
//!
//! There is no snapshot across databases, so a discrepancy is at first only a suspect. It becomes a violation if
//! repeated inspections find it unchanged for [`SETTLED`]; work in flight changes in that time.
//!
//! To read first: `checks.rs` (the list), `run.rs` (from a suspect to a violation), `checks/balance.rs` (a typical
//! check).

use std::time::Duration;

mod checks;
mod forks;
mod join;
mod report;
mod run;
mod sources;
mod stream;

pub use report::{CheckReport, Report, Violation};
pub use run::{SETTLED, run};
pub use sources::Sources;

/// A discrepancy that a look found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Suspect {
    /// The subject, with the ids by which an operator finds it.
    pub key: String,
    /// The discrepancy. Contains nothing that changes by itself, such as an age, so that every look yields the same
    /// text.
    pub text: String,
    /// How long it must stay unchanged to be a violation.
    pub(crate) settled: Duration,
}

impl Suspect {
    pub(crate) fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into(), settled: SETTLED }
    }

    /// Allows the suspect to stay unchanged for longer while it is processed.
    pub(crate) fn settled_after(self, settled: Duration) -> Self {
        Self { settled, ..self }
    }
}
