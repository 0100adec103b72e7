//! The result of a run.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// The result of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Whether every check completed and found no violation.
    pub is_ok: bool,
    /// When the run began.
    pub checked_at: DateTime<Utc>,
    /// The duration of the run.
    pub took_ms: u64,
    /// The result of each check.
    pub checks: Vec<CheckReport>,
    /// The violations of all checks.
    pub violations: Vec<Violation>,
    /// Suspects that changed at every inspection until the end: a sign of load, not of a defect.
    pub unsettled: Vec<Violation>,
}

/// The result of a check.
#[derive(Debug, Clone, Serialize)]
pub struct CheckReport {
    /// The name.
    pub name: &'static str,
    /// The invariant that it verifies.
    pub promise: &'static str,
    /// The number of violations.
    pub violations: usize,
    /// The number of suspects that never settled.
    pub unsettled: usize,
    /// The duration of the first inspection.
    pub took_ms: u64,
    /// The error, if the check could not complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A discrepancy that has settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The check that found it.
    pub check: &'static str,
    /// The subject, with its ids.
    pub key: String,
    /// The discrepancy.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.check, self.key, self.text)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<16} {:>10} {:>8}  promise", "check", "violations", "time")?;
        for check in &self.checks {
            let violations = if check.failure.is_some() { "-".to_owned() } else { check.violations.to_string() };
            writeln!(f, "{:<16} {violations:>10} {:>5} ms  {}", check.name, check.took_ms, check.promise)?;
        }
        for check in &self.checks {
            if let Some(failure) = &check.failure {
                writeln!(f, "{} could not be completed: {failure}", check.name)?;
            }
        }
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        if !self.unsettled.is_empty() {
            writeln!(f, "{} suspects changed at every inspection and never settled", self.unsettled.len())?;
        }
        let seconds = self.took_ms as f64 / 1000.0;
        match self.is_ok {
            true => write!(f, "no violations ({seconds:.1} s)"),
            false => write!(f, "{} violations ({seconds:.1} s)", self.violations.len()),
        }
    }
}
