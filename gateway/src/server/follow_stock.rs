//! Follows the stock of a variant as the public sees it: registers for its notices, then reads. Notices may be lost, so
//! the stock is also read every five seconds.

use std::{sync::Arc, time::Duration};

use subjects::{
    VariantId,
    inventory::{self, GetStock, Stock},
};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    http::{caller::Credentials, error::ApiError},
    server::{
        gateway::Gateway,
        notices::{EntityNotices, Interest},
        stream::Followed,
    },
};

/// The stock is read again after this long without a notice.
const REREAD: Duration = Duration::from_secs(5);

/// The least time between two reads: what sells fast has many changes, and many followers.
const PACE: Duration = Duration::from_secs(1);

/// Follows the stock of one variant.
pub(crate) struct FollowStock {
    credentials: Credentials,
    query: GetStock,
    notices: EntityNotices,
    read_at: Instant,
    /// What was sent last.
    sent: Sent,
}

/// The state that a client has.
enum Sent {
    Nothing,
    /// That of an earlier stream, by the id of its event.
    Id(i64),
    Available(i64),
}

impl FollowStock {
    /// Follows the stock of a variant; `seen` is the id of the event that the client received last.
    pub(crate) fn open(credentials: Credentials, variant_id: VariantId, seen: Option<i64>) -> Self {
        let notices = credentials.context.gateway.followed.follow((inventory::DOMAIN, variant_id.0));
        let sent = seen.map_or(Sent::Nothing, Sent::Id);
        Self { credentials, query: GetStock { variant_id }, notices, read_at: Instant::now(), sent }
    }
}

impl Sent {
    /// Whether the client has the units of this state. Changes that leave what can be bought as it is are not sent.
    fn has(&self, stock: &Stock) -> bool {
        match self {
            Self::Nothing => false,
            Self::Id(id) => *id == FollowStock::id(stock),
            Self::Available(available) => *available == stock.available,
        }
    }
}

impl Followed for FollowStock {
    type State = Stock;

    const EVENT: &'static str = "stock";
    const ID: &'static str = "The time of the change, for `Last-Event-ID`.";
    const DATA: &'static str = "The stock of the variant as the public sees it, as JSON.";
    const DESCRIPTION: &'static str = "The stock, then one event per change";

    /// Anyone may open one, so that no client may take all places.
    const MOST_OF_A_CLIENT: Option<usize> = Some(50);

    fn places(gateway: &Gateway) -> &Arc<Semaphore> {
        &gateway.stock_streams
    }

    fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Not the version, which would reveal the number of orders.
    fn id(stock: &Stock) -> i64 {
        stock.updated_at.timestamp_micros()
    }

    fn has_ended(&self) -> bool {
        false
    }

    async fn read(&mut self) -> Result<Option<Stock>, ApiError> {
        self.read_at = Instant::now();
        let read = || self.credentials.ask_as_anyone(&self.query);
        let shared = &self.credentials.context.gateway.stock;
        let stock = match self.sent {
            // A shared read may have begun before a change whose notice has not arrived yet.
            Sent::Nothing | Sent::Id(_) => read().await?,
            Sent::Available(_) => shared.read(self.query.variant_id.0, read).await?,
        };
        let stock = stock.into_public();
        let is_new = !self.sent.has(&stock);
        self.sent = Sent::Available(stock.available);
        Ok(is_new.then_some(stock))
    }

    async fn wait(&mut self) {
        sleep_until(self.read_at + PACE).await;
        // The public does not see versions, so each notice ends one wait.
        drop(timeout(REREAD, self.notices.next(0, Interest::Change)).await);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::shared_stock::tests::stock;

    #[test]
    fn only_another_quantity_is_sent() {
        assert!(!Sent::Nothing.has(&stock(5, 1)));
        assert!(Sent::Available(5).has(&stock(5, 2)));
        assert!(!Sent::Available(5).has(&stock(4, 1)));
        let last = Sent::Id(FollowStock::id(&stock(5, 1)));
        assert!(last.has(&stock(5, 1)) && !last.has(&stock(5, 2)));
    }
}
