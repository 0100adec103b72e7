//! What a run found.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// What a run found, in all.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Every check was made and found no fault.
    pub is_ok: bool,
    /// When the run began.
    pub checked_at: DateTime<Utc>,
    /// How long it took.
    pub took_ms: u64,
    /// Every check.
    pub checks: Vec<CheckReport>,
    /// What is off.
    pub faults: Vec<Fault>,
    /// What moved on at every look, to the end: a busy system, not a broken one.
    pub unsettled: Vec<Fault>,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub promise: &'static str,
    /// How many faults it found.
    pub faults: usize,
    /// How many suspects never settled.
    pub unsettled: usize,
    /// How long its first look took.
    pub took_ms: u64,
    /// Why it could not look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// Something that is off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The check that found it.
    pub check: &'static str,
    /// What it is about, with its ids.
    pub key: String,
    /// What is off.
    pub text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.check, self.key, self.text)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16} {:>7} {:>8}  promise", "check", "faults", "time")?;
        for check in &self.checks {
            let faults = if check.failure.is_some() { "-".to_owned() } else { check.faults.to_string() };
            writeln!(f, "{:<16} {faults:>7} {:>5} ms  {}", check.name, check.took_ms, check.promise)?;
        }
        for check in &self.checks {
            if let Some(failure) = &check.failure {
                writeln!(f, "{} could not be made: {failure}", check.name)?;
            }
        }
        for fault in &self.faults {
            writeln!(f, "{fault}")?;
        }
        if !self.unsettled.is_empty() {
            writeln!(f, "{} suspects moved on at every look and never settled", self.unsettled.len())?;
        }
        let seconds = self.took_ms as f64 / 1000.0;
        match self.is_ok {
            true => write!(f, "all of it holds ({seconds:.1} s)"),
            false => write!(f, "{} faults ({seconds:.1} s)", self.faults.len()),
        }
    }
}
