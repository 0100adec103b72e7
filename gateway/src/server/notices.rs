//! Notices of changed entities: one subscription per domain, for the kept reads and for all requests that follow an
//! order or the stock of a variant. Notices may be lost, so neither relies on them.

use std::{
    collections::{HashMap, hash_map::Entry},
    convert::Infallible,
    sync::Arc,
    time::Duration,
};

use async_nats::{HeaderMap, HeaderName, HeaderValue, Message};
use contract::{EventHead, subject};
use futures::{StreamExt, future::try_join_all, stream::select_all};
use parking_lot::Mutex;
use subjects::{
    catalog, inventory,
    orders::{self, leaves_undecided},
};
use tokio::sync::watch;
use uuid::Uuid;

use crate::server::gateway::Gateway;

/// The domains whose notices discard kept reads.
pub(crate) const SOURCES: [&str; 2] = [catalog::DOMAIN, inventory::DOMAIN];

/// The domains whose entities are followed.
const FOLLOWED: [&str; 2] = [inventory::DOMAIN, orders::DOMAIN];

/// The pause before notices are subscribed to again.
const PAUSE: Duration = Duration::from_secs(1);

/// Receives notices until it is dropped.
pub(crate) async fn receive(gateway: &Gateway) -> Infallible {
    let connection = gateway.client.connection();
    loop {
        let subscribing = SOURCES.into_iter().chain([orders::DOMAIN]);
        let subscribing = subscribing.map(|domain| connection.subscribe(subject::notices_of(domain)));
        match try_join_all(subscribing).await {
            Ok(notices) => {
                let mut notices = select_all(notices);
                while let Some(notice) = notices.next().await {
                    dispatch(&notice, gateway);
                }
            }
            Err(error) => tracing::warn!(%error, "notices cannot be subscribed to"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn dispatch(notice: &Message, Gateway { reads, followed, stock, .. }: &Gateway) {
    let Some((domain, entity)) = subject::of_notice(&notice.subject) else { return };
    let is_it = |known: &&str| *known == domain;
    if let Some(source) = SOURCES.into_iter().find(is_it) {
        reads.changed((source, Some(entity)));
    }
    if domain == inventory::DOMAIN {
        stock.discard(entity);
    }
    if let Some(domain) = FOLLOWED.into_iter().find(is_it) {
        followed.note((domain, entity), notice.headers.as_ref());
    }
}

/// The domain of an entity, and its id.
pub(crate) type Entity = (&'static str, Uuid);

/// The entities that requests of this gateway follow.
#[derive(Default)]
pub(crate) struct FollowedEntities(Mutex<HashMap<Entity, watch::Sender<Newest>>>);

/// What the notices of an entity have said so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Newest {
    version: i64,
    /// Of an order, the newest version that is decided or requires an action of the buyer.
    decided: i64,
    /// How many notices could not be read.
    unreadable: u64,
}

impl Newest {
    fn add(&mut self, headers: Option<&HeaderMap>) {
        let head = headers.and_then(|headers| {
            EventHead::read(|name| headers.get(HeaderName::from_static(name)).map(HeaderValue::as_str))
        });
        let Some(EventHead { name, version, .. }) = head else {
            self.unreadable += 1;
            return;
        };
        self.version = self.version.max(version);
        if !leaves_undecided(&name) {
            self.decided = self.decided.max(version);
        }
    }
}

/// The notices that are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    /// Those of unseen versions.
    Change,
    /// Those of unseen versions, except intermediate steps before a decision.
    Decision,
}

impl FollowedEntities {
    /// Follows an entity, until the value is dropped.
    pub(crate) fn follow(self: &Arc<Self>, entity: Entity) -> EntityNotices {
        let newest = self.0.lock().entry(entity).or_default().subscribe();
        EntityNotices { all: self.clone(), entity, newest: Some(newest), reported: Newest::default() }
    }

    fn note(&self, entity: Entity, headers: Option<&HeaderMap>) {
        if let Some(newest) = self.0.lock().get(&entity) {
            newest.send_modify(|newest| newest.add(headers));
        }
    }
}

/// The notices of one entity.
pub(crate) struct EntityNotices {
    all: Arc<FollowedEntities>,
    entity: Entity,
    /// Present until the drop.
    newest: Option<watch::Receiver<Newest>>,
    /// What was reported: a notice ends one wait, even if the read after it fails.
    reported: Newest,
}

impl EntityNotices {
    /// Completes once a notice of interest has arrived about a version after `seen`, or one that cannot be read.
    pub(crate) async fn next(&mut self, seen: i64, interest: Interest) {
        let Some(newest) = &mut self.newest else { return };
        let reported = self.reported;
        let is_of_interest = |newest: &Newest| {
            let (version, reported_version) = match interest {
                Interest::Change => (newest.version, reported.version),
                Interest::Decision => (newest.decided, reported.decided),
            };
            version > seen.max(reported_version) || newest.unreadable > reported.unreadable
        };
        // The sender lives as long as a receiver.
        if let Ok(newest) = newest.wait_for(is_of_interest).await {
            self.reported = *newest;
        }
    }
}

impl Drop for EntityNotices {
    fn drop(&mut self) {
        let mut all = self.all.0.lock();
        self.newest = None;
        if let Entry::Occupied(followed) = all.entry(self.entity)
            && followed.get().receiver_count() == 0
        {
            followed.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use contract::{Event, Position};
    use futures::FutureExt;
    use subjects::orders::{Confirmed, Placed};

    use super::*;

    const ID: Uuid = Uuid::from_u128(7);
    const ORDER: Entity = (orders::DOMAIN, ID);

    fn note(orders: &FollowedEntities, name: &str, version: i64) {
        let head = EventHead {
            id: ID,
            source: orders::DOMAIN,
            name,
            entity: ID,
            version,
            at: std::time::SystemTime::UNIX_EPOCH.into(),
            position: Position { epoch: 1, xid: 1 },
            cause: ID,
            request_id: None,
            traceparent: None,
        };
        let mut headers = HeaderMap::new();
        for (name, value) in head.headers() {
            headers.insert(name, value);
        }
        orders.note(ORDER, Some(&headers));
    }

    fn has_next(notices: &mut EntityNotices, seen: i64, interest: Interest) -> bool {
        notices.next(seen, interest).now_or_never().is_some()
    }

    #[test]
    fn all_followers_of_an_order_get_its_notices() {
        let orders = Arc::<FollowedEntities>::default();
        note(&orders, Confirmed::NAME, 1);
        let mut followers = [orders.follow(ORDER), orders.follow(ORDER)];
        // The reservation of the order has its id too, and versions of its own.
        let mut others = [(orders::DOMAIN, Uuid::nil()), (inventory::DOMAIN, ID)].map(|other| orders.follow(other));
        assert!(!has_next(&mut followers[0], 0, Interest::Change), "it follows from now on");
        note(&orders, Confirmed::NAME, 2);
        for follower in &mut followers {
            assert!(has_next(follower, 1, Interest::Change));
            assert!(!has_next(follower, 2, Interest::Change));
            assert!(!has_next(follower, 1, Interest::Change), "one notice ends one wait");
        }
        assert!(others.iter_mut().all(|other| !has_next(other, 0, Interest::Change)));
    }

    #[test]
    fn a_step_before_the_decision_ends_no_wait_for_it() {
        let orders = Arc::<FollowedEntities>::default();
        let mut follower = orders.follow(ORDER);
        note(&orders, Placed::NAME, 2);
        assert!(has_next(&mut follower, 1, Interest::Change));
        assert!(!has_next(&mut follower, 1, Interest::Decision));
        note(&orders, Confirmed::NAME, 3);
        // A late notice of an earlier version hides nothing.
        note(&orders, Placed::NAME, 1);
        assert!(has_next(&mut follower, 1, Interest::Decision));
    }

    #[test]
    fn a_notice_that_cannot_be_read_is_a_reason_to_look_once() {
        let orders = Arc::<FollowedEntities>::default();
        let mut follower = orders.follow(ORDER);
        orders.note(ORDER, None);
        assert!(has_next(&mut follower, 1, Interest::Decision));
        assert!(!has_next(&mut follower, 1, Interest::Decision));
    }

    #[test]
    fn an_order_that_is_not_followed_takes_no_memory() {
        let orders = Arc::<FollowedEntities>::default();
        let first = orders.follow(ORDER);
        drop(orders.follow(ORDER));
        assert_eq!(orders.0.lock().len(), 1);
        drop(first);
        note(&orders, Confirmed::NAME, 1);
        assert!(orders.0.lock().is_empty());
    }
}
