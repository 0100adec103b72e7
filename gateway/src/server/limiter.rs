//! Adaptive concurrency limit per domain. The capacity of a domain is not known in advance and changes, so the limit
//! follows the latency of its replies: it rises while replies are fast; once most are late, it falls to the number that
//! is answered within the target latency. Requests above the limit get 503 at once.
//!
//! Late replies mean that requests queue in the domain, and a queue adds latency without adding throughput.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};

/// A reply later than this has queued behind others. Well below the first retry of a request, or retries would add to
/// the overload.
const LATE: Duration = Duration::from_millis(500);
/// The limit is adjusted at most once per window, from at least this many replies.
const WINDOW: Duration = Duration::from_millis(100);
const ANSWERS: u32 = 8;
/// A window that lasts longer than this is discarded: it says nothing about the current load.
const STALE: Duration = Duration::from_secs(2);
/// The initial limit and its range. A domain that handles ten requests a second answers the minimum within a deadline.
const FIRST: usize = 256;
const LEAST: usize = 32;
const MOST: usize = 4096;

/// Domain, and whether it is a write: reads and writes wait for different resources.
type Key = (&'static str, bool);

/// The concurrency limits of all domains.
#[derive(Default)]
pub(crate) struct ConcurrencyLimiter(Mutex<BTreeMap<Key, Bound>>);

/// An admitted request. RAII guard: dropping it frees the slot without counting a reply.
pub(crate) struct Admitted {
    limiter: Arc<ConcurrencyLimiter>,
    key: Key,
    began: Instant,
}

impl ConcurrencyLimiter {
    /// Admits a request to a domain, or returns `None` at the limit.
    pub(crate) fn admit(self: &Arc<Self>, domain: &'static str, is_write: bool) -> Option<Admitted> {
        let (key, began) = ((domain, is_write), Instant::now());
        let is_admitted = self.bounds().entry(key).or_insert_with(|| Bound::new(began)).enter(began);
        if !is_admitted {
            let kind = if is_write { "command" } else { "query" };
            metrics::counter!("http_rejected_total", "service" => domain, "kind" => kind).increment(1);
        }
        is_admitted.then(|| Admitted { limiter: self.clone(), key, began })
    }

    fn bounds(&self) -> MutexGuard<'_, BTreeMap<Key, Bound>> {
        self.0.lock()
    }
}

impl Admitted {
    /// Counts the reply, or the timeout.
    pub(crate) fn answered(self) {
        let now = Instant::now();
        if let Some(bound) = self.limiter.bounds().get_mut(&self.key) {
            bound.learn(now, now - self.began);
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        if let Some(bound) = self.limiter.bounds().get_mut(&self.key) {
            bound.in_flight -= 1;
        }
    }
}

/// One limit and the replies of its current window.
#[derive(Debug)]
struct Bound {
    most: usize,
    in_flight: usize,
    since: Instant,
    answers: u32,
    late: u32,
    /// Whether more than half of the limit was used: only then can a higher one help.
    is_used: bool,
}

impl Bound {
    fn new(now: Instant) -> Self {
        Self { most: FIRST, in_flight: 0, since: now, answers: 0, late: 0, is_used: false }
    }

    fn enter(&mut self, now: Instant) -> bool {
        if self.in_flight == 0 || now - self.since > STALE {
            self.begin(now);
        }
        if self.in_flight >= self.most {
            return false;
        }
        self.in_flight += 1;
        self.is_used |= self.in_flight * 2 > self.most;
        true
    }

    fn learn(&mut self, now: Instant, took: Duration) {
        self.answers += 1;
        self.late += u32::from(took > LATE);
        let elapsed = now - self.since;
        if elapsed < WINDOW || self.answers < ANSWERS {
            return;
        }
        // Two thirds: a node that is frozen or killed delays only its own share of the replies.
        if self.late * 3 > self.answers * 2 {
            let in_time = f64::from(self.answers) * LATE.as_secs_f64() / elapsed.as_secs_f64();
            // The number is small and not negative.
            self.most = (in_time as usize).clamp(LEAST, self.most.max(LEAST));
        } else if self.late == 0 && self.is_used {
            self.most = (self.most + self.most / 16).min(MOST);
        }
        self.begin(now);
    }

    fn begin(&mut self, now: Instant) {
        (self.since, self.answers, self.late, self.is_used) = (now, 0, 0, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates a domain that handles requests one after the other in `pause` each, loaded up to the limit. Returns
    /// the final limit.
    fn bound_of(mut bound: Bound, pause: Duration, requests: u32) -> Bound {
        let mut now = bound.since;
        let mut waiting = std::collections::VecDeque::new();
        for _ in 0..requests {
            while bound.enter(now) {
                waiting.push_back(now);
            }
            now += pause;
            let began = waiting.pop_front().unwrap();
            bound.learn(now, now - began);
            bound.in_flight -= 1;
        }
        bound
    }

    #[test]
    fn a_slow_domain_gets_only_what_it_answers_in_time() {
        let bound = bound_of(Bound::new(Instant::now()), Duration::from_millis(10), 2000);
        assert!((40..=80).contains(&bound.most), "100 per second are 50 in 500 ms: {bound:?}");
    }

    #[test]
    fn the_limit_of_a_fast_domain_rises() {
        let bound = bound_of(Bound::new(Instant::now()), Duration::from_micros(200), 20_000);
        assert!(bound.most > 4 * FIRST, "{bound:?}");
    }

    #[test]
    fn the_limit_of_a_domain_that_recovers_rises_again() {
        let slow = bound_of(Bound::new(Instant::now()), Duration::from_millis(100), 500);
        assert_eq!(slow.most, LEAST);
        let healed = bound_of(slow, Duration::from_millis(1), 5000);
        assert!(healed.most > 4 * LEAST, "{healed:?}");
    }

    #[test]
    fn a_share_that_is_late_takes_nothing_from_the_others() {
        let mut now = Instant::now();
        let mut bound = Bound::new(now);
        for number in 0..1000 {
            assert!(bound.enter(now));
            now += Duration::from_millis(10);
            bound.learn(now, if number % 2 == 0 { LATE * 4 } else { LATE / 4 });
            bound.in_flight -= 1;
        }
        assert_eq!(bound.most, FIRST);
    }

    #[test]
    fn a_cancelled_request_releases_its_slot() {
        let limiter = Arc::<ConcurrencyLimiter>::default();
        let admitted: Vec<_> = std::iter::from_fn(|| limiter.admit("orders", true)).collect();
        assert_eq!(admitted.len(), FIRST);
        assert!(limiter.admit("orders", false).is_some(), "reads have a limit of their own");
        drop(admitted);
        assert!(limiter.admit("orders", true).is_some());
    }
}
