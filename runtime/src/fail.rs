//! Crash points by name, for tests: `SOUK_CRASH_AT=<name>` ends the process at that point, like kill -9. Builds without
//! debug assertions have none.

/// Ends the process if the environment names this point; `SOUK_CRASH_AT=<name>:<n>` ends it on the n-th call.
#[cfg(debug_assertions)]
pub fn fail_point(name: &str) {
    use std::sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    };
    static WANTED: LazyLock<Option<(String, u64)>> = LazyLock::new(|| {
        let text = std::env::var("SOUK_CRASH_AT").ok()?;
        let (name, count) = text.split_once(':').unwrap_or((&text, "1"));
        Some((name.to_owned(), count.parse().unwrap_or(1)))
    });
    static PASSED: AtomicU64 = AtomicU64::new(0);
    if let Some((wanted, count)) = WANTED.as_ref()
        && wanted == name
        && PASSED.fetch_add(1, Ordering::SeqCst) + 1 == *count
    {
        tracing::error!(name, "crashing at a fail point");
        std::process::abort();
    }
}

/// Does nothing in builds without debug assertions.
#[cfg(not(debug_assertions))]
pub fn fail_point(_name: &str) {}
