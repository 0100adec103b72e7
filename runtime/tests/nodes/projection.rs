//! A domain that only stores what it reads from the events of others, and has no stream.

use contract::PageRequest;
use runtime::{Call, Client, Domain, EventEnvelope, InternalError, React, Registry, Tx, Version};
use sqlx::migrate::Migrator;

use crate::{
    domains::{Said, ShowingListener, Speak, Speaker},
    world::{World, projection},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_domain_follows_events_without_a_stream_of_its_own() {
    let world = World::start().await;
    let (client, operator) = (world.client().await, Client::new(world.operator().await).await.unwrap());
    let speaker = world.node(Speaker).await;
    let listener = projection(world.stack.info(), ShowingListener).await.unwrap();
    for _ in 0..5 {
        client.send(&Speak { text: "hello".into() }, &Call::default()).await.unwrap();
    }
    world.wait_for("listener", "select count(*) from received", 5).await;
    assert_eq!(operator.rebuild("listener", "speaker").await.unwrap(), ["said"]);
    world.wait_for("listener", "select count(*) from received", 5).await;
    assert_eq!(world.number("listener", "select count(*) from command_log").await, 0);
    let streams = async_nats::jetstream::new(world.operator().await);
    assert!(streams.get_stream("SPEAKER").await.is_ok());
    assert!(streams.get_stream("LISTENER").await.is_err());
    assert!(listener.health().is_ready);
    for node in [speaker, listener] {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projection_domain_with_a_command_does_not_start() {
    let world = World::start().await;
    let error = projection(world.stack.info(), Speaker).await.err().unwrap();
    assert_eq!(error.to_string(), "speaker: a projection domain registers no command, effect or deadline");
    world.stack.stop().await.unwrap();
}

/// It answers each event with one of its own.
struct Echo;

impl Domain for Echo {
    const NAME: &'static str = "listener";

    fn migrations() -> Migrator {
        Migrator::DEFAULT
    }

    fn register(routes: &mut Registry<Self>) {
        routes.event::<Said>();
    }
}

impl React for Echo {
    type Input = EventEnvelope<Said>;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&EventEnvelope<Said>]) -> Result<(), InternalError> {
        for said in inputs {
            tx.emit(&said.cause, &mut Version::default(), &said.message)?;
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_projection_domain_is_an_error() {
    let world = World::start().await;
    let (client, operator) = (world.client().await, Client::new(world.operator().await).await.unwrap());
    let speaker = world.node(Speaker).await;
    let echo = projection(world.stack.info(), Echo).await.unwrap();
    client.send(&Speak { text: "hello".into() }, &Call::default()).await.unwrap();
    world.wait_for("listener", "select count(*) from dead_letter", 1).await;
    let letters = operator.dead_letters("listener", &PageRequest::default(), &Call::default()).await.unwrap();
    assert_eq!(letters.data[0].reason, "a projection domain emitted an event");
    assert_eq!(world.number("listener", "select count(*) from event_log").await, 0);
    for node in [speaker, echo] {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}
