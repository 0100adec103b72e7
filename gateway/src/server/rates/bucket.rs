//! Token buckets. A bucket is stored as the time at which it is full, so it needs no timer, and a full one need not be
//! stored at all.

use std::{collections::HashMap, time::Duration};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::class::{Key, Owner};

/// The most buckets of a gateway, some 10 MB. New keys beyond it share one bucket per class.
const MAX_KEYS: usize = 100_000;

/// The size of a bucket: how many tokens it holds, and how long an empty one takes to fill.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) tokens: u32,
    pub(super) window: Duration,
}

impl Size {
    /// The share of one of so many gateways; at least one token.
    pub(super) fn shared_by(self, gateways: u32) -> Self {
        Self { tokens: (self.tokens / gateways).max(1), ..self }
    }

    /// The time that one token takes.
    fn interval(self) -> Duration {
        self.window / self.tokens
    }
}

/// The state of a bucket after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) limit: u32,
    pub(super) remaining: u32,
    /// The time until the bucket is full.
    pub(super) reset: Duration,
    /// How long until a token is there for the request; zero if it got one.
    pub(super) wait: Duration,
}

/// One bucket.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    full_at: Instant,
    /// The tokens taken here since the last report to the other gateways.
    taken: u32,
}

impl Bucket {
    fn full(now: Instant) -> Self {
        Self { full_at: now, taken: 0 }
    }

    /// Takes a token if there is one.
    pub(super) fn take(&mut self, size: Size, now: Instant) -> Standing {
        let missing = self.full_at.saturating_duration_since(now);
        let wait = (missing + size.interval()).saturating_sub(size.window);
        let reset = if wait.is_zero() { missing + size.interval() } else { missing };
        if wait.is_zero() {
            self.full_at = now + reset;
            self.taken = self.taken.saturating_add(1);
        }
        let remaining = size.window.saturating_sub(reset).as_nanos() / size.interval().as_nanos().max(1);
        Standing { limit: size.tokens, remaining: u32::try_from(remaining).unwrap_or(u32::MAX), reset, wait }
    }

    /// Takes the tokens of requests that another gateway has admitted, down to an empty bucket.
    pub(super) fn charge(&mut self, tokens: u32, size: Size, now: Instant) {
        let missing = self.full_at.saturating_duration_since(now);
        self.full_at = now + missing.saturating_add(size.interval().saturating_mul(tokens)).min(size.window);
    }
}

/// The tokens that a gateway has taken from a bucket since its last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Count {
    #[serde(flatten)]
    pub(super) key: Key,
    pub(super) taken: u32,
}

/// The buckets of a gateway.
#[derive(Default)]
pub(super) struct Buckets(HashMap<Key, Bucket>);

impl Buckets {
    /// The bucket of a key, or the shared one of its class.
    pub(super) fn of(&mut self, key: Key, now: Instant) -> &mut Bucket {
        let is_beyond = self.0.len() >= MAX_KEYS && !self.0.contains_key(&key);
        let key = if is_beyond { Key { owner: Owner::Others, ..key } } else { key };
        self.0.entry(key).or_insert_with(|| Bucket::full(now))
    }

    /// Drops full buckets, and returns what was taken since the last call.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<Count> {
        let mut counts = Vec::new();
        self.0.retain(|key, bucket| {
            let taken = std::mem::take(&mut bucket.taken);
            if taken > 0 {
                counts.push(Count { key: *key, taken });
            }
            bucket.full_at > now
        });
        counts
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::class::Class, *};

    const SIZE: Size = Size { tokens: 10, window: Duration::from_secs(60) };

    fn key(number: u32) -> Key {
        Key { class: Class::Reads, owner: Owner::Address(std::net::Ipv4Addr::from_bits(number).into()) }
    }

    #[test]
    fn a_bucket_empties_at_once_and_fills_evenly() {
        let start = Instant::now();
        let mut bucket = Bucket::full(start);
        for taken in 1..=10 {
            let standing = bucket.take(SIZE, start);
            let reset = Duration::from_secs(6 * u64::from(taken));
            assert_eq!(standing, Standing { limit: 10, remaining: 10 - taken, reset, wait: Duration::ZERO });
        }
        let empty = Standing { limit: 10, remaining: 0, reset: SIZE.window, wait: Duration::from_secs(6) };
        assert_eq!(bucket.take(SIZE, start), empty);
        assert_eq!(bucket.take(SIZE, start), empty, "a rejected request takes nothing");
        let later = start + Duration::from_secs(5);
        assert_eq!(bucket.take(SIZE, later).wait, Duration::from_secs(1));
        let later = start + Duration::from_secs(12);
        assert_eq!([0; 3].map(|_| bucket.take(SIZE, later).wait.is_zero()), [true, true, false]);
        let later = later + Duration::from_secs(3600);
        assert_eq!(bucket.take(SIZE, later).remaining, 9, "it does not fill beyond its size");
    }

    #[test]
    fn a_limit_that_does_not_divide_its_window_admits_no_more() {
        for tokens in [1, 3, 7, 11, 997] {
            let (size, now) = (Size { tokens, ..SIZE }, Instant::now());
            let mut bucket = Bucket::full(now);
            let admitted = (0..2000).filter(|_| bucket.take(size, now).wait.is_zero()).count();
            assert_eq!(admitted, tokens as usize);
        }
    }

    #[test]
    fn what_others_admit_empties_a_bucket_and_no_more() {
        let now = Instant::now();
        let mut bucket = Bucket::full(now);
        bucket.charge(4, SIZE, now);
        assert_eq!(bucket.take(SIZE, now).remaining, 5);
        bucket.charge(u32::MAX, SIZE, now);
        assert_eq!(bucket.take(SIZE, now).wait, SIZE.interval());
    }

    #[test]
    fn a_share_has_at_least_one_token() {
        assert_eq!(SIZE.shared_by(1).tokens, 10);
        assert_eq!(SIZE.shared_by(3).tokens, 3);
        assert_eq!(SIZE.shared_by(100).tokens, 1);
        assert_eq!(SIZE.shared_by(3).window, SIZE.window);
    }

    #[test]
    fn new_keys_beyond_the_bound_share_a_bucket() {
        let (mut buckets, now) = (Buckets::default(), Instant::now());
        let most = u32::try_from(MAX_KEYS).unwrap();
        for number in 0..most {
            buckets.of(key(number), now).take(SIZE, now);
        }
        let remaining = [most, most + 1].map(|number| buckets.of(key(number), now).take(SIZE, now).remaining);
        assert_eq!(remaining, [9, 8]);
        assert_eq!(buckets.of(key(7), now).take(SIZE, now).remaining, 8, "a known key keeps its own");
        assert_eq!(buckets.len(), MAX_KEYS + 1);
        // Full buckets make room.
        let later = now + SIZE.window;
        assert_eq!(buckets.sweep(later).len(), MAX_KEYS + 1);
        assert_eq!(buckets.len(), 0);
        assert_eq!(buckets.of(key(most), later).take(SIZE, later).remaining, 9);
    }

    #[test]
    fn counts_are_reported_once() {
        let (mut buckets, now) = (Buckets::default(), Instant::now());
        buckets.of(key(1), now).take(SIZE, now);
        buckets.of(key(1), now).take(SIZE, now);
        buckets.of(key(2), now).charge(3, SIZE, now);
        assert_eq!(buckets.sweep(now), [Count { key: key(1), taken: 2 }]);
        assert_eq!(buckets.sweep(now), []);
        assert_eq!(buckets.len(), 2);
    }
}
