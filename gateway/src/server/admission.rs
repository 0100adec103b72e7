//! Admission of requests by their class, before anything else is read of them. Each class has a bound per service:
//! reads are not starved by new orders, and a service that hangs holds no slots of another one.
//!
//! A rejection costs next to nothing: no task, no span, and one log line a second for all of them.
//!
//! To read first: `admission/class.rs` (which class a request has), `admission/bound.rs` (how a bound adapts).

mod bound;
mod class;

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

pub(crate) use bound::IN_TIME;
use bound::{Bound, FIRST, MOST, TARGET};
use class::Class;
use metrics::{Counter, Gauge};
use parking_lot::{Mutex, MutexGuard};
use poem::Request;
use tokio::time::Instant;

use crate::http::header::CART_TOKEN;

const SECOND: Duration = Duration::from_secs(1);
/// The largest mean of `Retry-After` in seconds. It is spread by half to both sides, so that clients do not return
/// together.
const LONGEST_RETRY: u64 = 20;
/// How long new work yields after a second in which most of the other requests were slow.
const YIELDING: Duration = Duration::from_secs(2);
/// The headers by which requests of the same method and path differ.
const IDENTIFYING: [&str; 3] = ["Idempotency-Key", "Authorization", CART_TOKEN];

type Key = (Class, &'static str);

/// The bounds of all classes and services.
#[derive(Default)]
pub(crate) struct Admission(Mutex<State>);

#[derive(Default)]
struct State {
    shares: BTreeMap<Key, Share>,
    urgent: Lateness,
}

/// An admitted request. RAII guard: dropping it frees the slot without counting a reply.
pub(crate) struct Admitted {
    admission: Arc<Admission>,
    key: Key,
    began: Instant,
    has_slot: bool,
}

/// A rejected request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rejection {
    /// The value of `Retry-After`.
    pub(crate) seconds: u64,
}

impl Admission {
    /// Takes a slot of the request's class, or rejects it.
    pub(crate) fn admit(self: &Arc<Self>, request: &Request) -> Result<Admitted, Rejection> {
        let (key, now) = (class::of(request.method(), request.uri().path()), Instant::now());
        let (admitted, rejected) = {
            let mut state = self.state();
            let share = state.shares.entry(key).or_insert_with(|| Share::new(key, now));
            let rejected = share.rejections.roll(now);
            (share.enter(now), rejected)
        };
        if let Some(count) = rejected {
            tracing::warn!(class = key.0.as_str(), service = key.1, count, "requests rejected");
        }
        admitted.map(|()| Admitted { admission: self.clone(), key, began: now, has_slot: true })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock()
    }
}

impl Admitted {
    /// Gives the slot back while the rest of a slow body is awaited.
    pub(crate) fn suspend(&mut self) {
        if std::mem::take(&mut self.has_slot)
            && let Some(share) = self.admission.state().shares.get_mut(&self.key)
        {
            share.leave();
        }
    }

    /// Takes the slot again, also beyond the bound: the request was admitted.
    pub(crate) fn resume(&mut self) {
        if !std::mem::replace(&mut self.has_slot, true)
            && let Some(share) = self.admission.state().shares.get_mut(&self.key)
        {
            share.bound.in_flight += 1;
            share.in_flight.set(share.bound.in_flight as f64);
        }
    }

    /// Counts the reply, or the timeout. `body_read` is when the body was complete: a slow client is no overload.
    pub(crate) fn answered(self, body_read: Option<Instant>) {
        let now = Instant::now();
        let took = now - body_read.unwrap_or(self.began);
        let State { shares, urgent } = &mut *self.admission.state();
        if self.key.0 != Class::New {
            urgent.learn(now, took > TARGET);
        }
        // The essential class has a fixed bound.
        if self.key.0 != Class::Essential
            && let Some(share) = shares.get_mut(&self.key)
        {
            share.bound.learn(now, took, self.key.0 == Class::New && urgent.is_late(now));
            share.limit.set(share.bound.limit as f64);
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        self.suspend();
    }
}

/// The slots of one class and service.
struct Share {
    bound: Bound,
    rejections: Rejections,
    limit: Gauge,
    in_flight: Gauge,
    rejected: Counter,
    responses: Counter,
}

impl Share {
    fn new((class, service): Key, now: Instant) -> Self {
        let first = if class == Class::Essential { MOST } else { FIRST };
        let limit = metrics::gauge!("http_limit", "class" => class.as_str(), "service" => service);
        limit.set(first as f64);
        let in_flight = metrics::gauge!("http_in_flight", "class" => class.as_str(), "service" => service);
        let rejected = metrics::counter!("http_rejected_total", "class" => class.as_str(), "service" => service);
        let responses = metrics::counter!("http_requests_total", "service" => service, "status" => "503");
        Self { bound: Bound::new(now, first), rejections: Rejections::new(now), limit, in_flight, rejected, responses }
    }

