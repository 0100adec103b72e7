//! Operations of the shop as a whole, for admins. No domain owns them: any node that was started with `--check` serves
//! them.

use chrono::{DateTime, Utc};
use contract::{Detail, domain_error, query};
use serde::{Deserialize, Serialize};

use crate::{registry::MessageInfo, roles};

/// The name of the service.
pub const DOMAIN: &str = "operations";

/// One conservation check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Invariant {
    pub name: String,
    /// The invariant that it verifies, in a sentence.
    pub promise: String,
    /// The number of violations.
    pub violations: u64,
    /// The number of suspects that changed at every inspection: work in flight.
    pub unsettled: u64,
    pub took_ms: u64,
}

/// A violation of an invariant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct InvariantViolation {
    /// The name of the check.
    pub check: String,
    /// The entity concerned, with its ids.
    pub key: String,
    /// The discrepancy.
    pub text: String,
}

/// The result of the conservation checks over all databases and streams of the shop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(poem_openapi::Object))]
pub struct Invariants {
    /// Whether no check found a violation.
    pub is_ok: bool,
    pub checked_at: DateTime<Utc>,
    pub took_ms: u64,
    pub checks: Vec<Invariant>,
    /// The first violations; `checks` counts all.
    pub violations: Vec<InvariantViolation>,
}

/// Runs the conservation checks. Takes several seconds if there are suspects, because they are inspected again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckInvariants {}
query!(CheckInvariants, DOMAIN, "invariants", roles::ADMINS => Invariants, OperationsError);

domain_error! {
    /// The errors of the checks.
    pub enum OperationsError {
        CheckIncomplete { checks: Vec<String> }: Unavailable "check_incomplete" =
            "Some checks could not be completed. Try again."
            => checks.iter().map(|name| Detail::state(name, "unknown", "could not be checked")).collect();
    }
}

/// Every message of the domain.
pub(crate) fn messages() -> Vec<MessageInfo> {
    vec![MessageInfo::query::<CheckInvariants>()]
}
