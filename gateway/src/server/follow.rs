//! Following an order: subscribe, flush, then read. A notice may be lost, so the state is read again every two seconds.

use std::time::Duration;

use async_nats::Subscriber;
use contract::{ErrorKind, header, subject};
use futures::StreamExt;
use subjects::orders::{DOMAIN, GetOrder, Order, OrderStatus, leaves_undecided};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout, timeout_at},
};

use crate::http::{caller::Credentials, error::ApiError};

/// After so long without a notice the state is read again.
const REREAD: Duration = Duration::from_secs(2);
/// How long it may take to subscribe; without a subscription the state is read again all the same.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Follows one order with the rights of one caller.
pub(crate) struct Follow {
    credentials: Credentials,
    query: GetOrder,
    notices: Option<Subscriber>,
    seen: i64,
    /// What the buyer has to do comes from payments, and may be missing at the first look at a version.
    awaits_buyer: bool,
}

impl Follow {
    /// Follows an order behind the version `seen`.
    pub(crate) async fn open(credentials: Credentials, order: &Order, seen: i64) -> Self {
        let query = GetOrder { id: order.id.to_string() };
        let connection = credentials.context.gateway.client.connection();
        let subscribe = async {
            let notices = connection.subscribe(subject::notice(DOMAIN, order.id.0)).await.ok()?;
            connection.flush().await.ok()?;
            Some(notices)
        };
        let notices = timeout(TIMEOUT, subscribe).await.ok().flatten();
        Self { credentials, query, notices, seen, awaits_buyer: order.payment.is_some() }
    }

    /// The order, if it has a version that was not seen yet.
    pub(crate) async fn read(&mut self) -> Result<Option<Order>, ApiError> {
        let order = self.credentials.ask(&self.query).await?;
        let awaits_buyer = order.payment.is_some();
        let is_new = order.version > self.seen || awaits_buyer != self.awaits_buyer;
        self.awaits_buyer = awaits_buyer;
        self.seen = self.seen.max(order.version);
        Ok(is_new.then_some(order))
    }

    /// Ends at a notice that is of interest, and after two seconds in any case.
    pub(crate) async fn rest(&mut self, interest: Interest) {
        let (seen, notices) = (self.seen, &mut self.notices);
        let notice = async {
            while let Some(stream) = notices {
                match stream.next().await {
                    Some(notice) if is_old(&notice, seen) => {}
                    Some(notice) if interest == Interest::Decision && is_on_the_way(&notice) => {}
                    Some(_) => return,
                    None => *notices = None,
                }
            }
            std::future::pending::<()>().await;
        };
        drop(timeout(REREAD, notice).await);
    }

    /// For whom it is followed.
    pub(crate) fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }
}

/// Which notices end a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Those of every version that was not seen yet.
    Change,
    /// Of these, all but the steps on the way to a decision.
    Decision,
}

/// Whether it is the notice of an event after which the order is as undecided as before, and its buyer has nothing to do.
fn is_on_the_way(notice: &async_nats::Message) -> bool {
    let event = notice.headers.as_ref().and_then(|headers| headers.get(header::CE_TYPE));
    event.is_some_and(|event| event.as_str().rsplit('.').next().is_some_and(leaves_undecided))
}

fn is_old(notice: &async_nats::Message, seen: i64) -> bool {
    let version = notice.headers.as_ref().and_then(|headers| headers.get(header::CE_ENTITYVERSION));
    version.and_then(|version| version.as_str().parse::<i64>().ok()).is_some_and(|version| version <= seen)
}

/// Whether an order's story has ended, or has nothing more to come by itself.
pub(crate) fn is_terminal(status: OrderStatus) -> bool {
    match status {
        OrderStatus::Failed
        | OrderStatus::Expired
        | OrderStatus::Cancelled
        | OrderStatus::Refunded
        | OrderStatus::Delivered => true,
        OrderStatus::Pending | OrderStatus::Confirmed | OrderStatus::Processing | OrderStatus::Shipped => false,
    }
}

/// A wait for an order, and its place among those that may wait.
pub(crate) struct Wait<'a> {
    pub(crate) seconds: u64,
    _place: SemaphorePermit<'a>,
}

/// Grants a wait where there is room. Nobody need wait: a preference is ignored where it cannot be had.
pub(crate) fn grant(waits: &Semaphore, seconds: Option<u64>) -> Option<Wait<'_>> {
    let seconds = seconds?;
    Some(Wait { seconds, _place: waits.try_acquire().ok()? })
}

/// The newest state of an order, held back until it is decided, at most so long.
pub(crate) async fn until_decided(credentials: &Credentials, mut order: Order, timeout: Duration) -> Order {
    let end = Instant::now() + timeout;
    // One whose buyer has something to do is not decided before that.
    let is_open = |order: &Order| order.status == OrderStatus::Pending && order.payment.is_none();
    if timeout.is_zero() || !is_open(&order) {
        return order;
    }
    // What was answered may be the stored answer of a first run, so the version of the answer is behind, never ahead.
    let Ok(mut follow) = timeout_at(end, Follow::open(credentials.clone(), &order, order.version)).await else {
        return order;
    };
    loop {
        match timeout_at(end, follow.read()).await {
            Ok(Ok(Some(newer))) => order = newer,
            // The token has ended meanwhile; what was answered stands.
            Ok(Err(error)) if error.kind() == ErrorKind::Unauthenticated => return order,
            // It could not be read this time; the answer we have stands until it can.
            Ok(Ok(None) | Err(_)) => {}
            Err(_) => return order,
        }
        if !is_open(&order) {
            return order;
        }
        tokio::select! {
            () = credentials.context.gateway.drained() => return order,
            () = credentials.revoked() => return order,
            rested = timeout_at(end, follow.rest(Interest::Decision)) => if rested.is_err() { return order },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_a_slot_does_not_wait() {
        let waits = Semaphore::new(1);
        assert!(grant(&waits, None).is_none());
        let first = grant(&waits, Some(30));
        assert_eq!(first.as_ref().map(|wait| wait.seconds), Some(30));
        assert!(grant(&waits, Some(30)).is_none());
        drop(first);
        assert!(grant(&waits, Some(30)).is_some());
    }
}
