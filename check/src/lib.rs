//! The conservation checks, over all domains' databases and streams, on a live system: nothing is stopped, nothing is
//! written. The one place that reads everybody's tables, as a role that may only read; docs/reliability.md says what
//! each check means.
//!
//! There is no snapshot across databases, so what a look finds is a suspect first. It is a fault when it is found again
//! and again, unchanged, for [`SETTLED`]; work in flight moves on meanwhile.

use std::time::Duration;

mod checks;
mod forks;
mod join;
mod report;
mod run;
mod sources;
mod stream;

pub use report::{CheckReport, Fault, Report};
pub use run::{SETTLED, run};
pub use sources::Sources;

/// What a look finds odd.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Suspect {
    /// What it is about, with the ids by which a person finds it.
    pub key: String,
    /// What is off. It holds nothing that moves by itself, such as an age: the same fault has the same text at every look.
    pub text: String,
    /// For how long it must not change to be a fault.
    pub(crate) settled: Duration,
}

impl Suspect {
    pub(crate) fn new(key: impl Into<String>, text: impl Into<String>) -> Self {
        Self { key: key.into(), text: text.into(), settled: SETTLED }
    }

    /// One that may stand still for longer while it is worked on.
    pub(crate) fn settled_after(self, settled: Duration) -> Self {
        Self { settled, ..self }
    }
}
