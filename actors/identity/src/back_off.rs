//! The back-off of failed logins, per account and client address: a stranger delays its own logins, and never locks an
//! account for its owner. An e-mail address without an account is treated alike, so that the answers do not reveal
//! which have one.
//!
//! Kept in the memory of a node, because rejected logins leave no row: of several nodes each counts the failures that
//! it has seen.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use contract::{
    address::network_of,
    text::{compatible, trimmed},
};
use parking_lot::Mutex;
use quick_cache::unsync::Cache;
use sha2::{Digest, Sha256};
use subjects::identity::IdentityError;

/// How many logins may fail before the next one has to wait.
const FREE: u32 = 5;
/// The first wait, which doubles with each further failure.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// Failures are forgotten after this long without another one. Longer than the longest wait.
const FORGOTTEN: Duration = Duration::from_secs(15 * 60);
/// The most accounts and addresses with failures, some 10 MB. Beyond it those used least are forgotten.
const MOST: usize = 100_000;

/// Whose logins are counted together. Logins of an account over NATS without
/// a client address are counted together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// A digest, because the text is as long as the client likes.
    email: [u8; 32],
    network: Option<IpAddr>,
}

impl Origin {
    pub(crate) fn new(email: &str, address: Option<IpAddr>) -> Self {
        let email = Sha256::digest(compatible(trimmed(email)).to_lowercase());
        Self { email: email.into(), network: address.map(network_of) }
    }
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    /// The time until the next login is admitted.
    fn wait(self, now: Instant) -> Duration {
        let Some(doublings) = self.count.checked_sub(FREE) else { return Duration::ZERO };
        let wait = FIRST.saturating_mul(2_u32.saturating_pow(doublings)).min(LONGEST);
        (self.last + wait).saturating_duration_since(now)
    }
}

/// The failed logins of a node.
pub(crate) struct BackOff(Mutex<Cache<Origin, Failures>>);

impl Default for BackOff {
    fn default() -> Self {
        Self(Mutex::new(Cache::new(MOST)))
    }
}

impl BackOff {
    /// Rejects a login that has to wait, before its password is verified.
    pub(crate) fn admit(&self, origin: &Origin, now: Instant) -> Result<(), IdentityError> {
        admitted(self.0.lock().get(origin), now)
    }

    /// Counts a verified password. Of logins that were verified at the same time, those that end after the failures
    /// that make it wait are rejected whether they are right or not: they must not outrun the back-off.
    pub(crate) fn settle(&self, origin: Origin, is_right: bool, now: Instant) -> Result<(), IdentityError> {
        let mut failures = self.0.lock();
        let known = failures.get(&origin).copied();
        admitted(known.as_ref(), now)?;
        if is_right {
            failures.remove(&origin);
        } else {
            let recent = known.filter(|known| now.saturating_duration_since(known.last) < FORGOTTEN);
            let count = recent.map_or(0, |recent| recent.count).saturating_add(1);
            failures.insert(origin, Failures { count, last: now });
        }
        Ok(())
    }
}

fn admitted(failures: Option<&Failures>, now: Instant) -> Result<(), IdentityError> {
    match failures.map_or(Duration::ZERO, |failures| failures.wait(now)) {
        Duration::ZERO => Ok(()),
        wait => {
            let retry_after = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Err(IdentityError::TooManyLogins { retry_after })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(email: &str, address: &str) -> Origin {
        Origin::new(email, Some(address.parse().unwrap()))
    }

    fn fail(back_off: &BackOff, origin: &Origin, times: u32, now: Instant) {
        for _ in 0..times {
            assert_eq!(back_off.admit(origin, now), Ok(()));
            assert_eq!(back_off.settle(origin.clone(), false, now), Ok(()));
        }
    }

    fn is_admitted(back_off: &BackOff, origin: &Origin, now: Instant) -> bool {
        back_off.admit(origin, now).is_ok()
    }

    #[test]
    fn each_failure_after_the_fifth_doubles_the_wait_up_to_five_minutes() {
        let (back_off, start) = (BackOff::default(), Instant::now());
        let ann = origin("ann@example.com", "203.0.113.7");
        fail(&back_off, &ann, FREE, start);
        let mut now = start;
        for wait in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300] {
            let rejected = IdentityError::TooManyLogins { retry_after: wait };
            assert_eq!(back_off.admit(&ann, now), Err(rejected));
            now += Duration::from_secs(wait);
            fail(&back_off, &ann, 1, now);
        }
    }

    #[test]
    fn a_stranger_does_not_lock_the_account_for_its_owner() {
        let (back_off, now) = (BackOff::default(), Instant::now());
        let stranger = origin("ann@example.com", "198.51.100.9");
        fail(&back_off, &stranger, FREE, now);
        assert!(!is_admitted(&back_off, &stranger, now));
        assert!(is_admitted(&back_off, &origin("ann@example.com", "203.0.113.7"), now));
        assert!(is_admitted(&back_off, &origin("bob@example.com", "198.51.100.9"), now));
        // Over NATS without an address.
        assert!(is_admitted(&back_off, &Origin::new("ann@example.com", None), now));
    }

    #[test]
    fn another_spelling_or_another_address_of_the_same_64_is_the_same_origin() {
        assert_eq!(origin(" Ann@Example.com", "203.0.113.7"), origin("ann@example.com", "::ffff:203.0.113.7"));
        assert_eq!(origin("ann@example.com", "2001:db8::1"), origin("ann@example.com", "2001:db8::2"));
        assert_ne!(origin("ann@example.com", "2001:db8::1"), origin("ann@example.com", "2001:db8:0:1::1"));
    }

    #[test]
    fn the_right_password_ends_the_count() {
        let (back_off, now) = (BackOff::default(), Instant::now());
        let ann = origin("ann@example.com", "203.0.113.7");
        for _ in 0..3 {
            fail(&back_off, &ann, FREE - 1, now);
            assert_eq!(back_off.settle(ann.clone(), true, now), Ok(()));
        }
    }

    #[test]
    fn logins_at_the_same_time_do_not_outrun_it() {
        let (back_off, now) = (BackOff::default(), Instant::now());
        let ann = origin("ann@example.com", "203.0.113.7");
        // All were admitted before the first one failed.
        let settled: Vec<_> = (0..20).map(|guess| back_off.settle(ann.clone(), guess == 19, now).is_ok()).collect();
        assert_eq!(settled.iter().filter(|is_settled| **is_settled).count(), FREE as usize);
        assert!(!settled[19], "not even the right one");
    }

    #[test]
    fn failures_are_forgotten() {
        let (back_off, start) = (BackOff::default(), Instant::now());
        let ann = origin("ann@example.com", "203.0.113.7");
        fail(&back_off, &ann, FREE, start);
        let later = start + FORGOTTEN;
        fail(&back_off, &ann, FREE, later);
        assert!(!is_admitted(&back_off, &ann, later));
    }
}
