//! The time by the database's clock. A node's own clock may be wrong, and who trusted it would refuse valid tokens, or
//! think that every event is an hour late.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::failure::Breakage;

/// A node whose clock is further off than this is not ready.
const TOLERANCE_MS: i64 = 1000;

/// The node's clock, and how far it is ahead of the database's.
#[derive(Debug, Clone, Default)]
pub(crate) struct Clock {
    ahead_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Now, by the database's clock as far as it is known; by our own where nothing was compared yet.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        Utc::now() - TimeDelta::milliseconds(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Whether our own clock is further off than a node's may be.
    pub(crate) fn is_off(&self) -> bool {
        self.ahead_ms.load(Ordering::Relaxed).abs() > TOLERANCE_MS
    }

    /// Looks at the database's clock.
    pub(crate) async fn compare(
        &self,
        look: impl Future<Output = Result<DateTime<Utc>, Breakage>>,
    ) -> Result<(), Breakage> {
        let before = Utc::now();
        let theirs = look.await?;
        let ahead = ahead(before, theirs, Utc::now());
        self.ahead_ms.store(ahead.num_milliseconds(), Ordering::Relaxed);
        Ok(())
    }
}

/// The database's clock was read between `before` and `after`; only what lies outside of that is an offset for sure.
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
