//! Circuit breakers: while a domain or an external system is away, calls of it fail at once instead of at their
//! deadlines, and one a second goes through to find out when it is back.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use parking_lot::Mutex;

/// The failures without a success between them that open a breaker.
const FAILURES: u32 = 5;

/// How long they must have lasted. A node that is replaced and a server that only restarts are back by then: callers
/// that retry until then need not fail.
const LASTING: Duration = Duration::from_secs(2);

/// A failure that is older than this says nothing about the present.
const MEMORY: Duration = Duration::from_secs(10);

/// The interval of the calls that an open breaker lets through.
const PROBE: Duration = Duration::from_secs(1);

/// The state of a breaker. Pure: the time is an argument.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    /// Closed, but the last calls have failed.
    Failing { failures: u32, first: Instant, last: Instant },
    /// Half-open from `probe_at` until the next call.
    Open { probe_at: Instant },
}

impl State {
    fn admits(&mut self, now: Instant) -> bool {
        match self {
            Self::Closed | Self::Failing { .. } => true,
            Self::Open { probe_at } if now < *probe_at => false,
            Self::Open { probe_at } => {
                *probe_at = now + PROBE;
                true
            }
        }
    }

    fn fail(&mut self, now: Instant) {
        let first_failure = Self::Failing { failures: 1, first: now, last: now };
        *self = match *self {
            Self::Closed => first_failure,
            Self::Failing { last, .. } if now.saturating_duration_since(last) > MEMORY => first_failure,
            Self::Failing { failures, first, .. }
                if failures + 1 >= FAILURES && now.saturating_duration_since(first) >= LASTING =>
            {
                Self::Open { probe_at: now + PROBE }
            }
            Self::Failing { failures, first, .. } => Self::Failing { failures: failures + 1, first, last: now },
            open @ Self::Open { .. } => open,
        };
    }

    fn is_open(self) -> bool {
        matches!(self, Self::Open { .. })
    }
}

/// A circuit breaker around the calls of one domain or external system.
///
/// Its owner reports how calls end. A call that timed out is no failure where another node may answer the next one.
#[derive(Debug)]
pub struct CircuitBreaker {
    /// What is called, for logs and metrics.
    callee: Cow<'static, str>,
    state: Mutex<State>,
}

impl CircuitBreaker {
    /// A closed breaker.
    pub fn new(callee: impl Into<Cow<'static, str>>) -> Self {
        Self { callee: callee.into(), state: Mutex::default() }
    }

    /// Whether a call may be made.
    pub fn admits(&self) -> bool {
        let is_admitted = self.state.lock().admits(Instant::now());
        if !is_admitted {
            metrics::counter!("circuit_breaker_rejections_total", "callee" => self.callee.clone()).increment(1);
        }
        is_admitted
    }

    /// A call was answered: whatever the answer says, the callee is there.
    pub fn succeeded(&self) {
        if std::mem::take(&mut *self.state.lock()).is_open() {
            metrics::gauge!("circuit_breakers_open", "callee" => self.callee.clone()).decrement(1.0);
            tracing::info!(callee = %self.callee, "circuit breaker closed");
        }
    }

    /// A call failed because the callee is away.
    pub fn failed(&self) {
        let has_opened = {
            let mut state = self.state.lock();
            let was_open = state.is_open();
            state.fail(Instant::now());
            !was_open && state.is_open()
        };
        if has_opened {
            metrics::gauge!("circuit_breakers_open", "callee" => self.callee.clone()).increment(1.0);
            tracing::warn!(callee = %self.callee, "circuit breaker opened");
        }
    }

    #[cfg(test)]
    pub(crate) fn is_closed(&self) -> bool {
        *self.state.lock() == State::Closed
    }
}

impl Drop for CircuitBreaker {
    fn drop(&mut self) {
        if self.state.get_mut().is_open() {
            metrics::gauge!("circuit_breakers_open", "callee" => self.callee.clone()).decrement(1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A breaker and a clock that stands still.
    struct Bench {
        state: State,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            Self { state: State::default(), now: Instant::now() }
        }

        fn fail(&mut self, times: u32, apart: Duration) {
            for _ in 0..times {
                self.now += apart;
                self.state.fail(self.now);
            }
        }

        fn opened() -> Self {
            let mut bench = Self::new();
            bench.fail(FAILURES, LASTING);
            assert!(bench.state.is_open());
            bench
        }

        fn admits(&mut self) -> bool {
            self.state.admits(self.now)
        }
    }

    #[test]
    fn only_failures_in_a_row_that_last_open_it() {
        let mut bench = Bench::new();
        bench.fail(FAILURES - 1, LASTING);
        assert!(bench.admits(), "too few");
        bench.fail(1, Duration::ZERO);
        assert!(!bench.admits());

        let mut bench = Bench::new();
        bench.fail(1000, Duration::from_millis(1));
        assert!(bench.admits(), "a node that is only replaced: {:?}", bench.state);
        bench.fail(1, LASTING);
        assert!(!bench.admits());

        let mut bench = Bench::new();
        for _ in 0..100 {
            bench.fail(FAILURES - 1, LASTING);
            bench.state = State::Closed;
        }
        assert!(bench.admits(), "a success between them");

        let mut bench = Bench::new();
        bench.fail(100, MEMORY + Duration::from_millis(1));
        assert!(bench.admits(), "each says nothing about the next: {:?}", bench.state);
    }

    #[test]
    fn half_open_it_lets_one_call_a_second_through() {
        let mut bench = Bench::opened();
        assert!(!bench.admits());
        let mut admitted = 0;
        for _ in 0..100 {
            bench.now += Duration::from_millis(100);
            admitted += u32::from(bench.admits());
            assert!(!bench.admits(), "two at once");
        }
        assert_eq!(admitted, 10);
        // A failure keeps it open, and does not delay the next probe.
        bench.fail(1, PROBE);
        assert!(bench.admits());
    }

    #[test]
    fn one_success_closes_it_whenever_its_call_began() {
        let breaker = CircuitBreaker::new("things");
        *breaker.state.lock() = Bench::opened().state;
        assert!(!breaker.admits());
        breaker.succeeded();
        assert!(breaker.admits());
        assert!(breaker.is_closed());
    }
}
