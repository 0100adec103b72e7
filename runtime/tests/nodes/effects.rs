//! Calls of the outside world, left by two nodes for the same entities.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use contract::{Access, command};
use futures::future::join_all;
use runtime::{
    Call, CommandEnvelope, Context, Domain, Effect, EffectHandler, EffectResult, Handle, HandlerResult, InternalError,
    Registry, Tx,
};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, migrate::Migrator};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{domains::SpeakerError, world::World};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Ring {
    bell: Uuid,
}
command!(Ring, "bells", "ring", Access::Public => Rung, SpeakerError, key = |c| Some(c.bell));

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rung {
    number: i64,
}

/// A stroke of a bell; of one bell they are numbered in the order of their commits.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Stroke {
    bell: Uuid,
    number: i64,
}

impl Effect for Stroke {
    const NAME: &'static str = "stroke";
}

/// What the world outside saw of one bell.
#[derive(Debug, Default)]
struct Bell {
    is_ringing: bool,
    met: usize,
    /// Number and key of every call.
    calls: Vec<(i64, Uuid)>,
}

type Tower = Arc<Mutex<BTreeMap<Uuid, Bell>>>;

struct Bells {
    tower: Tower,
    /// No call returns before it is true.
    is_open: watch::Receiver<bool>,
}

impl Bells {
    fn of(tower: &Tower) -> Self {
        Self { tower: tower.clone(), is_open: watch::channel(true).1 }
    }
}

impl Domain for Bells {
    const NAME: &'static str = "bells";
    fn migrations() -> Migrator {
        sqlx::migrate!("tests/nodes/migrations/bells")
    }
    fn register(routes: &mut Registry<Self>) {
        routes.command::<Ring>();
        routes.effect::<Stroke>();
    }
}

impl Handle<Ring> for Bells {
    async fn handle(&self, tx: &mut Tx<'_>, command: &CommandEnvelope<Ring>) -> HandlerResult<Rung, SpeakerError> {
        let bell = command.message.bell;
        let sql = "insert into bell values ($1, 1) on conflict (id) do update set strokes = bell.strokes + 1
                   returning strokes";
        let number = sqlx::query_scalar(sql).bind(bell).fetch_one(tx.writes()).await.map_err(InternalError::from)?;
        tx.effect(&command.cause, bell, &Stroke { bell, number })?;
        Ok(Rung { number })
    }
}

impl EffectHandler<Stroke> for Bells {
    type Outcome = ();

    async fn perform(&self, _: &Context, id: Uuid, stroke: &Stroke) -> Result<(), InternalError> {
        let is_first_try = {
            let mut tower = self.tower.lock().unwrap();
            let bell = tower.entry(stroke.bell).or_default();
            bell.met += usize::from(bell.is_ringing);
            bell.is_ringing = true;
            let is_first_try = bell.calls.iter().all(|(number, _)| *number != stroke.number);
            bell.calls.push((stroke.number, id));
            is_first_try
        };
        self.is_open.clone().wait_for(|is_open| *is_open).await.map_err(InternalError::other)?;
        tokio::time::sleep(Duration::from_millis(10)).await;
        self.tower.lock().unwrap().entry(stroke.bell).or_default().is_ringing = false;
        if is_first_try && stroke.number == 3 {
            return Err(InternalError::other("the rope slipped"));
        }
        Ok(())
    }

    async fn finish(&self, tx: &mut Tx<'_>, results: &[&EffectResult<Stroke, ()>]) -> Result<(), InternalError> {
        for done in results {
            let sql = "insert into stroke values ($1, $2)";
            let insert = sqlx::query(sql).bind(done.effect.bell).bind(done.effect.number);
            insert.execute(tx.writes()).await?;
        }
        Ok(())
    }
}