    fn leave(&mut self) {
        self.bound.in_flight -= 1;
        self.rejections.released += 1;
        self.in_flight.set(self.bound.in_flight as f64);
    }

    fn enter(&mut self, now: Instant) -> Result<(), Rejection> {
        if self.bound.enter(now) {
            self.in_flight.set(self.bound.in_flight as f64);
            return Ok(());
        }
        self.rejected.increment(1);
        self.responses.increment(1);
        Err(self.rejections.reject())
    }
}

/// What was rejected and what was finished in the current second, and the mean of `Retry-After` that follows from the
/// second before.
#[derive(Debug)]
struct Rejections {
    since: Instant,
    rejected: u64,
    released: u64,
    seconds: u64,
}

impl Rejections {
    fn new(now: Instant) -> Self {
        Self { since: now, rejected: 0, released: 0, seconds: 1 }
    }

    fn reject(&mut self) -> Rejection {
        self.rejected += 1;
        Rejection { seconds: self.seconds / 2 + 1 + self.rejected % self.seconds }
    }

    /// Begins a new second. Returns the number of rejections that are to be logged.
    fn roll(&mut self, now: Instant) -> Option<u64> {
        let elapsed = now - self.since;
        if elapsed < SECOND {
            return None;
        }
        // Clients that wait are as many as are rejected meanwhile. They return at the rate at which slots become free.
        let wanted = (self.rejected * self.seconds).div_ceil(self.released.max(1));
        let seconds = if elapsed < 2 * SECOND { wanted.clamp(1, (2 * self.seconds).min(LONGEST_RETRY)) } else { 1 };
        let rejected = self.rejected;
        *self = Self { seconds, ..Self::new(now) };
        (rejected > 0).then_some(rejected)
    }
}

/// Whether requests to which new work yields are slow.
#[derive(Debug, Default)]
struct Lateness {
    since: Option<Instant>,
    replies: u32,
    slow: u32,
    until: Option<Instant>,
}

impl Lateness {
    fn learn(&mut self, now: Instant, is_slow: bool) {
        let elapsed = now - *self.since.get_or_insert(now);
        if elapsed >= SECOND {
            // One reply alone says nothing, nor does a window without load.
            if self.replies > 1 && self.slow * 2 > self.replies && elapsed < 4 * SECOND {
                self.until = Some(now + YIELDING);
            }
            (self.since, self.replies, self.slow) = (Some(now), 0, 0);
        }
        self.replies += 1;
        self.slow += u32::from(is_slow);
    }

    fn is_late(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

/// Identifies a request among those of its connection, so that a repeat of a rejected one is recognized. `None` if it
/// has no header that distinguishes its client: the connection may be that of a proxy.
pub(crate) fn fingerprint(request: &Request) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    (request.method(), request.uri().path(), request.uri().query()).hash(&mut hasher);
    let identifying = IDENTIFYING.map(|name| request.headers().get(name));
    identifying.hash(&mut hasher);
    identifying.iter().any(Option::is_some).then(|| hasher.finish())
}

#[cfg(test)]
mod tests {
    use poem::http::Method;

    use super::*;

    fn request(method: Method, path: &str) -> Request {
        Request::builder().method(method).uri_str(path).finish()
    }

    fn admit(admission: &Arc<Admission>, method: Method, path: &str) -> Option<Admitted> {
        admission.admit(&request(method, path)).ok()
    }

