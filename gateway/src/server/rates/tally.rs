//! The rate limits of one request, and their headers.

use std::{net::IpAddr, time::Duration};

use parking_lot::Mutex;
use poem::http::{HeaderMap, HeaderName, HeaderValue};

use super::{bucket::Standing, class::Class};
use crate::http::error::ApiError;

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The client's address and the rate limits of a request.
pub(crate) struct Tally {
    pub(crate) address: IpAddr,
    pub(super) class: Option<Class>,
    /// Of the buckets that counted the request, the one with the least left.
    standing: Mutex<Option<Standing>>,
}

impl Tally {
    pub(super) fn new(address: IpAddr, class: Option<Class>, standing: Option<Standing>) -> Self {
        Self { address, class, standing: Mutex::new(standing) }
    }

    pub(super) fn add(&self, other: Standing) {
        let mut standing = self.standing.lock();
        let is_tighter = |known: Standing| (other.remaining, known.wait) < (known.remaining, other.wait);
        if standing.is_none_or(is_tighter) {
            *standing = Some(other);
        }
    }

    fn wait(&self) -> Duration {
        self.standing.lock().map_or(Duration::ZERO, |standing| standing.wait)
    }

    /// Whether the request is within its limits.
    pub(crate) fn is_within(&self) -> bool {
        self.wait().is_zero()
    }

    /// 429 beyond a limit.
    pub(crate) fn check(&self) -> Result<(), ApiError> {
        match self.wait() {
            Duration::ZERO => Ok(()),
            wait => Err(ApiError::rate_limited(seconds(wait))),
        }
    }

    /// Adds the `RateLimit-*` headers.
    pub(crate) fn finish(&self, headers: &mut HeaderMap) {
        if let Some(Standing { limit, remaining, reset, .. }) = *self.standing.lock() {
            headers.insert(LIMIT, HeaderValue::from(limit));
            headers.insert(REMAINING, HeaderValue::from(remaining));
            headers.insert(RESET, HeaderValue::from(seconds(reset)));
        }
    }
}

/// Whole seconds, rounded up, so that a client that waits for so long has waited long enough.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
impl Tally {
    pub(super) fn remaining(&self) -> Option<u32> {
        self.standing.lock().map(|standing| standing.remaining)
    }

    pub(super) fn limit(&self) -> Option<u32> {
        self.standing.lock().map(|standing| standing.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(remaining: u32, milliseconds: u64) -> Standing {
        let wait = Duration::from_millis(milliseconds);
        Standing { limit: 20, remaining, reset: Duration::from_millis(1001), wait }
    }

    fn tally(first: Standing) -> Tally {
        Tally::new([203, 0, 113, 7].into(), Some(Class::Reads), Some(first))
    }

    #[test]
    fn the_headers_are_those_of_the_tighter_bucket() {
        let tally = tally(standing(7, 0));
        tally.add(standing(9, 0));
        tally.add(standing(5, 0));
        let mut headers = HeaderMap::new();
        tally.finish(&mut headers);
        let values = [LIMIT, REMAINING, RESET].map(|name| headers[name].to_str().unwrap().to_owned());
        assert_eq!(values, ["20", "5", "2"], "a time is rounded up");
    }

    #[test]
    fn the_longest_wait_is_the_one_that_counts() {
        let tally = tally(standing(0, 0));
        assert!(tally.is_within());
        tally.add(standing(0, 1500));
        tally.add(standing(0, 500));
        tally.add(standing(3, 0));
        let error = tally.check().unwrap_err();
        assert!(!tally.is_within());
        assert_eq!((error.code(), error.status().as_u16()), ("rate_limited", 429));
        assert_eq!(error.response("").header("retry-after"), Some("2"));
    }

    #[test]
    fn without_a_limit_there_are_no_headers() {
        let mut headers = HeaderMap::new();
        let tally = Tally::new([203, 0, 113, 7].into(), None, None);
        tally.finish(&mut headers);
        assert!(headers.is_empty() && tally.check().is_ok());
    }
}