/// Scenario 19: two nodes leave calls for the same entities. Those of one entity are made one at a time, in the order
/// of their commits, one that broke under the same key before any later one; each result is written once.
#[tokio::test(flavor = "multi_thread")]
async fn calls_for_one_entity_are_made_one_at_a_time_in_the_order_of_their_commits() {
    let world = World::start().await;
    world.migrate::<Bells>().await;
    let tower = Tower::default();
    let nodes = [world.node(Bells::of(&tower)).await, world.node(Bells::of(&tower)).await];
    let client = world.client().await;
    let bells: Vec<Uuid> = (0..4).map(|_| Uuid::now_v7()).collect();
    let rung = bells.iter().cycle().take(40).map(|bell| {
        let client = client.clone();
        async move { client.send(&Ring { bell: *bell }, &Call::default()).await.unwrap() }
    });
    join_all(rung).await;
    world.wait_for("bells", "select count(*) from stroke", 40).await;
    world.wait_for("bells", "select count(*) from effect", 0).await;
    {
        let tower = tower.lock().unwrap();
        for bell in &bells {
            let Bell { met, calls, .. } = &tower[bell];
            assert_eq!(*met, 0, "two calls for one bell at once");
            assert!(calls.is_sorted_by_key(|(number, _)| *number), "{calls:?}");
            let third: Vec<Uuid> = calls.iter().filter(|(number, _)| *number == 3).map(|(_, key)| *key).collect();
            assert!(third.len() == 2 && third[0] == third[1], "tried again under its key: {calls:?}");
            assert_eq!(calls.len(), 11, "{calls:?}");
        }
    }
    for node in nodes {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}

/// A node makes 512 calls at once. An effect beyond that has no lease until there is room, and no run is counted that
/// did not begin.
#[tokio::test(flavor = "multi_thread")]
async fn calls_without_room_are_given_back_at_once_and_made_once() {
    let world = World::start().await;
    world.migrate::<Bells>().await;
    let tower = Tower::default();
    let (open, is_open) = watch::channel(false);
    let node = world.node(Bells { tower: tower.clone(), is_open }).await;
    let client = world.client().await;
    let rung = (0..600).map(|_| {
        let client = client.clone();
        async move { client.send(&Ring { bell: Uuid::now_v7() }, &Call::default()).await.unwrap() }
    });
    join_all(rung).await;
    let given_back = "select count(*) from effect where lease_until < clock_timestamp() and attempts = 0";
    world.wait_for("bells", given_back, 600 - 512).await;
    assert_eq!(tower.lock().unwrap().len(), 512);
    open.send(true).unwrap();
    world.wait_for("bells", "select count(*) from stroke", 600).await;
    world.wait_for("bells", "select count(*) from effect", 0).await;
    assert!(tower.lock().unwrap().values().all(|bell| bell.calls.len() == 1), "a call was made twice");
    node.drain().await;
    world.stack.stop().await.unwrap();
}

/// A result that waits in its lane for longer than the lease of its effect is there twice, because the effect is
/// performed again: one of both is written.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_results_of_one_effect_one_is_written() {
    let world = World::start().await;
    world.migrate::<Bells>().await;
    world.run("bells", "alter table stroke drop constraint stroke_pkey").await;
    let tower = Tower::default();
    let (open, is_open) = watch::channel(false);
    let node = world.node(Bells { tower: tower.clone(), is_open }).await;
    let client = world.client().await;
    let rung = (0..24).map(|_| {
        let client = client.clone();
        async move { client.send(&Ring { bell: Uuid::now_v7() }, &Call::default()).await.unwrap() }
    });
    join_all(rung).await;
    let each_bell = |what: fn(&Bell) -> bool| {
        let tower = tower.clone();
        async move {
            while !{
                let tower = tower.lock().unwrap();
                tower.len() == 24 && tower.values().all(what)
            } {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    };
    each_bell(|bell| bell.calls.len() == 1).await;
    world.run("bells", "update effect set lease_until = now() - interval '1 second'").await;
    each_bell(|bell| bell.calls.len() == 2).await;
    // The first results hold up their lanes, and the others wait behind them.
    let lanes = world.holding("bells", "lock table stroke in share row exclusive mode").await;
    open.send(true).unwrap();
    each_bell(|bell| !bell.is_ringing).await;
    world.wait_until("bells", "select count(*) > 0 from pg_stat_activity where wait_event_type = 'Lock'").await;
    lanes.close().await.unwrap();
    world.wait_for("bells", "select count(*) from effect", 0).await;
    assert_eq!(world.number("bells", "select count(*) from stroke").await, 24);
    node.drain().await;
    world.stack.stop().await.unwrap();
}

/// An effect whose lease was taken too long ago to start it is given back, and neither the attempt nor the unfinished
/// run stays counted.
#[tokio::test(flavor = "multi_thread")]
async fn an_effect_that_would_start_too_late_is_given_back_uncounted() {
    let world = World::start().await;
    world.migrate::<Bells>().await;
    world
        .run(
            "bells",
            // Writes down every claim. The first one takes longer than a lease may be old when its effect starts.
            "create table claim (attempts int, unfinished int);
             create function write_down() returns trigger language plpgsql security definer as $$
             begin
                 insert into claim values (new.attempts, new.unfinished);
                 if (select count(*) from claim) = 1 then perform pg_sleep(4.3); end if;
                 return new;
             end $$;
             create trigger claimed before update on effect for each row when (new.unfinished > old.unfinished)
             execute function write_down();
             insert into effect (id, name, entity, cause, body, attempts, unfinished, lease_until)
             select gen_random_uuid(), 'stroke', bell, jsonb_build_object('id', bell, 'name', 'bells.ring'),
                    jsonb_build_object('bell', bell, 'number', 1), 7, 3, now() - interval '1 second'
             from gen_random_uuid() as bell",
        )
        .await;
    let node = world.node(Bells::of(&Tower::default())).await;
    world.wait_for("bells", "select count(*) from stroke", 1).await;
    let counted = "select count(*) from claim where attempts = 8 and unfinished = 4";
    assert_eq!(world.number("bells", counted).await, 2);
    assert_eq!(world.number("bells", "select count(*) from claim").await, 2);
    node.drain().await;
    world.stack.stop().await.unwrap();
}
