//! Follows an order: registers for its notices, then reads. Notices may be lost, so the order is also read every two
//! seconds.

use std::{sync::Arc, time::Duration};

use contract::ErrorKind;
use subjects::orders::{self, GetOrder, Order, OrderStatus};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    http::{caller::Credentials, error::ApiError},
    server::{
        gateway::Gateway,
        notices::{EntityNotices, Interest},
        stream::Followed,
    },
};

/// The order is read again after this long without a notice.
const REREAD: Duration = Duration::from_secs(2);

/// Follows one order with the rights of one caller.
pub(crate) struct Follow {
    credentials: Credentials,
    query: GetOrder,
    notices: EntityNotices,
    seen: i64,
    /// The action required of the buyer comes from payments, and may be missing in the first read of a version.
    awaits_buyer: bool,
    is_terminal: bool,
}

impl Follow {
    /// Follows an order from the version after `seen`.
    pub(crate) fn open(credentials: Credentials, order: &Order, seen: i64) -> Self {
        let notices = credentials.context.gateway.followed.follow((orders::DOMAIN, order.id.0));
        let query = GetOrder { id: order.id.to_string() };
        let is_terminal = is_terminal(order.status);
        Self { credentials, query, notices, seen, awaits_buyer: order.payment.is_some(), is_terminal }
    }

    /// Completes at a notice of interest, or after two seconds.
    pub(crate) async fn rest(&mut self, interest: Interest) {
        drop(timeout(REREAD, self.notices.next(self.seen, interest)).await);
    }
}

impl Followed for Follow {
    type State = Order;

    const EVENT: &'static str = "status";
    const ID: &'static str = "The order's version, for `Last-Event-ID`.";
    const DATA: &'static str = "The order, as JSON.";
    const DESCRIPTION: &'static str = "One event per change, until the order is final";

    fn places(gateway: &Gateway) -> &Arc<Semaphore> {
        &gateway.order_streams
    }

    fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    fn id(order: &Order) -> i64 {
        order.version
    }

    fn has_ended(&self) -> bool {
        self.is_terminal
    }

    /// The order, if it has a version that was not seen yet.
    async fn read(&mut self) -> Result<Option<Order>, ApiError> {
        let order = self.credentials.ask(&self.query).await?;
        let awaits_buyer = order.payment.is_some();
        let is_new = order.version > self.seen || awaits_buyer != self.awaits_buyer;
        self.awaits_buyer = awaits_buyer;
        self.seen = self.seen.max(order.version);
        self.is_terminal = is_terminal(order.status);
        Ok(is_new.then_some(order))
    }

    async fn wait(&mut self) {
        self.rest(Interest::Change).await;
    }
}

/// Whether an order is final, or will not change by itself.
fn is_terminal(status: OrderStatus) -> bool {
    match status {
        OrderStatus::Failed
        | OrderStatus::Expired
        | OrderStatus::Cancelled
        | OrderStatus::Refunded
        | OrderStatus::Delivered => true,
        OrderStatus::Pending | OrderStatus::Confirmed | OrderStatus::Processing | OrderStatus::Shipped => false,
    }
}

/// A granted wait for an order, with its permit.
pub(crate) struct Wait<'a> {
    pub(crate) seconds: u64,
    _place: SemaphorePermit<'a>,
}

/// Grants a wait if a permit is free. `Prefer` is only a preference, so it is ignored otherwise.
pub(crate) fn grant(waits: &Semaphore, seconds: Option<u64>) -> Option<Wait<'_>> {
    let seconds = seconds?;
    Some(Wait { seconds, _place: waits.try_acquire().ok()? })
}

/// Waits until an order is decided, or for `timeout`, and returns its newest state.
pub(crate) async fn until_decided(credentials: &Credentials, mut order: Order, timeout: Duration) -> Order {
    let end = Instant::now() + timeout;
    // An order that requires an action of its buyer is not decided before that.
    let is_open = |order: &Order| order.status == OrderStatus::Pending && order.payment.is_none();
    if timeout.is_zero() || !is_open(&order) {
        return order;
    }
    // The reply may be the stored one of an earlier run, so its version may be old, but never too new.
    let mut follow = Follow::open(credentials.clone(), &order, order.version);
    loop {
        match timeout_at(end, follow.read()).await {
            Ok(Ok(Some(newer))) => order = newer,
            // The token has expired meanwhile; the reply stands.
            Ok(Err(error)) if error.kind() == ErrorKind::Unauthenticated => return order,
            // The read failed; the known state stands until the next one.
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