    #[test]
    fn a_class_that_is_full_takes_no_slots_of_another() {
        let admission = Arc::<Admission>::default();
        let orders: Vec<_> =
            std::iter::from_fn(|| admit(&admission, Method::POST, "/api/v1/orders")).take(2 * FIRST).collect();
        assert_eq!(orders.len(), FIRST);
        for (method, path) in [
            (Method::GET, "/api/v1/products"),
            (Method::GET, "/api/v1/orders"),
            (Method::POST, "/api/v1/orders/7/cancel"),
            (Method::POST, "/api/v1/webhooks/payments/stripe"),
            (Method::POST, "/api/v1/carts"),
        ] {
            assert!(admit(&admission, method, path).is_some(), "{path}");
        }
        drop(orders);
        assert!(admit(&admission, Method::POST, "/api/v1/orders").is_some(), "a cancelled request frees its slot");
    }

    #[test]
    fn the_essential_class_has_a_fixed_bound() {
        let admission = Arc::<Admission>::default();
        let webhook = || admit(&admission, Method::POST, "/api/v1/webhooks/payments/stripe");
        let admitted: Vec<_> = std::iter::from_fn(webhook).collect();
        assert_eq!(admitted.len(), MOST);
    }

    #[test]
    fn rejected_clients_return_at_the_rate_at_which_slots_become_free() {
        let mut now = Instant::now();
        let mut rejections = Rejections::new(now);
        let mut means = Vec::new();
        for _ in 0..20 {
            // The same clients, spread over the seconds that they were given.
            let returning = 4000 / rejections.seconds;
            let seconds: u64 = (0..returning).map(|_| rejections.reject().seconds).sum();
            rejections.released = 500;
            now += SECOND;
            assert_eq!(rejections.roll(now), Some(returning), "logged once");
            means.push(seconds as f64 / returning as f64);
        }
        let last = means.last().unwrap();
        assert!((7.0..=10.0).contains(last), "4000 at 500 per second are 8 s: {means:?}");
        assert_eq!(rejections.roll(now + 3 * SECOND), None);
        assert_eq!(rejections.reject().seconds, 1, "after a pause");
    }

    #[test]
    fn a_retry_is_between_a_second_and_half_a_minute() {
        for seconds in 1..=LONGEST_RETRY {
            let mut rejections = Rejections { seconds, ..Rejections::new(Instant::now()) };
            for _ in 0..100 {
                assert!((1..=30).contains(&rejections.reject().seconds));
            }
        }
    }

    #[test]
    fn new_work_yields_while_most_other_requests_are_slow() {
        let mut now = Instant::now();
        let mut urgent = Lateness::default();
        for (is_slow, expected) in [(false, false), (true, true), (false, false)] {
            for _ in 0..60 {
                now += Duration::from_millis(100);
                urgent.learn(now, is_slow);
            }
            assert_eq!(urgent.is_late(now), expected);
        }
    }

    #[test]
    fn only_the_same_request_is_a_repeat() {
        let keyed = |key: &str| {
            let request = Request::builder().method(Method::POST).uri_str("/api/v1/orders");
            fingerprint(&request.header("Idempotency-Key", key).finish())
        };
        assert!(keyed("a").is_some());
        assert_eq!(keyed("a"), keyed("a"));
        assert_ne!(keyed("a"), keyed("b"));
        assert_eq!(fingerprint(&request(Method::POST, "/api/v1/auth/login")), None, "of any client of a proxy");
    }

    #[test]
    fn a_slow_body_holds_no_slot() {
        let admission = Arc::<Admission>::default();
        let place = || admit(&admission, Method::POST, "/api/v1/orders");
        let mut admitted: Vec<_> = std::iter::from_fn(place).take(2 * FIRST).collect();
        admitted.iter_mut().for_each(Admitted::suspend);
        let others: Vec<_> = std::iter::from_fn(place).take(2 * FIRST).collect();
        assert_eq!(others.len(), FIRST);
        admitted.iter_mut().for_each(Admitted::resume);
        drop(others);
        assert!(place().is_none(), "those that were suspended have their slots again");
        admitted.iter_mut().for_each(Admitted::suspend);
        drop(admitted);
        let again: Vec<_> = std::iter::from_fn(place).take(2 * FIRST).collect();
        assert_eq!(again.len(), FIRST, "each slot is freed once");
    }
}
