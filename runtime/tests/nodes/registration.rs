//! Domains whose registrations contradict each other, and effects without a registration.

use contract::{Access, CallError, PageRequest, command};
use runtime::{
    Call, Client, CommandEnvelope, Context, DeadLetterKind, DeadlineSource, Domain, Effect, EffectHandler,
    EffectResult, EventEnvelope, Handle, HandlerResult, InternalError, NatsConfig, NatsTls, NodeBuilder, NodeConfig,
    React, Reads, Registry, StreamSpec, Tx, Uses,
};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;
use uuid::Uuid;

use crate::{
    domains::{Said, SpeakerError},
    world::World,
};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Done {}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Open {}
command!(Open, "bells", "open", Access::Public => Done, SpeakerError, key = |_| None);

/// Another type of the same subject.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct OpenWide {}
command!(OpenWide, "bells", "open", Access::Public => Done, SpeakerError, key = |_| None);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Foreign {}
command!(Foreign, "speaker", "foreign", Access::Public => Done, SpeakerError, key = |_| None);

/// A subject of the runtime's own.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ListDeadLetters {}
command!(ListDeadLetters, "bells", "list_dead_letters", Access::Public => Done, SpeakerError, key = |_| None);

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Notify {
    receiver: Uuid,
}

impl Effect for Notify {
    const NAME: &'static str = "notify";
}

/// Another type of the same name.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct NotifyAll {}

impl Effect for NotifyAll {
    const NAME: &'static str = "notify";
}

/// A domain with these registrations.
macro_rules! domain {
    ($domain:ident, |$routes:ident| $register:block) => {
        struct $domain;

        impl Domain for $domain {
            const NAME: &'static str = "bells";
            fn migrations() -> Migrator {
                sqlx::migrate!("tests/nodes/migrations/bells")
            }
            fn register($routes: &mut Registry<Self>) $register
        }
    };
}

macro_rules! handles {
    ($domain:ident, $command:ident) => {
        impl Handle<$command> for $domain {
            async fn handle(&self, _: &mut Tx<'_>, _: &CommandEnvelope<$command>) -> HandlerResult<Done, SpeakerError> {
                Ok(Done {})
            }
        }
    };
}

macro_rules! performs {
    ($domain:ident, $effect:ident) => {
        impl EffectHandler<$effect> for $domain {
            type Outcome = ();
            async fn perform(&self, _: &Context, _: Uuid, _: &$effect) -> Result<(), InternalError> {
                Ok(())
            }
            async fn finish(&self, _: &mut Tx<'_>, _: &[&EffectResult<$effect, ()>]) -> Result<(), InternalError> {
                Ok(())
            }
        }
    };
}

/// Why a domain does not start. Registrations are checked before any connection is opened.
async fn defect<D: Domain>(domain: D) -> String {
    let nats = NatsConfig { url: "nats://127.0.0.1:1".to_owned(), keys: None, tls: NatsTls::default() };
    let builder = NodeBuilder::new(NodeConfig::new(nats));
    let started = builder.domain(domain, "postgres://127.0.0.1:1/x".to_owned(), StreamSpec::default());
    started.start_without_tokens().await.err().expect("it started").to_string()
}

domain!(TwoHandlers, |routes| {
    routes.command::<Open>();
    routes.command::<OpenWide>();
});
handles!(TwoHandlers, Open);
handles!(TwoHandlers, OpenWide);

#[tokio::test]
async fn two_handlers_of_one_subject_are_an_error_that_names_both() {
    assert_eq!(
        defect(TwoHandlers).await,
        "bells: the subject `req.bells.open` is registered twice: by `nodes::registration::Open` and by \
         `nodes::registration::OpenWide`"
    );
}

domain!(ForeignMessage, |routes| { routes.command::<Foreign>() });
handles!(ForeignMessage, Foreign);

#[tokio::test]
async fn a_handler_of_another_domains_message_is_an_error() {
    let expected = "bells: `nodes::registration::Foreign` is a message of `speaker`, not of `bells`";
    assert_eq!(defect(ForeignMessage).await, expected);
}

domain!(TakenSubject, |routes| { routes.command::<ListDeadLetters>() });
handles!(TakenSubject, ListDeadLetters);

#[tokio::test]
async fn a_handler_of_a_subject_of_the_runtime_is_an_error() {
    assert_eq!(
        defect(TakenSubject).await,
        "bells: the subject `req.bells.list_dead_letters` of `nodes::registration::ListDeadLetters` is answered by \
         the runtime"
    );
}

domain!(DeadlineAlone, |routes| {
    routes.deadline::<Open>();
    routes.command::<OpenWide>();
});
handles!(DeadlineAlone, OpenWide);

