//! An adaptive bound on concurrency that follows goodput: the number of requests that are finished in time, per second.
//!
//! While most replies take less than the target latency, the bound rises. Once they are slow, requests either queue, or
//! take long by themselves, such as orders that wait for a payment. Only the rate shows which: the bound rises as long
//! as goodput rises with it, and falls otherwise, but not below the number that is finished within the target latency
//! (Little's law), since a queue beyond that adds latency without adding goodput.

use std::time::Duration;

use tokio::time::Instant;

/// The target latency. A reply that takes longer is slow.
pub(crate) const TARGET: Duration = Duration::from_millis(500);
/// A reply that takes longer was not in time. Below the deadlines of calls, as retries would add to the overload.
pub(crate) const IN_TIME: Duration = Duration::from_secs(4);
/// A round has as many replies as the bound has slots, so that they show the effect of the bound, and takes so long.
const SHORTEST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);
/// A round has at least this many replies.
const REPLIES: u32 = 8;
/// A round that lasts longer than this is discarded: it says nothing about the current load.
const STALE: Duration = Duration::from_secs(5);
/// The initial bound and its range. At ten requests per second, the least is answered within [`IN_TIME`].
pub(crate) const FIRST: usize = 256;
pub(crate) const LEAST: usize = 32;
pub(crate) const MOST: usize = 2048;

/// The bound and its current round.
#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) limit: usize,
    pub(crate) in_flight: usize,
    since: Instant,
    replies: u32,
    slow: u32,
    in_time: u32,
    /// The most requests in flight: a bound that was not reached cannot be judged by its goodput.
    peak: usize,
    /// The round after a change has replies to requests from before it, so it is not judged.
    is_settling: bool,
    /// The bound and the goodput before the last change.
    before: Option<(usize, f64)>,
}

impl Bound {
    pub(crate) fn new(now: Instant, limit: usize) -> Self {
        Self {
            limit,
            in_flight: 0,
            since: now,
            replies: 0,
            slow: 0,
            in_time: 0,
            peak: 0,
            is_settling: false,
            before: None,
        }
    }

    /// Takes a slot, if one is free.
    pub(crate) fn enter(&mut self, now: Instant) -> bool {
        if self.in_flight == 0 || now - self.since > STALE {
            self.begin(now);
        }
        if self.in_flight >= self.limit {
            return false;
        }
        self.in_flight += 1;
        self.peak = self.peak.max(self.in_flight);
        true
    }

    /// Counts a reply. At the end of a round the bound is adjusted; it falls if it has to yield to others.
    pub(crate) fn learn(&mut self, now: Instant, took: Duration, yields: bool) {
        self.replies += 1;
        self.slow += u32::from(took > TARGET);
        self.in_time += u32::from(took <= IN_TIME);
        let elapsed = now - self.since;
        let is_round = self.replies as usize >= self.limit || elapsed >= LONGEST;
        if elapsed < SHORTEST || self.replies < REPLIES || !is_round {
            return;
        }
        self.adjust(f64::from(self.in_time) / elapsed.as_secs_f64(), yields);
        self.begin(now);
    }

    fn adjust(&mut self, goodput: f64, yields: bool) {
        // The number is small and not negative.
        let floor = ((goodput * TARGET.as_secs_f64()) as usize).clamp(LEAST, MOST);
        // A third: a node that is frozen or killed delays only its own share of the replies.
        if self.in_time * 3 < self.replies {
            self.limit = self.limit.min(floor);
            (self.is_settling, self.before) = (true, None);
        } else if self.peak * 2 <= self.limit {
            (self.is_settling, self.before) = (false, None);
        } else if yields {
            self.limit = (self.limit * 3 / 4).max((floor / 2).max(LEAST)).min(self.limit);
            self.before = None;
        } else if self.slow * 2 <= self.replies {
            if self.slow * 8 <= self.replies {
                self.limit = (self.limit + self.limit / 8).min(MOST);
            }
            (self.is_settling, self.before) = (false, None);
        } else if self.is_settling {
            self.is_settling = false;
        } else if self.peak >= self.limit {
            let before = (self.limit, goodput);
            self.limit = if self.has_risen_with_goodput(goodput) {
                (self.limit * 4 / 3).min(MOST)
            } else {
                (self.limit * 3 / 4).max(floor).min(self.limit)
            };
            (self.is_settling, self.before) = (true, Some(before));
        }
    }

