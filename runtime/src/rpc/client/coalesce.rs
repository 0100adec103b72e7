//! Coalescing: queries of one type that arise while messages with earlier ones are under way travel in one message.
//! There is no timer, so a query that is alone goes at once; and each is read after it was asked, never before.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    sync::Arc,
};

use contract::{CallError, Coalesce, ErrorKind, Query, Request, ServiceError};
use futures::future::FutureExt;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Call, Client};
use crate::{batcher::Batcher, error::InternalError};

/// The messages of a type that are under way at once.
const UNDER_WAY: usize = 2;

/// Sends one query.
pub(super) trait Transport: Clone + Send + Sync + 'static {
    fn ask<Q: Query>(&self, query: &Q, call: &Call) -> impl Future<Output = Asked<Q>> + Send;
}

impl Transport for Client {
    async fn ask<Q: Query>(&self, query: &Q, call: &Call) -> Asked<Q> {
        Self::ask(self, query, call).await
    }
}

/// The outcome of a query.
type Asked<Q> = Result<<Q as Request>::Reply, CallError<<Q as Request>::Error>>;

/// A query that waits for a message.
struct Item<Q> {
    query: Q,
    call: Call,
    end: Instant,
}

/// Coalesces the queries of one type.
struct Coalescer<T, Q: Coalesce>(Arc<Batcher<T, Item<Q>, Asked<Q>>>);

impl<T: Transport, Q: Coalesce> Coalescer<T, Q> {
    fn new() -> Self {
        let name = format!("ask {}.{}", Q::DOMAIN, Q::OPERATION);
        let load = |transport: T, items: Vec<Arc<Item<Q>>>| async move { send(&transport, &items).await }.boxed();
        let weight: (usize, fn(&Item<Q>) -> usize) = (Q::MAX_KEYS, |item| item.query.keys());
        Self(Batcher::weighing(name.into(), UNDER_WAY, weight, Box::new(load)))
    }

    /// Sends a query together with others. Deadline and error are its own.
    async fn ask(&self, transport: &T, query: Q, call: Call) -> Asked<Q> {
        let end = Instant::now() + call.deadline;
        let item = Arc::new(Item { query, call, end });
        match tokio::time::timeout_at(end, self.0.load(transport, item)).await {
            Ok(Ok(asked)) => asked,
            Ok(Err(internal_error)) => {
                let (domain, operation) = (Q::DOMAIN, Q::OPERATION);
                tracing::error!(domain, operation, error = %internal_error, "query not sent");
                Err(ServiceError::internal(Q::DOMAIN).into())
            }
            Err(_) => Err(ServiceError::deadline(Q::DOMAIN).into()),
        }
    }
}

/// Sends queries in one message: with the ids of the first, and for as long as the most patient waits.
async fn send<T: Transport, Q: Coalesce>(
    transport: &T,
    items: &[Arc<Item<Q>>],
) -> Result<Vec<Asked<Q>>, InternalError> {
    let (Some(first), Some(end)) = (items.first(), items.iter().map(|item| item.end).max()) else {
        return Ok(Vec::new());
    };
    let call = Call { deadline: end.saturating_duration_since(Instant::now()), ..first.call.clone() };
    if let [alone] = items {
        return Ok(vec![transport.ask(&alone.query, &call).await]);
    }
    let queries: Vec<&Q> = items.iter().map(|item| &item.query).collect();
    match transport.ask(&Q::merge(&queries), &call).await {
        Ok(reply) => Ok(Q::split(&queries, reply).into_iter().map(Ok).collect()),
        Err(error) if concerns_all(error.kind()) => Ok(items.iter().map(|_| Err(error.clone())).collect()),
        // One of them may be the cause: the batch is halved until it is alone.
        Err(error) => Err(InternalError::other(error)),
    }
}

/// Whether an error says nothing about the keys of a query.
fn concerns_all(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::Unavailable
            | ErrorKind::Deadline
            | ErrorKind::TooMany
            | ErrorKind::Unauthenticated
            | ErrorKind::Forbidden
    )
}

