//! Services: queries without a database. And what a domain's store may do to its database.

use contract::{Access, CallError, ErrorKind, command, query};
use runtime::{
    Call, CommandEnvelope, Domain, Handle, HandlerResult, InternalError, NodeBuilder, NodeConfig, QueryResult,
    Registry, Serve, Service, ServiceContext, ServiceRegistry, Tx, Uses,
};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;

use crate::{domains::SpeakerError, world::World};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Add {
    numbers: Vec<i64>,
}
query!(Add, "listener", "add", Access::Public => Sum, SpeakerError);

/// For other domains alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct AddFor {
    numbers: Vec<i64>,
}
query!(AddFor, "listener", "add_for", Access::Roles(&["admin"]) => Sum, SpeakerError);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Sum {
    sum: i64,
}

/// Adds numbers. A negative one breaks it.
struct Adder;

impl Service for Adder {
    const NAME: &'static str = "listener";
    fn register(routes: &mut ServiceRegistry<Self>) {
        routes.query::<Add>();
        routes.query::<AddFor>();
    }
}

impl Serve<Add> for Adder {
    async fn serve(&self, cx: &ServiceContext, query: &Add) -> QueryResult<Sum, SpeakerError> {
        assert!(!cx.remaining().is_zero());
        if query.numbers.is_empty() {
            return Err(SpeakerError::Silence.into());
        }
        if query.numbers.iter().any(|number| *number < 0) {
            return Err(InternalError::other("a negative number").into());
        }
        Ok(Sum { sum: query.numbers.iter().sum() })
    }
}

impl Serve<AddFor> for Adder {
    async fn serve(&self, _: &ServiceContext, query: &AddFor) -> QueryResult<Sum, SpeakerError> {
        Ok(Sum { sum: query.numbers.iter().sum() })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_answers_as_a_domain_does_and_is_found_like_one() {
    let world = World::start().await;
    let builder = NodeBuilder::new(NodeConfig::new(world.nats())).service(Adder, "listener");
    let node = builder.start_without_tokens().await.unwrap();
    let client = world.client().await;
    let add = async |numbers: &[i64]| client.ask(&Add { numbers: numbers.to_vec() }, &Call::default()).await;
    assert_eq!(add(&[1, 2, 3]).await.unwrap(), Sum { sum: 6 });
    assert!(matches!(add(&[]).await, Err(CallError::Rejected(SpeakerError::Silence))));
    let broken = add(&[-1]).await;
    assert!(matches!(&broken, Err(CallError::ServiceError(error)) if error.kind == ErrorKind::Internal), "{broken:?}");
    let admins = client.ask(&AddFor { numbers: vec![1] }, &Call::default()).await;
    assert!(
        matches!(&admins, Err(CallError::ServiceError(error)) if error.kind == ErrorKind::Unauthenticated),
        "{admins:?}"
    );

    let operator = world.operator().await;
    let info = operator.request("$SRV.INFO.listener", "".into()).await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.payload).unwrap();
    assert_eq!(info["description"], "The service listener of souk");
    assert_eq!(info["endpoints"].as_array().map(Vec::len), Some(2), "{info}");
    // What only a domain has is not there.
    let log = operator.request("req.listener.internal.log", "".into()).await.unwrap();
    let log: serde_json::Value = serde_json::from_slice(&log.payload).unwrap();
    assert_eq!(log["code"], "unknown_operation", "{log}");

    let health = node.health();
    assert!(health.is_ready && health.domains[0].name == "listener", "{health:?}");
    node.drain().await;
    assert!(!node.health().is_ready);
    world.stack.stop().await.unwrap();
}

struct Foreign;

impl Service for Foreign {
    const NAME: &'static str = "bells";
    fn register(routes: &mut ServiceRegistry<Self>) {
        routes.query::<Add>();
    }
}

impl Serve<Add> for Foreign {
    async fn serve(&self, _: &ServiceContext, _: &Add) -> QueryResult<Sum, SpeakerError> {
        Ok(Sum { sum: 0 })
    }
}

#[tokio::test]
async fn a_service_that_registers_another_ones_query_does_not_start() {
    let nats =
        runtime::NatsConfig { url: "nats://127.0.0.1:1".to_owned(), keys: None, tls: runtime::NatsTls::default() };
    let started = NodeBuilder::new(NodeConfig::new(nats)).service(Foreign, "bells").start_without_tokens().await;
    let error = started.err().expect("it started").to_string();
    assert!(error.starts_with("bells: ") && error.contains("nodes::services::Add"), "{error}");
}

/// Another type of the same subject.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct AddToo {
    numbers: Vec<i64>,
}
query!(AddToo, "listener", "add", Access::Public => Sum, SpeakerError);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Relay {
    is_registered: bool,
}
query!(Relay, "bells", "relay", Access::Public => Sum, SpeakerError);