    /// Whether the last change of the bound changed goodput too, by at least a quarter of its share.
    fn has_risen_with_goodput(&self, goodput: f64) -> bool {
        let Some((limit, before)) = self.before else { return false };
        let change = self.limit as f64 / limit as f64 - 1.0;
        let effect = goodput / before.max(1.0) - 1.0;
        change != 0.0 && effect / change >= 0.25
    }

    fn begin(&mut self, now: Instant) {
        (self.since, self.replies, self.slow, self.in_time, self.peak) = (now, 0, 0, 0, self.in_flight);
    }
}

#[cfg(test)]
mod tests {
    use std::{cmp::Reverse, collections::BinaryHeap};

    use super::*;

    /// What serves the requests: each takes `alone`, and they leave one after the other, `pause` apart.
    #[derive(Clone, Copy)]
    struct Server {
        alone: Duration,
        pause: Duration,
    }

    const fn serial(pause: Duration) -> Server {
        Server { alone: pause, pause }
    }

    /// Simulates a server that is loaded up to the bound. Returns the bound, and its goodput in the second half.
    fn loaded(mut bound: Bound, server: Server, seconds: u64, yields: bool) -> (Bound, f64) {
        let (began, total) = (bound.since, Duration::from_secs(seconds));
        let (mut now, mut free, mut in_time) = (began, began, 0_u32);
        let mut departures = BinaryHeap::new();
        while now < began + total {
            while bound.enter(now) {
                free = (free + server.pause).max(now + server.alone);
                departures.push(Reverse((free, now)));
            }
            let Reverse((end, entered)) = departures.pop().unwrap();
            now = end;
            bound.learn(now, now - entered, yields);
            bound.in_flight -= 1;
            in_time += u32::from(now - entered <= IN_TIME && now > began + total / 2);
        }
        bound.in_flight = 0;
        bound.since = now;
        (bound, f64::from(in_time) / (total.as_secs_f64() / 2.0))
    }

    fn fresh() -> Bound {
        Bound::new(Instant::now(), FIRST)
    }

    #[test]
    fn a_slow_server_gets_only_what_it_finishes_within_the_target() {
        let (bound, goodput) = loaded(fresh(), serial(Duration::from_millis(10)), 60, false);
        assert!((40..=80).contains(&bound.limit), "100 per second are 50 in 500 ms: {bound:?}");
        assert!(goodput > 95.0, "{goodput}");
    }

    #[test]
    fn the_bound_of_a_fast_server_rises() {
        let (bound, _) = loaded(fresh(), serial(Duration::from_micros(200)), 10, false);
        assert!(bound.limit > 4 * FIRST, "{bound:?}");
    }

    #[test]
    fn a_server_whose_replies_are_late_gets_the_least_and_recovers() {
        let (slow, _) = loaded(fresh(), serial(Duration::from_millis(100)), 60, false);
        assert_eq!(slow.limit, LEAST);
        let (healed, _) = loaded(slow, serial(Duration::from_millis(1)), 10, false);
        assert!(healed.limit > 4 * LEAST, "{healed:?}");
    }

    #[test]
    fn the_bound_rises_where_latency_is_not_due_to_a_queue() {
        let provider = Server { alone: Duration::from_millis(1500), pause: Duration::from_millis(1) };
        let (bound, goodput) = loaded(fresh(), provider, 120, false);
        assert!(bound.limit > 3 * FIRST && goodput > 500.0, "{goodput} per second: {bound:?}");
    }

    #[test]
    fn a_bound_that_yields_falls_but_keeps_what_is_finished_in_half_the_target() {
        let (bound, _) = loaded(fresh(), serial(Duration::from_millis(2)), 20, true);
        assert!((100..=150).contains(&bound.limit), "500 per second are 125 in 250 ms: {bound:?}");
        let (bound, _) = loaded(bound, serial(Duration::from_millis(2)), 20, false);
        assert!(bound.limit > 150, "{bound:?}");
    }

    #[test]
    fn a_share_that_is_late_takes_nothing_from_the_others() {
        let mut bound = fresh();
        let mut now = bound.since;
        for number in 0..1000 {
            assert!(bound.enter(now));
            now += Duration::from_millis(10);
            bound.learn(now, if number % 2 == 0 { IN_TIME * 2 } else { TARGET / 4 }, false);
            bound.in_flight -= 1;
        }
        assert_eq!(bound.limit, FIRST);
    }
}
