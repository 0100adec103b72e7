//! The time by the database's clock. A node's own clock may be wrong: relying on it would reject valid tokens, or make
//! every event appear an hour late.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::error::InternalError;

/// A node whose clock is off by more than this is not ready.
const TOLERANCE_MS: i64 = 1000;

/// The node's clock, and how far it is ahead of the database's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    ahead_ms: Arc<AtomicI64>,
}

impl Clock {
    /// The current time by the database's clock, or by the node's own before the first comparison.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        Utc::now() - TimeDelta::milliseconds(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Whether the node's own clock is off by more than the tolerance.
    pub(crate) fn is_off(&self) -> bool {
        self.ahead_ms.load(Ordering::Relaxed).abs() > TOLERANCE_MS
    }

    /// Compares the node's clock with the database's.
    pub(crate) async fn compare(
        &self,
        probe: impl Future<Output = Result<DateTime<Utc>, InternalError>>,
    ) -> Result<(), InternalError> {
        let before = Utc::now();
        let theirs = probe.await?;
        let ahead = ahead(before, theirs, Utc::now());
        self.ahead_ms.store(ahead.num_milliseconds(), Ordering::Relaxed);
        Ok(())
    }
}

/// The database's clock was read between `before` and `after`, so only a difference beyond these is certain to be an
/// offset.
fn ahead(before: DateTime<Utc>, theirs: DateTime<Utc>, after: DateTime<Utc>) -> TimeDelta {
    if theirs < before {
        before - theirs
    } else if theirs > after {
        after - theirs
    } else {
        TimeDelta::zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_the_way_there_and_back_is_an_offset() {
        let at = |seconds: i64| DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap();
        assert_eq!(ahead(at(0), at(1), at(2)), TimeDelta::zero());
        assert_eq!(ahead(at(3600), at(1), at(3602)), TimeDelta::seconds(3599));
        assert_eq!(ahead(at(-3600), at(1), at(-3598)), TimeDelta::seconds(-3599));
    }

    #[test]
    fn the_time_is_the_databases_whatever_our_own_clock_says() {
        let clock = Clock::default();
        clock.ahead_ms.store(3_600_000, Ordering::Relaxed);
        let off = Utc::now() - clock.now();
        assert!((off - TimeDelta::hours(1)).abs() < TimeDelta::seconds(10), "{off}");
        assert!(clock.is_off());
    }
}