impl DeadlineSource<Open> for DeadlineAlone {
    async fn due(&self, _: Reads<'_>, _: i64) -> Result<Vec<(chrono::DateTime<chrono::Utc>, Open)>, InternalError> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_deadline_whose_command_is_not_registered_is_an_error() {
    assert_eq!(
        defect(DeadlineAlone).await,
        "bells: the deadlines of `open` run `nodes::registration::Open`, which is not registered as a command"
    );
}

domain!(TwoEffects, |routes| {
    routes.effect::<Notify>();
    routes.effect::<NotifyAll>();
});
performs!(TwoEffects, Notify);
performs!(TwoEffects, NotifyAll);

#[tokio::test]
async fn two_effects_of_one_name_are_an_error_that_names_both() {
    assert_eq!(
        defect(TwoEffects).await,
        "bells: the effect `notify` is registered twice: by `nodes::registration::Notify` and by \
         `nodes::registration::NotifyAll`"
    );
}

domain!(OneEventTwice, |routes| {
    routes.event::<Said>();
    routes.event::<Said>();
});

impl React for OneEventTwice {
    type Input = EventEnvelope<Said>;

    async fn react(&self, _: &mut Tx<'_>, _: &[&EventEnvelope<Said>]) -> Result<(), InternalError> {
        Ok(())
    }
}

#[tokio::test]
async fn two_reactions_to_one_event_are_an_error_that_names_both() {
    assert_eq!(
        defect(OneEventTwice).await,
        "bells: the event `speaker.said` is registered twice: by `nodes::domains::Said` and by `nodes::domains::Said`"
    );
}

/// The rights of its NATS user are made from this.
#[test]
fn a_domain_that_consumes_events_of_another_one_asks_it_for_its_log_and_for_events() {
    let Uses { name, requests, sources } = Uses::of::<OneEventTwice>();
    assert_eq!(name, "bells");
    assert!(requests.into_iter().eq(["req.speaker.internal.events", "req.speaker.internal.log"]));
    assert!(sources.into_iter().eq(["speaker"]));
}

domain!(Unregistered, |routes| { routes.command::<Open>() });

impl Handle<Open> for Unregistered {
    async fn handle(&self, tx: &mut Tx<'_>, command: &CommandEnvelope<Open>) -> HandlerResult<Done, SpeakerError> {
        let receiver = Uuid::now_v7();
        tx.effect(&command.cause, receiver, &Notify { receiver })?;
        Ok(Done {})
    }
}

/// Such an effect would never be performed and would block its entity.
#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_leaves_an_effect_its_domain_does_not_register_fails() {
    let world = World::start().await;
    world.migrate::<Unregistered>().await;
    let node = world.node(Unregistered).await;
    let answer = world.client().await.send(&Open {}, &Call::default()).await;
    assert!(matches!(&answer, Err(CallError::ServiceError(error)) if error.code == "internal"), "{answer:?}");
    assert_eq!(world.number("bells", "select count(*) from effect").await, 0);
    node.drain().await;
    world.stack.stop().await.unwrap();
}

/// It is listed, and not redriven by a node that cannot perform it. Effects behind it, and those that have just become
/// due, are not listed.
#[tokio::test(flavor = "multi_thread")]
async fn an_effect_that_no_running_node_registers_is_listed_with_the_dead_letters() {
    let world = World::start().await;
    world.migrate::<Unregistered>().await;
    world
        .run(
            "bells",
            "insert into effect (id, name, entity, cause, body, attempts, lease_until, next_at)
             select gen_random_uuid(), 'notify', receiver, jsonb_build_object('id', receiver, 'name', 'bells.open'),
                    '{}', 0, now() - ago, now() - ago
             from gen_random_uuid() as receiver, unnest(array[interval '2 minutes', '1 minute 30 seconds']) as ago
             union all
             select gen_random_uuid(), 'notify', gen_random_uuid(), '{}', '{}', 0, now(), now()",
        )
        .await;
    let node = world.node(Unregistered).await;
    let operator = Client::new(world.operator().await).await.unwrap();
    let listed = operator.dead_letters("bells", &PageRequest::default(), &Call::default()).await.unwrap();
    assert_eq!((listed.pagination.total, listed.data.len()), (1, 1), "{listed:?}");
    let letter = &listed.data[0];
    assert_eq!(
        (letter.kind, letter.source.as_str(), letter.name.as_str()),
        (DeadLetterKind::Effect, "bells", "notify")
    );
    assert_eq!(letter.reason, "no running node registers this effect");
    let redriven = operator.redrive("bells", letter.id, &Call::default()).await.unwrap_err();
    assert_eq!(redriven.code, "unknown_effect");
    node.drain().await;
    world.stack.stop().await.unwrap();
}
