//! More requests than a domain answers at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_nats::{HeaderMap, Subscriber};
use contract::{Access, Request, header, query};
use futures::StreamExt;
use runtime::{Answer, Context, Domain, InternalError, QueryResult, Registry};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;
use tokio::sync::watch;

use crate::{domains::SpeakerError, world::World};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wait {}
query!(Wait, "bells", "wait", Access::Public => Waited, SpeakerError);

/// The same for other domains.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct WaitInside {}
query!(WaitInside, "bells", "wait_inside", Access::Internal => Waited, SpeakerError);

/// Answered at once.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Peek {}
query!(Peek, "bells", "peek", Access::Public => Waited, SpeakerError);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Waited {}

/// Answers once it is open.
struct Porter {
    is_open: watch::Receiver<bool>,
}

impl Domain for Porter {
    const NAME: &'static str = "bells";
    fn migrations() -> Migrator {
        sqlx::migrate!("tests/nodes/migrations/bells")
    }
    fn register(routes: &mut Registry<Self>) {
        routes.query::<Wait>();
        routes.query::<WaitInside>();
        routes.query::<Peek>();
    }
}

impl Answer<Wait> for Porter {
    async fn answer(&self, _: &Context, _: &Wait) -> QueryResult<Waited, SpeakerError> {
        self.is_open.clone().wait_for(|is_open| *is_open).await.map_err(InternalError::other)?;
        Ok(Waited {})
    }
}

impl Answer<WaitInside> for Porter {
    async fn answer(&self, cx: &Context, _: &WaitInside) -> QueryResult<Waited, SpeakerError> {
        self.answer(cx, &Wait {}).await
    }
}

impl Answer<Peek> for Porter {
    async fn answer(&self, _: &Context, _: &Peek) -> QueryResult<Waited, SpeakerError> {
        Ok(Waited {})
    }
}

/// Queries that a domain answers at once.
const ADMITTED: usize = 512;

async fn ask<Q: Request>(asker: &async_nats::Client, inbox: &str, times: usize) {
    let mut headers = HeaderMap::new();
    headers.insert(header::DEADLINE_MS, "60000");
    for _ in 0..times {
        let (subject, inbox, headers) = (Q::subject(), inbox.to_owned(), headers.clone());
        asker.publish_with_reply_and_headers(subject, inbox, headers, "{}".into()).await.unwrap();
    }
}

async fn next(answers: &mut Subscriber) -> async_nats::Message {
    tokio::time::timeout(Duration::from_secs(30), answers.next()).await.expect("a request is not answered").unwrap()
}

/// Waits for so many answers, all of them rejections.
async fn expect_rejected(answers: &mut Subscriber, times: usize) {
    for _ in 0..times {
        let answer = next(answers).await;
        let headers = answer.headers.unwrap();
        assert_eq!(headers.get(header::SERVICE_ERROR).unwrap().as_str(), "overloaded");
        assert_eq!(headers.get(header::SERVICE_ERROR_CODE).unwrap().as_str(), "503");
    }
}

/// Under overload the number of tasks stays bounded, and all requests beyond the limit are answered. On one thread, so
/// that tasks which are spawned together are all alive before the first of them runs.
#[tokio::test]
async fn every_request_beyond_the_limit_is_rejected_without_a_task_of_its_own() {
    let world = World::start().await;
    world.migrate::<Porter>().await;
    let (open, is_open) = watch::channel(false);
    let node = world.node(Porter { is_open }).await;
    let gateway = world.connection("gateway").await;
    let inbox = gateway.new_inbox();
    let mut answers = gateway.subscribe(inbox.clone()).await.unwrap();

    // The first rejection says that all permits are taken.
    ask::<Wait>(&gateway, &inbox, ADMITTED + 1).await;
    expect_rejected(&mut answers, 1).await;
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let (before, most) = (tasks(), Arc::new(AtomicUsize::new(0)));
    let watching = tokio::spawn({
        let most = most.clone();
        async move {
            loop {
                most.fetch_max(tasks(), Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    ask::<Wait>(&gateway, &inbox, 3000).await;
    expect_rejected(&mut answers, 3000).await;
    watching.abort();
    let most = most.load(Ordering::Relaxed);
    assert!(most < before + 50, "{most} tasks, and {before} before");

    open.send(true).unwrap();
    for _ in 0..ADMITTED {
        let answer = next(&mut answers).await;
        assert!(answer.headers.unwrap().get(header::SERVICE_ERROR).is_none());
    }
    node.drain().await;
    world.stack.stop().await.unwrap();
}

/// The commands of other domains query this one; as many as they are, clients' reads have permits of their own.
#[tokio::test]
async fn internal_queries_leave_clients_their_own_permits() {
    let world = World::start().await;
    world.migrate::<Porter>().await;
    let (open, is_open) = watch::channel(false);
    let node = world.node(Porter { is_open }).await;
    let (operator, gateway) = (world.operator().await, world.connection("gateway").await);
    let (inside, outside) = (operator.new_inbox(), gateway.new_inbox());
    let mut internal = operator.subscribe(inside.clone()).await.unwrap();
    let mut answers = gateway.subscribe(outside.clone()).await.unwrap();

    // The first rejection says that all permits are taken.
    ask::<WaitInside>(&operator, &inside, ADMITTED + 1).await;
    expect_rejected(&mut internal, 1).await;
    ask::<Peek>(&gateway, &outside, 1).await;
    assert!(next(&mut answers).await.headers.unwrap().get(header::SERVICE_ERROR).is_none());
    open.send(true).unwrap();
    for _ in 0..ADMITTED {
        assert!(next(&mut internal).await.headers.unwrap().get(header::SERVICE_ERROR).is_none());
    }
    node.drain().await;
    world.stack.stop().await.unwrap();
}
