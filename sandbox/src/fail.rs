//! Crash points by name, for tests: `SOUK_CRASH_AT=<asked>.<moment>` ends the process there, as kill -9 would. Builds
//! without debug assertions have none. The shop's own are elsewhere: nothing is shared with whoever calls.

use crate::asked::Asked;

/// What was done is not committed, and nobody will ever hear of it.
pub(crate) const BEFORE_COMMIT: &str = "before_commit";

/// What was done is committed, its answer unsent.
pub(crate) const AFTER_COMMIT: &str = "after_commit";

/// Ends the process where the environment names this moment of what is asked.
#[cfg(debug_assertions)]
pub(crate) fn fail_point(asked: &Asked, moment: &str) {
    use std::sync::LazyLock;
    static WANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("SOUK_CRASH_AT").ok());
    let asked = match asked {
        Asked::CreateIntent => "create",
        Asked::Confirm(_) => "confirm",
        Asked::Cancel(_) => "cancel",
        Asked::CreateRefund => "refund",
        Asked::FindIntents
        | Asked::GetIntent(_)
        | Asked::UpdateIntent(_)
        | Asked::Authenticate { .. }
        | Asked::GetRefund(_)
        | Asked::ListRefunds
        | Asked::GetDispute(_)
        | Asked::ListDisputes
        | Asked::AnswerDispute(_)
        | Asked::CloseDispute(_) => return,
    };
    if WANTED.as_deref().and_then(|wanted| wanted.split_once('.')) == Some((asked, moment)) {
        tracing::error!(asked, moment, "crashing at a fail point");
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn fail_point(_asked: &Asked, _moment: &str) {}
