//! Batches of commands: what a rejected one leaves behind.

use contract::{Access, CallError, ErrorKind, command, event};
use futures::future::join_all;
use runtime::{Call, CommandEnvelope, Domain, Handle, HandleBatch, HandlerResult, InternalError, Registry, Tx};
use serde::{Deserialize, Serialize};
use sqlx::migrate::Migrator;
use uuid::Uuid;

use crate::{domains::SpeakerError, world::World};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ring {
    times: u32,
}
command!(Ring, "bells", "ring", Access::Public => Rang, SpeakerError, key = |_| None);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rang {
    id: Uuid,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Rung {
    id: Uuid,
}
event!(Rung, "bells", "rung", entity = |e| e.id);

/// Emits an event for each command. It rejects 0 before that, and 13, wrongly, after it.
struct Bell;

impl Domain for Bell {
    const NAME: &'static str = "bells";
    fn migrations() -> Migrator {
        sqlx::migrate!("tests/nodes/migrations/bells")
    }
    fn register(routes: &mut Registry<Self>) {
        routes.batched_command::<Ring>();
    }
}

impl HandleBatch<Ring> for Bell {
    async fn handle_batch(
        &self,
        tx: &mut Tx<'_>,
        commands: &[&CommandEnvelope<Ring>],
    ) -> Result<Vec<HandlerResult<Rang, SpeakerError>>, InternalError> {
        let mut outcomes = Vec::new();
        for command in commands {
            if command.message.times == 0 {
                outcomes.push(Err(SpeakerError::Silence.into()));
                continue;
            }
            let id = Uuid::now_v7();
            tx.emit_first(&command.cause, &Rung { id })?;
            outcomes.push(if command.message.times == 13 {
                Err(SpeakerError::Silence.into())
            } else {
                Ok(Rang { id })
            });
        }
        Ok(outcomes)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_command_of_a_batch_that_left_an_event_fails_and_its_neighbours_do_not() {
    let world = World::start().await;
    world.migrate::<Bell>().await;
    let node = world.node(Bell).await;
    let client = world.client().await;
    let ring = async |times: u32| client.send(&Ring { times }, &Call::default()).await.map(|replied| replied.reply);
    let answers = join_all((0..40).map(ring)).await;
    for (times, answer) in (0..40).zip(answers) {
        match (times, answer) {
            (0, Err(CallError::Rejected(SpeakerError::Silence))) => {}
            (13, Err(CallError::ServiceError(error))) => assert_eq!(error.kind, ErrorKind::Internal),
            (0 | 13, answer) => panic!("{times}: {answer:?}"),
            (_, answer) => drop(answer.unwrap()),
        }
    }
    // As many as were accepted.
    let events = "select coalesce(sum(json_array_length(events)), 0)::bigint from event_log";
    assert_eq!(world.number("bells", events).await, 38);
    node.drain().await;
    world.stack.stop().await.unwrap();
}

/// Takes an id, which can be taken once.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Take {
    id: Uuid,
    is_allowed: bool,
}
command!(Take, "bells", "take", Access::Public => (), SpeakerError, key = |c| Some(c.id));

/// Inserts a row, and rejects a command that found another one or is not allowed.
struct Taker;

impl Domain for Taker {
    const NAME: &'static str = "bells";
    fn migrations() -> Migrator {
        sqlx::migrate!("tests/nodes/migrations/bells")
    }
    fn register(routes: &mut Registry<Self>) {
        routes.command::<Take>();
    }
}

impl Handle<Take> for Taker {
    async fn handle(&self, tx: &mut Tx<'_>, command: &CommandEnvelope<Take>) -> HandlerResult<(), SpeakerError> {
        let insert =
            sqlx::query("insert into alarm (id, due_at) values ($1, now()) on conflict do nothing returning id");
        let taken = insert.bind(command.message.id).fetch_optional(tx.writes()).await.map_err(InternalError::from)?;
        if taken.is_none() || !command.message.is_allowed {
            return Err(SpeakerError::Silence.into());
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_rejected_after_it_inserted_a_row_leaves_none_and_its_neighbours_theirs() {
    let world = World::start().await;
    world.migrate::<Taker>().await;
    let node = world.node(Taker).await;
    let client = world.client().await;
    let take = async |id: Uuid, is_allowed: bool| client.send(&Take { id, is_allowed }, &Call::default()).await;
    // Each id is requested twice; every fourth is not allowed.
    let ids: Vec<(Uuid, bool)> = (0..40).map(|number| (Uuid::now_v7(), number % 4 != 0)).collect();
    let sent = ids.iter().chain(&ids).map(|(id, is_allowed)| take(*id, *is_allowed));
    let taken = join_all(sent).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(taken, 30, "each that is allowed, once");
    assert_eq!(world.number("bells", "select count(*) from alarm").await, 30);
    node.drain().await;
    world.stack.stop().await.unwrap();
}
