//! Operations: what those who run the shop ask of it as a whole. No domain stands behind it: whichever node was started
//! with `--check` answers.

use chrono::{DateTime, Utc};
use contract::{Detail, domain_error, query};
use serde::{Deserialize, Serialize};

use crate::{registry::MessageInfo, roles};

/// The name under which it is asked.
pub const DOMAIN: &str = "operations";

/// One conservation check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Invariant {
    pub name: String,
    /// What it holds, in a sentence.
    pub promise: String,
    /// How many faults it found.
    pub faults: u64,
    /// How many suspects moved on at every look: work in flight.
    pub unsettled: u64,
    pub took_ms: u64,
}

/// Something that is off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct InvariantFault {
    /// The name of the check.
    pub check: String,
    /// What it is about, with its ids.
    pub key: String,
    /// What is off.
    pub text: String,
}

/// Whether all of the shop's databases and streams agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Invariants {
    /// No check found a fault.
    pub is_ok: bool,
    pub checked_at: DateTime<Utc>,
    pub took_ms: u64,
    pub checks: Vec<Invariant>,
    /// The first of the faults; `checks` counts all of them.
    pub faults: Vec<InvariantFault>,
}

/// Runs the conservation checks. Takes a moment where all is well, and some seconds where something is suspect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckInvariants {}
query!(CheckInvariants, DOMAIN, "invariants", roles::ADMINS => Invariants, OperationsError);

domain_error! {
    /// The errors of the checks.
    pub enum OperationsError {
        CheckIncomplete { checks: Vec<String> }: Unavailable "check_incomplete" =
            "Some checks could not be made. Try again."
            => checks.iter().map(|name| Detail::state(name, "unknown", "could not look")).collect();
    }
}

/// Every message of the domain.
pub(crate) fn messages() -> Vec<MessageInfo> {
    vec![MessageInfo::query::<CheckInvariants>()]
}
