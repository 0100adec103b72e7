//! The result of a run: a table for readers, JSON for programs.

mod costs;
mod goals;
mod overload;
mod profile;
mod table;
mod text;

use std::collections::BTreeMap;

use serde::Serialize;

use crate::arguments::Arguments;
use crate::limits::Limit;
use crate::machine::Machine;
use crate::profile::Profile;
use crate::scenarios::{Outcome, Verdict};

pub use self::goals::{Achieved, goal_table};

#[derive(Debug, Serialize)]
pub struct Report {
    pub date: String,
    pub machine: Machine,
    pub arguments: Arguments,
    /// The errors of all phases and checks, by kind.
    pub errors: BTreeMap<String, u64>,
    pub limits: Vec<Limit>,
    /// How the load generator shared the CPU with the shop.
    pub generator: String,
    #[serde(flatten)]
    pub outcome: Outcome,
    pub goals: Vec<Achieved>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
}

impl Report {
    pub fn new(
        arguments: &Arguments,
        limits: Vec<Limit>,
        generator: String,
        outcome: Outcome,
        profile: Option<Profile>,
    ) -> Self {
        Self {
            date: chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            machine: Machine::this(),
            arguments: arguments.clone(),
            errors: errors(&outcome),
            limits,
            generator,
            goals: goals::achieved(&outcome),
            outcome,
            profile,
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
        if phase.measured.whole().is_none() {
            *errors.entry(format!("nothing succeeded in {}", phase.measured.name)).or_default() += 1;
        }
    }
    for check in outcome.checks.iter().filter(|check| check.verdict != Verdict::Holds) {
        *errors.entry(format!("{}: {}", check.verdict, check.name)).or_default() += 1;
    }
    errors
}
