//! Queries that arrive together are loaded with one statement; rights, deadline and error stay their own.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use async_nats::HeaderMap;
use contract::{Access, Request, header, query};
use futures::future::join_all;
use runtime::{Answer, AnswerBatch, Context, Domain, InternalError, QueryEnvelope, QueryResult, Reads, Registry};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;
use tokio::sync::{Semaphore, mpsc};

use crate::{domains::SpeakerError, world::World};

/// A hundred divided by a number.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Divide {
    by: i32,
}
query!(Divide, "bells", "divide", Access::Public => Quotient, SpeakerError);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Quotient {
    quotient: i32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ping {}
query!(Ping, "bells", "ping", Access::Public => Quotient, SpeakerError);

/// Divides in PostgreSQL. A negative number is rejected by the answer, zero fails in the statement.
#[derive(Clone)]
struct Divider {
    /// The sizes of the batches whose statement succeeded.
    sizes: Arc<Mutex<Vec<usize>>>,
    begun: mpsc::UnboundedSender<usize>,
    /// A batch takes a permit before its statement.
    gate: Arc<Semaphore>,
}

impl Domain for Divider {
    const NAME: &'static str = "bells";
    fn migrations() -> Migrator {
        sqlx::migrate!("tests/nodes/migrations/bells")
    }
    fn register(routes: &mut Registry<Self>) {
        routes.batched_query::<Divide>();
        routes.query::<Ping>();
    }
}

impl AnswerBatch<Divide> for Divider {
    type Loaded = i32;

    async fn load(&self, db: Reads<'_>, queries: &[&QueryEnvelope<Divide>]) -> Result<Vec<i32>, InternalError> {
        self.begun.send(queries.len()).map_err(InternalError::other)?;
        let _permit = self.gate.acquire().await.map_err(InternalError::other)?;
        let divisors: Vec<_> = queries.iter().map(|query| query.message.by).collect();
        let sql = "select 100 / by from unnest($1::int[]) with ordinality as divisor (by, place) order by place";
        let quotients = sqlx::query_scalar(sql).bind(divisors).fetch_all(db).await?;
        self.sizes.lock().unwrap().push(queries.len());
        Ok(quotients)
    }

    async fn answer(&self, _: &Context, query: &Divide, quotient: i32) -> QueryResult<Quotient, SpeakerError> {
        if query.by < 0 { Err(SpeakerError::Silence.into()) } else { Ok(Quotient { quotient }) }
    }
}

impl Answer<Ping> for Divider {
    async fn answer(&self, _: &Context, _: &Ping) -> QueryResult<Quotient, SpeakerError> {
        Ok(Quotient { quotient: 1 })
    }
}

/// One request, without the repeats of a client; the quotient, or the code of the error.
async fn divide(connection: async_nats::Client, by: i32, deadline: Duration) -> Result<i32, String> {
    let mut headers = HeaderMap::new();
    headers.insert(header::DEADLINE_MS, deadline.as_millis().to_string());
    let body = serde_json::to_vec(&Divide { by }).unwrap();
    let request = async_nats::Request::new().headers(headers).payload(body.into()).timeout(Some(LONG));
    let reply = connection.send_request(Divide::subject(), request).await.unwrap();
    match reply.headers.and_then(|headers| headers.get(header::SERVICE_ERROR).map(ToString::to_string)) {
        Some(code) => Err(code),
        None => Ok(serde_json::from_slice::<Quotient>(&reply.payload).unwrap().quotient),
    }
}

const LONG: Duration = Duration::from_secs(60);

/// On one thread, so that tasks run in the order in which they became ready.
#[tokio::test]
async fn queries_that_arrive_during_a_batch_form_the_next_and_each_has_its_own_end() {
    let world = World::start().await;
    world.migrate::<Divider>().await;
    let (begun, mut batches) = mpsc::unbounded_channel();
    let divider = Divider { sizes: Arc::default(), begun, gate: Arc::new(Semaphore::new(0)) };
    let node = world.node(divider.clone()).await;
    let client = world.connection("gateway").await;
    let ask = |by: i32| tokio::spawn(divide(client.clone(), by, LONG));

    // Two batches of one item each wait at the gate; what arrives now waits for one of them to end.
    let first = ask(1);
    assert_eq!(batches.recv().await, Some(1));
    let second = ask(2);
    assert_eq!(batches.recv().await, Some(1));
    // Of the last two one is rejected by its answer, the other fails in the statement.
    let waiting = join_all((1..=40).chain([-5, 0]).map(ask));
    let impatient = divide(client.clone(), 7, Duration::from_millis(200)).await;
    assert_eq!(impatient, Err("deadline_exceeded".into()));
    // Answered, so that all that was sent before it is waiting by now.
    client.request(Ping::subject(), "{}".into()).await.unwrap();

    divider.gate.add_permits(1);
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (Ok(100), Ok(50)));
    let answers: Vec<_> = waiting.await.into_iter().map(Result::unwrap).collect();
    for (by, answer) in (1..=40).zip(&answers) {
        assert_eq!(answer, &Ok(100 / by));
    }
    assert_eq!(answers[40..], [Err("silence".into()), Err("internal".into())]);
    let sizes = divider.sizes.lock().unwrap().clone();
    assert_eq!(sizes.iter().sum::<usize>(), 2 + 41, "{sizes:?}");
    assert!(sizes.len() <= 2 + 6, "{sizes:?}: 42 items are halved six times at most");
    node.drain().await;
    world.stack.stop().await.unwrap();
}
