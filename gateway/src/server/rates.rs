//! Rate limits: a token bucket per class of routes and client address, and one per class and account.
//!
//! An address is counted before anything else is done for its request. An account is counted only after its access
//! token was verified: by a claim that is not verified, a stranger could use up the limit of any account.
//!
//! To read first: `rates/bucket.rs` (the arithmetic), `rates/exchange.rs` (limits across gateways).

mod bucket;
mod class;
mod exchange;
mod limit;
mod peers;
mod tally;

use std::net::IpAddr;

use contract::address::network_of;
use parking_lot::Mutex;
use poem::Request;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{http::error::ApiError, server::gateway::Gateway};
use bucket::{Buckets, Standing};
use class::{Class, Key, Owner};
use peers::Peers;
pub(crate) use tally::Tally;

pub(crate) use exchange::{exchange, stop};
pub use limit::{RateLimit, RateLimits};

/// The rate limits of a gateway.
pub(crate) struct Rates {
    /// Identifies this gateway among those that exchange their counts.
    id: Uuid,
    limits: RateLimits,
    state: Mutex<State>,
}

struct State {
    buckets: Buckets,
    peers: Peers,
    /// By how many the limits are divided: 1, except in a gateway that has lost the others.
    divisor: u32,
}

impl Rates {
    pub(crate) fn new(limits: RateLimits) -> Self {
        let state = State { buckets: Buckets::default(), peers: Peers::default(), divisor: 1 };
        Self { id: Uuid::now_v7(), limits, state: Mutex::new(state) }
    }

    /// Counts a request by the address of its client.
    pub(crate) fn count(&self, request: &Request, address: IpAddr, now: Instant) -> Tally {
        let class = Class::of(request.method(), request.uri().path());
        let owner = Owner::Address(network_of(address));
        let standing = class.and_then(|class| self.take(Key { class, owner }, now));
        Tally::new(address, class, standing)
    }

    /// Counts a request by its account, whose access token was verified.
    pub(crate) fn count_account(&self, tally: &Tally, account: Uuid, now: Instant) -> Result<(), ApiError> {
        if let Some(class) = tally.class
            && let Some(standing) = self.take(Key { class, owner: Owner::Account(account) }, now)
        {
            tally.add(standing);
        }
        tally.check()
    }

    /// `None` if the class has no limit.
    fn take(&self, key: Key, now: Instant) -> Option<Standing> {
        let size = self.limits.of(key.class).size()?;
        let state = &mut *self.state.lock();
        let standing = state.buckets.of(key, now).take(size.shared_by(state.divisor), now);
        if !standing.wait.is_zero() {
            let (class, by) = (key.class.as_str(), key.owner.as_str());
            metrics::counter!("http_rate_limited_total", "class" => class, "by" => by).increment(1);
        }
        Some(standing)
    }
}

/// The rate limits and the address of a request.
pub(crate) fn count(gateway: &Gateway, request: &Request, now: Instant) -> Tally {
    gateway.rates.count(request, gateway.trusted_proxies.client_of(request), now)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use poem::http::Method;

    use super::*;

    pub(super) fn limits(limit: &str) -> RateLimits {
        let limit = limit.parse().unwrap();
        RateLimits { auth: limit, payments: limit, writes: limit, reads: limit }
    }

    fn get(path: &str) -> Request {
        Request::builder().method(Method::GET).uri_str(path).finish()
    }

    #[test]
    fn addresses_have_limits_of_their_own_and_an_ipv6_64_has_one() {
        let (rates, now) = (Rates::new(limits("2/m")), Instant::now());
        let is_admitted =
            |address: &str| rates.count(&get("/api/v1/orders"), address.parse().unwrap(), now).check().is_ok();
        assert!(is_admitted("203.0.113.7") && is_admitted("203.0.113.7") && !is_admitted("203.0.113.7"));
        assert!(is_admitted("203.0.113.8"));
        assert!(is_admitted("2001:db8::1") && is_admitted("2001:db8::2") && !is_admitted("2001:db8::3"));
        assert!(is_admitted("2001:db8:0:1::1"));
    }

    #[test]
    fn an_account_is_limited_at_all_of_its_addresses_together() {
        let (rates, now, account) = (Rates::new(limits("3/m")), Instant::now(), Uuid::from_u128(7));
        let counted = |last: u8, account| {
            let tally = rates.count(&get("/api/v1/orders"), [203, 0, 113, last].into(), now);
            rates.count_account(&tally, account, now).map(|()| tally.remaining())
        };
        // At its first request from the third address, the account's limit is the tighter one.
        assert_eq!([1, 2, 3].map(|last| counted(last, account).unwrap()), [2, 1, 0].map(Some));
        assert_eq!(counted(4, account).unwrap_err().code(), "rate_limited");
        assert!(counted(4, Uuid::from_u128(8)).is_ok());
    }

    #[test]
    fn health_and_webhooks_and_what_has_no_limit_are_not_counted() {
        let (rates, now) = (Rates::new(limits("1/m")), Instant::now());
        for _ in 0..3 {
            let tally = rates.count(&get("/health/ready"), [203, 0, 113, 7].into(), now);
            assert!(tally.check().is_ok() && tally.remaining().is_none());
        }
        let rates = Rates::new(limits("off"));
        for _ in 0..3 {
            let tally = rates.count(&get("/api/v1/orders"), [203, 0, 113, 7].into(), now);
            assert!(tally.check().is_ok() && tally.remaining().is_none());
        }
        assert!(rates.tick(now).is_empty());
    }

    #[test]
    fn gateways_count_what_the_others_admitted() {
        let (one, other, now) = (Rates::new(limits("10/m")), Rates::new(limits("10/m")), Instant::now());
        let address = [203, 0, 113, 7].into();
        for _ in 0..6 {
            assert!(one.count(&get("/"), address, now).check().is_ok());
        }
        for report in one.reports(now) {
            other.receive(&report, now);
        }
        assert_eq!(other.count(&get("/"), address, now).remaining(), Some(3));
        assert_eq!(other.count(&get("/"), [203, 0, 113, 8].into(), now).remaining(), Some(9));
        // Its own counts only: what it has received is not sent back.
        for report in other.reports(now) {
            one.receive(&report, now);
        }
        assert_eq!(one.count(&get("/"), address, now).remaining(), Some(2));
        // Nor is a message of its own counted twice.
        for report in one.reports(now) {
            one.receive(&report, now);
        }
        assert_eq!(one.count(&get("/"), address, now).remaining(), Some(1));
    }

    #[test]
    fn a_gateway_that_has_lost_the_others_keeps_its_share() {
        let (one, other, now) = (Rates::new(limits("10/m")), Rates::new(limits("10/m")), Instant::now());
        for report in other.reports(now) {
            one.receive(&report, now);
        }
        let limit_at = |seconds| {
            let now = now + Duration::from_secs(seconds);
            one.tick(now);
            one.count(&get("/"), [203, 0, 113, seconds as u8].into(), now).limit()
        };
        assert_eq!(limit_at(1), Some(10));
        assert_eq!([limit_at(60), limit_at(240)], [Some(5); 2]);
        one.receive(&other.last_report(), now + Duration::from_secs(241));
        assert_eq!(limit_at(242), Some(10));
    }
}
