//! The result of a run: a table for readers, JSON for programs.

mod table;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::arguments::Arguments;
use crate::limits::Limit;
use crate::machine::Machine;
use crate::scenarios::{Check, Comparison, Outcome, Phase, Verdict};

#[derive(Debug, Serialize)]
pub struct Report {
    pub date: String,
    pub machine: Machine,
    pub arguments: Arguments,
    /// The errors of all phases and checks, by kind.
    pub errors: BTreeMap<String, u64>,
    pub limits: Vec<Limit>,
    pub phases: Vec<Phase>,
    pub comparison: Option<Comparison>,
    pub checks: Vec<Check>,
}

impl Report {
    pub fn new(arguments: &Arguments, limits: Vec<Limit>, outcome: Outcome) -> Self {
        Self {
            date: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            machine: Machine::this(),
            arguments: arguments.clone(),
            errors: errors(&outcome),
            limits,
            phases: outcome.phases,
            comparison: outcome.comparison,
            checks: outcome.checks,
        }
    }

    pub fn is_clean(&self) -> bool {
        self.errors.is_empty()
    }
}

fn errors(outcome: &Outcome) -> BTreeMap<String, u64> {
    let mut errors = BTreeMap::new();
    for (kind, count) in outcome.phases.iter().flat_map(|phase| &phase.measured.errors) {
        *errors.entry(kind.clone()).or_default() += count;
    }
    for phase in &outcome.phases {
        // A run without any success must not pass as free of errors.
        if phase.measured.figures.iter().all(|figures| figures.count == 0) {
            *errors.entry(format!("nothing succeeded in {}", phase.measured.name)).or_default() += 1;
        }
    }
    for check in outcome.checks.iter().filter(|check| check.verdict != Verdict::Holds) {
        *errors.entry(format!("{}: {}", check.verdict, check.name)).or_default() += 1;
    }
    errors
}
