//! Named crash points for tests: `SOUK_CRASH_AT=<asked>.<moment>` aborts the process there, without any cleanup. Builds
//! without debug assertions have none. Separate from the crash points of the shop, because no code is shared with it.

use crate::asked::Asked;

/// Before the transaction commits: the request has no effect.
pub(crate) const BEFORE_COMMIT: &str = "before_commit";

/// After the transaction commits, before the reply is sent.
pub(crate) const AFTER_COMMIT: &str = "after_commit";

/// Aborts the process if the environment names this request and moment.
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
