//! Follows an order: subscribes, flushes, then reads. Notices may be lost, so the order is also read every two seconds.

use std::time::Duration;

use async_nats::{HeaderName, HeaderValue, Subscriber};
use contract::{ErrorKind, EventHead, subject};
use futures::StreamExt;
use subjects::orders::{DOMAIN, GetOrder, Order, OrderStatus, leaves_undecided};
use tokio::time::{Instant, timeout, timeout_at};

use crate::http::{caller::Credentials, error::ApiError};

/// The order is read again after this long without a notice.
const REREAD: Duration = Duration::from_secs(2);
/// Timeout of the subscription; without one, the order is still read at intervals.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Follows one order with the rights of one caller.
pub(crate) struct Follow {
    credentials: Credentials,
    query: GetOrder,
    notices: Option<Subscriber>,
    seen: i64,
    /// The action required of the buyer comes from payments, and may be missing in the first read of a version.
    awaits_buyer: bool,
}

impl Follow {
    /// Follows an order from the version after `seen`.
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

    /// Completes at a relevant notice, or after two seconds.
    pub(crate) async fn rest(&mut self, interest: Interest) {
        let (seen, notices) = (self.seen, &mut self.notices);
        let notice = async {
            while let Some(stream) = notices {
                match stream.next().await {
                    Some(notice) if ends_rest(&notice, seen, interest) => return,
                    Some(_) => {}
                    None => *notices = None,
                }
            }
            std::future::pending::<()>().await;
        };
        drop(timeout(REREAD, notice).await);
    }

    /// The credentials of the caller.
    pub(crate) fn credentials(&self) -> Credentials {
        self.credentials.clone()
    }
}

/// The notices that end a rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Those of unseen versions.
    Change,
    /// Those of unseen versions, except intermediate steps before a decision.
    Decision,
}

fn ends_rest(notice: &async_nats::Message, seen: i64, interest: Interest) -> bool {
    let head = notice.headers.as_ref().and_then(|headers| {
        EventHead::read(|name| headers.get(HeaderName::from_static(name)).map(HeaderValue::as_str))
    });
    // What cannot be read is no reason to wait.
    head.is_none_or(|head| {
        // An order that is undecided, and requires no action of the buyer, is still on its way.
        let is_on_the_way = interest == Interest::Decision && leaves_undecided(&head.name);
        head.version > seen && !is_on_the_way
    })
}

/// Whether an order is final, or will not change by itself.
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

/// Waits until an order is decided, or for `timeout`, and returns its newest state.
pub(crate) async fn until_decided(credentials: &Credentials, mut order: Order, timeout: Duration) -> Order {
    let end = Instant::now() + timeout;
    // An order that requires an action of its buyer is not decided before that.
    let is_open = |order: &Order| order.status == OrderStatus::Pending && order.payment.is_none();
    if timeout.is_zero() || !is_open(&order) {
        return order;
    }
    // The reply may be the stored one of an earlier run, so its version may be old, but never too new.
    let Ok(mut follow) = timeout_at(end, Follow::open(credentials.clone(), &order, order.version)).await else {
        return order;
    };
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
