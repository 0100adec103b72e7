//! Named crash points for tests: `SOUK_CRASH_AT=<operation>.<moment>` aborts the process there, without any cleanup.
//! Builds without debug assertions have none. Separate from the crash points of the shop: it shares no code with it.

use crate::operation::Operation;

/// Before the transaction commits: the request has no effect.
pub(crate) const BEFORE_COMMIT: &str = "before_commit";

/// After the transaction commits, before the reply is sent.
pub(crate) const AFTER_COMMIT: &str = "after_commit";

/// Aborts the process if the environment names this operation and moment.
#[cfg(debug_assertions)]
pub(crate) fn fail_point(operation: &Operation, moment: &str) {
    use std::sync::LazyLock;
    static WANTED: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("SOUK_CRASH_AT").ok());
    let operation = match operation {
        Operation::CreateIntent => "create",
        Operation::Confirm(_) => "confirm",
        Operation::Cancel(_) => "cancel",
        Operation::CreateRefund => "refund",
        Operation::FindIntents
        | Operation::GetIntent(_)
        | Operation::UpdateIntent(_)
        | Operation::Authenticate { .. }
        | Operation::GetRefund(_)
        | Operation::ListRefunds
        | Operation::GetDispute(_)
        | Operation::ListDisputes
        | Operation::AnswerDispute(_)
        | Operation::CloseDispute(_) => return,
    };
    if WANTED.as_deref().and_then(|wanted| wanted.split_once('.')) == Some((operation, moment)) {
        tracing::error!(operation, moment, "crashing at a fail point");
        std::process::abort();
    }
}

#[cfg(not(debug_assertions))]
pub(crate) fn fail_point(_operation: &Operation, _moment: &str) {}