/// The coalescers of a client, by the type of query.
#[derive(Default)]
pub(super) struct Coalescers(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Coalescers {
    fn of<T: Transport, Q: Coalesce>(&self) -> Arc<Coalescer<T, Q>> {
        let new = || -> Arc<dyn Any + Send + Sync> { Arc::new(Coalescer::<T, Q>::new()) };
        let coalescer = self.0.lock().entry(TypeId::of::<Coalescer<T, Q>>()).or_insert_with(new).clone();
        // Never another type: the type is the key.
        coalescer.downcast().unwrap_or_else(|_| Arc::new(Coalescer::new()))
    }
}

impl Client {
    /// Sends a query in one message with others of its type. For queries without an access token and without a
    /// capability: their callers all have the rights of this domain.
    pub(crate) async fn ask_together<Q: Coalesce>(&self, query: Q, call: Call) -> Asked<Q> {
        self.shared.coalescers.of::<Self, Q>().ask(self, query, call).await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        time::Duration,
    };

    use contract::{Access, query};
    use serde::{Deserialize, Serialize};
    use tokio::sync::{Semaphore, mpsc};

    use super::*;

    contract::domain_error! {
        pub enum RootsError {
            Negative: Invalid "negative" = "A negative number has no root.";
        }
    }

    /// The square roots of numbers.
    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Roots {
        numbers: Vec<i64>,
    }
    query!(Roots, "roots", "roots", Access::Internal => BTreeMap<i64, i64>, RootsError);

    impl Coalesce for Roots {
        const MAX_KEYS: usize = 10;

        fn keys(&self) -> usize {
            self.numbers.len()
        }

        fn merge(queries: &[&Self]) -> Self {
            let numbers: BTreeSet<_> = queries.iter().flat_map(|query| &query.numbers).copied().collect();
            Self { numbers: numbers.into_iter().collect() }
        }

        fn split(queries: &[&Self], reply: Self::Reply) -> Vec<Self::Reply> {
            let of = |query: &&Self| query.numbers.iter().map(|number| (*number, reply[number])).collect();
            queries.iter().map(of).collect()
        }
    }

    /// Answers a message when it gets a permit. 13 breaks it, and while it is `away` it is unavailable.
    #[derive(Clone)]
    struct Fake {
        sent: mpsc::UnboundedSender<Vec<i64>>,
        gate: Arc<Semaphore>,
        away: bool,
    }

    impl Transport for Fake {
        async fn ask<Q: Query>(&self, query: &Q, call: &Call) -> Asked<Q> {
            // The only type of query here.
            let query: Roots = serde_json::from_value(serde_json::to_value(query).unwrap()).unwrap();
            self.sent.send(query.numbers.clone()).unwrap();
            let permit = tokio::time::timeout(call.deadline, self.gate.acquire()).await;
            permit.map_err(|_| ServiceError::deadline("roots"))?.unwrap().forget();
            if self.away {
                return Err(ServiceError::unavailable("roots").into());
            }
            if query.numbers.contains(&13) {
                return Err(ServiceError::internal("roots").into());
            }
            if query.numbers.iter().any(|number| *number < 0) {
                let error = serde_json::to_value(RootsError::Negative).unwrap();
                return Err(CallError::Rejected(serde_json::from_value(error).unwrap()));
            }
            let roots: BTreeMap<i64, i64> = query.numbers.iter().map(|number| (*number, number.isqrt())).collect();
            Ok(rmp_serde::from_slice(&rmp_serde::to_vec_named(&roots).unwrap()).unwrap())
        }
    }

    struct Scene {
        fake: Fake,
        messages: mpsc::UnboundedReceiver<Vec<i64>>,
        coalescers: Arc<Coalescers>,
    }

    impl Scene {
        fn new(away: bool) -> Self {
            let (sent, messages) = mpsc::unbounded_channel();
            let fake = Fake { sent, gate: Arc::new(Semaphore::new(0)), away };
            Self { fake, messages, coalescers: Arc::default() }
        }

        fn ask(&self, numbers: &[i64], deadline: Duration) -> tokio::task::JoinHandle<Asked<Roots>> {
            let (fake, coalescers, numbers) = (self.fake.clone(), self.coalescers.clone(), numbers.to_vec());
            let call = Call { deadline, ..Call::default() };
            tokio::spawn(async move { coalescers.of::<Fake, Roots>().ask(&fake, Roots { numbers }, call).await })
        }

        /// Two messages that wait for a permit, so that what is asked next waits for one of them to end.
        async fn busy(&mut self) -> [tokio::task::JoinHandle<Asked<Roots>>; 2] {
            let first = self.ask(&[100], LONG);
            assert_eq!(self.messages.recv().await, Some(vec![100]));
            let second = self.ask(&[400], LONG);
            assert_eq!(self.messages.recv().await, Some(vec![400]));
            [first, second]
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    fn roots(numbers: &[i64]) -> Asked<Roots> {
        Ok(numbers.iter().map(|number| (*number, number.isqrt())).collect())
    }

    #[tokio::test(start_paused = true)]
    async fn queries_that_arise_meanwhile_form_the_next_message_within_its_bound() {
        let mut scene = Scene::new(false);
        let busy = scene.busy().await;
        let asked: Vec<_> = (1..=12).map(|n| scene.ask(&[n * n, 9], LONG)).collect();
        // One that has more keys than a message.
        let large: Vec<i64> = (1000..1030).collect();
        let alone = scene.ask(&large, LONG);
        tokio::task::yield_now().await;
        assert!(scene.messages.try_recv().is_err(), "two are under way");
        scene.fake.gate.add_permits(1000);
        for (n, asked) in (1..=12).zip(asked) {
            assert_eq!(asked.await.unwrap(), roots(&[n * n, 9]));
        }
        assert_eq!(alone.await.unwrap(), roots(&large));
        for first in busy {
            assert!(first.await.unwrap().is_ok());
        }
        // Five queries of two keys each, and twice five more; then the large one.
        let mut sizes = Vec::new();
        while let Ok(message) = scene.messages.try_recv() {
            sizes.push(message.len());
        }
        assert_eq!((sizes.len(), sizes.iter().max()), (4, Some(&30)), "{sizes:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_fails_alone() {
        let mut scene = Scene::new(false);
        let busy = scene.busy().await;
        let impatient = scene.ask(&[1], Duration::from_secs(1));
        let cancelled = scene.ask(&[4], LONG);
        let patient = scene.ask(&[9], LONG);
        tokio::task::yield_now().await;
        cancelled.abort();
        assert_eq!(impatient.await.unwrap(), Err(ServiceError::deadline("roots").into()));
        scene.fake.gate.add_permits(1000);
        assert_eq!(patient.await.unwrap(), roots(&[9]));
        assert_eq!(scene.messages.recv().await, Some(vec![9]), "neither of the others is sent");
        for first in busy {
            assert!(first.await.unwrap().is_ok());
        }
        // One that leaves while its message is under way does not take the others with it.
        scene.fake.gate.forget_permits(usize::MAX);
        let busy = scene.busy().await;
        let (short, long) = (scene.ask(&[16], Duration::from_secs(1)), scene.ask(&[25], LONG));
        tokio::task::yield_now().await;
        scene.fake.gate.add_permits(1);
        assert_eq!(scene.messages.recv().await, Some(vec![16, 25]));
        assert_eq!(short.await.unwrap(), Err(ServiceError::deadline("roots").into()));
        scene.fake.gate.add_permits(1000);
        assert_eq!(long.await.unwrap(), roots(&[25]));
        for first in busy {
            assert!(first.await.unwrap().is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_query_that_breaks_its_message_gets_the_error_alone() {
        let mut scene = Scene::new(false);
        let busy = scene.busy().await;
        let asked: Vec<_> = [1, 4, 13, 9, -1, 16].iter().map(|n| scene.ask(&[*n], LONG)).collect();
        tokio::task::yield_now().await;
        scene.fake.gate.add_permits(1000);
        let mut answers = Vec::new();
        for one in asked {
            answers.push(one.await.unwrap());
        }
        let broken = Err(ServiceError::internal("roots").into());
        let rejected = Err(CallError::Rejected(RootsError::Negative));
        assert_eq!(answers, [roots(&[1]), roots(&[4]), broken, roots(&[9]), rejected, roots(&[16])]);
        for first in busy {
            assert!(first.await.unwrap().is_ok());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_domain_that_is_away_is_not_asked_for_each_of_them() {
        let mut scene = Scene::new(true);
        let busy = scene.busy().await;
        let asked: Vec<_> = (1..=5).map(|n| scene.ask(&[n], LONG)).collect();
        tokio::task::yield_now().await;
        scene.fake.gate.add_permits(1000);
        for one in asked.into_iter().chain(busy) {
            assert_eq!(one.await.unwrap(), Err(ServiceError::unavailable("roots").into()));
        }
        assert_eq!(scene.messages.recv().await, Some(vec![1, 2, 3, 4, 5]));
        assert!(scene.messages.try_recv().is_err());
    }
}
