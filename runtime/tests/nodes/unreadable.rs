//! An event whose body those who are there cannot read: yesterday's node, today's event.

use contract::{PageRequest, event};
use runtime::{Call, Client, Domain, EventEnvelope, InternalError, Metrics, React, Registry, Tx};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;
use uuid::Uuid;

use crate::{
    domains::{NewListener, OldListener, Speak, Speaker, write_down},
    world::World,
};

/// What a listener makes of `Said` who takes everything for a number.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Counted {
    id: Uuid,
    text: Number,
}
event!(Counted, "speaker", "said", entity = |e| e.id);

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Number(u64);

impl TryFrom<String> for Number {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Number> for String {
    fn from(number: Number) -> Self {
        number.0.to_string()
    }
}

struct CountingListener;

impl Domain for CountingListener {
    const NAME: &'static str = "listener";
    fn migrations() -> Migrator {
        OldListener::migrations()
    }
    fn register(routes: &mut Registry<Self>) {
        routes.event::<Counted>();
    }
}

impl React for CountingListener {
    type Input = EventEnvelope<Counted>;

    async fn react(&self, tx: &mut Tx<'_>, inputs: &[&EventEnvelope<Counted>]) -> Result<(), InternalError> {
        for counted in inputs {
            write_down(tx, "said", counted.message.id, &counted.message.text.0.to_string()).await?;
        }
        Ok(())
    }
}

/// A second run would fail too, so it is dead-lettered at once, and counted in the metrics. Its neighbours, of the same
/// lane and the same pull, are handled; and a node that can read it handles it when it is redriven.
#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_event_is_dead_lettered_at_once_and_handled_by_a_node_that_can_read_it() {
    let metrics = Metrics::install(&[]).unwrap();
    let world = World::start().await;
    let (client, operator) = (world.client().await, Client::new(world.operator().await).await.unwrap());
    let speaker = world.node(Speaker).await;
    for number in 0..40 {
        let text = if number == 20 { "twenty".to_owned() } else { number.to_string() };
        client.send(&Speak { text }, &Call::default()).await.unwrap();
    }
    // All forty are there when it comes, so that the one is read amid the others.
    let yesterday = world.node(CountingListener).await;
    world.wait_for("listener", "select count(*) from dead_letter", 1).await;
    world.wait_for("listener", "select count(*) from received where kind = 'said'", 39).await;
    let dead_letters = operator.dead_letters("listener", &PageRequest::default(), &Call::default()).await.unwrap();
    let letter = &dead_letters.data[0];
    assert!(letter.reason.starts_with("it could not be read: "), "{letter:?}");
    assert_eq!((letter.source.as_str(), letter.name.as_str(), letter.attempts), ("speaker", "said", 0), "{letter:?}");
    assert_eq!(letter.entity, None, "whom it is about stands in the body");
    let series = r#"dead_letters_total{domain="listener",source="speaker"}"#;
    assert!(metrics.render().lines().any(|line| line.starts_with(series)), "{}", metrics.render());
    // Catch-up has looked at it and lets it be, and so the place in the log moves past it.
    world.wait_for("listener", "select count(*) from cursor where name = 'said'", 1).await;

    // Redriven, the same node cannot read it either, and it is listed again.
    operator.redrive("listener", letter.id, &Call::default()).await.unwrap();
    world.wait_for("listener", "select count(*) from dead_letter where attempts = 1", 1).await;
    yesterday.drain().await;

    let today = world.node(NewListener).await;
    operator.redrive("listener", letter.id, &Call::default()).await.unwrap();
    world.wait_for("listener", "select count(*) from dead_letter", 0).await;
    world.wait_for("listener", "select count(*) from received where text = 'twenty' and kind = 'said'", 1).await;
    world.wait_for("listener", "select count(*) from received where kind = 'said'", 40).await;
    assert_eq!(world.number("listener", "select count(*) from received where times <> 1").await, 0, "handled twice");
    for node in [speaker, today] {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}
