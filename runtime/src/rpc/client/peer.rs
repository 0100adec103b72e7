//! What a client keeps of each domain that it calls: whether it answers, and how often requests may still be repeated.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_nats::{Message, StatusCode};
use contract::{ErrorBody, ErrorKind, ServiceError};
use parking_lot::RwLock;
use tower::retry::budget::{Budget, TpsBudget};

use crate::breaker::CircuitBreaker;

/// The share of the requests that may be repeated. Without a bound, a domain that answers late would get twice the
/// requests, and answer later still.
const RETRIES: f32 = 0.1;

/// The repeats a second beyond that, so that a client with few requests may repeat each. They add up over
/// [`RETRIES_WINDOW`]: as many requests can be in flight at a node that is killed.
const RETRIES_PER_SECOND: u32 = 10;

/// The time over which requests and their repeats are counted.
const RETRIES_WINDOW: Duration = Duration::from_secs(10);

/// One domain.
pub(super) struct Peer {
    domain: String,
    breaker: CircuitBreaker,
    retries: TpsBudget,
}

/// The domains that were called, by name.
#[derive(Default)]
pub(super) struct Peers(RwLock<HashMap<String, Arc<Peer>>>);

impl Peers {
    pub(super) fn of(&self, domain: &str) -> Arc<Peer> {
        let known = self.0.read().get(domain).cloned();
        known.unwrap_or_else(|| {
            let new = || Arc::new(Peer::new(domain));
            self.0.write().entry(domain.to_owned()).or_insert_with(new).clone()
        })
    }
}

impl Peer {
    fn new(domain: &str) -> Self {
        Self {
            domain: domain.to_owned(),
            breaker: CircuitBreaker::new(domain.to_owned()),
            retries: TpsBudget::new(RETRIES_WINDOW, RETRIES_PER_SECOND, RETRIES),
        }
    }

    /// Counts a request, which earns a share of a repeat.
    pub(super) fn note_request(&self) {
        self.retries.deposit();
    }

    /// Rejects an attempt while the domain is away.
    pub(super) fn admit(&self) -> Result<(), ServiceError> {
        if self.breaker.admits() {
            return Ok(());
        }
        let text = "The service is not available at the moment. Try again in a second.";
        Err(ServiceError::new(ErrorKind::Unavailable, "unavailable", text).of(&self.domain))
    }

    /// Whether a request may be repeated.
    pub(super) fn may_retry(&self) -> bool {
        let may_retry = self.retries.withdraw();
        if may_retry {
            metrics::counter!("request_retries_total", "domain" => self.domain.clone()).increment(1);
        } else {
            metrics::counter!("retry_budget_exhausted_total", "domain" => self.domain.clone()).increment(1);
        }
        may_retry
    }

    /// No node of the domain is connected.
    pub(super) fn note_absence(&self) {
        self.breaker.failed();
    }

    /// The domain has answered. If it says that it is itself unavailable, because its database is, that is a failure;
    /// if another domain is that it needs, it is none. A passed deadline is neither.
    pub(super) fn note_answer(&self, error: Option<&ErrorBody>) {
        match error {
            Some(body) if body.code == "unavailable" && body.service == self.domain => {
                self.breaker.failed();
            }
            Some(body) if body.kind == ErrorKind::Deadline => {}
            _ => self.breaker.succeeded(),
        }
    }
}

/// Whether the server says in place of a reply that no node of the domain is connected.
pub(super) fn is_no_responders(reply: &Message) -> bool {
    reply.status == Some(StatusCode::NO_RESPONDERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_tenth_of_the_requests_and_ten_a_second_may_be_repeated() {
        let peers = Peers::default();
        let peer = peers.of("things");
        let granted = |peer: &Peer| (0..10_000).take_while(|_| peer.may_retry()).count();
        assert_eq!(granted(&peer), 100);
        (0..1000).for_each(|_| peer.note_request());
        assert_eq!(granted(&peers.of("things")), 100, "the same budget for every caller");
        assert_eq!(granted(&peers.of("others")), 100, "another domain has its own");
        tokio::time::advance(RETRIES_WINDOW * 2).await;
        assert_eq!(granted(&peer), 100);
    }

    #[tokio::test]
    async fn only_a_domain_that_is_unavailable_itself_fails() {
        let is_failure = |error: &ServiceError| {
            let peer = Peer::new("things");
            peer.note_answer(Some(&error.body("")));
            !peer.breaker.is_closed()
        };
        assert!(is_failure(&ServiceError::unavailable("things")));
        assert!(!is_failure(&ServiceError::unavailable("others")));
        assert!(!is_failure(&ServiceError::overloaded("things")));
        assert!(!is_failure(&ServiceError::deadline("things")));

        let peer = Peer::new("things");
        peer.note_absence();
        assert!(!peer.breaker.is_closed());
        peer.note_answer(Some(&ServiceError::deadline("things").body("")));
        assert!(!peer.breaker.is_closed(), "a passed deadline is no success");
        peer.note_answer(None);
        assert!(peer.breaker.is_closed());
    }
}