/// Has the adder add.
struct Relayer;

impl Service for Relayer {
    const NAME: &'static str = "bells";
    fn register(routes: &mut ServiceRegistry<Self>) {
        routes.query::<Relay>();
        routes.calls::<Add>();
    }
}

impl Serve<Relay> for Relayer {
    async fn serve(&self, cx: &ServiceContext, query: &Relay) -> QueryResult<Sum, SpeakerError> {
        let numbers = vec![1, 2];
        let answered =
            if query.is_registered { cx.ask(&Add { numbers }).await } else { cx.ask(&AddToo { numbers }).await };
        Ok(answered.map_err(InternalError::from)?)
    }
}

/// The rights of its NATS user are made from the calls that it registers.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_is_not_registered_as_a_call_is_not_sent() {
    let world = World::start().await;
    let builder = NodeBuilder::new(NodeConfig::new(world.nats())).service(Adder, "listener").service(Relayer, "bells");
    let node = builder.start_without_tokens().await.unwrap();
    let client = world.client().await;
    assert_eq!(client.ask(&Relay { is_registered: true }, &Call::default()).await.unwrap(), Sum { sum: 3 });
    let unsent = client.ask(&Relay { is_registered: false }, &Call::default()).await;
    assert!(matches!(&unsent, Err(CallError::ServiceError(error)) if error.kind == ErrorKind::Internal), "{unsent:?}");
    assert!(Uses::of_service::<Relayer>().requests.into_iter().eq(["req.listener.add"]));
    node.drain().await;
    world.stack.stop().await.unwrap();
}

/// Writes, but says that it reads or locks.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sneak {
    by: u32,
}
command!(Sneak, "bells", "sneak", Access::Public => (), SpeakerError, key = |_| None);

struct Sneaker;

impl Domain for Sneaker {
    const NAME: &'static str = "bells";
    fn migrations() -> Migrator {
        sqlx::migrate!("tests/nodes/migrations/bells")
    }
    fn register(routes: &mut Registry<Self>) {
        routes.command::<Sneak>();
    }
}

impl Handle<Sneak> for Sneaker {
    async fn handle(&self, tx: &mut Tx<'_>, command: &CommandEnvelope<Sneak>) -> HandlerResult<(), SpeakerError> {
        Ok(sneak(tx, command.message.by).await?)
    }
}

async fn sneak(tx: &mut Tx<'_>, by: u32) -> Result<(), InternalError> {
    let delete = sqlx::query("delete from inbox");
    let lock = sqlx::query("select 1 from cursor for update");
    match by {
        0 => delete.execute(tx.reads()).await.map(drop)?,
        1 => delete.execute(tx.locks()).await.map(drop)?,
        2 => lock.fetch_optional(tx.reads()).await.map(drop)?,
        3 => lock.fetch_optional(tx.locks()).await.map(drop)?,
        _ => delete.execute(tx.writes()).await.map(drop)?,
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_does_more_than_its_type_allows_fails_its_command() {
    let world = World::start().await;
    world.migrate::<Sneaker>().await;
    let node = world.node(Sneaker).await;
    let client = world.client().await;
    for by in 0..5 {
        let answer = client.send(&Sneak { by }, &Call::default()).await;
        match (by, answer) {
            (0..=2, Err(CallError::ServiceError(error))) => assert_eq!(error.kind, ErrorKind::Internal, "{by}"),
            (3 | 4, Ok(_)) => {}
            (_, answer) => panic!("{by}: {answer:?}"),
        }
    }
    node.drain().await;
    world.stack.stop().await.unwrap();
}
