//! Turns a handler's panic into an internal error, so that it does not end the handler's actor.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use crate::error::InternalError;

/// Runs a future to its end, even if it panics. What the future holds is dropped with it: a transaction rolls back.
pub(crate) async fn guarded<T>(work: impl Future<Output = Result<T, InternalError>>) -> Result<T, InternalError> {
    AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        Err(InternalError::other(format!("a handler panicked: {text}")))
    })
}
