//! Deadlines that two nodes see at once, or that are found twice.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chrono::{DateTime, Utc};
use contract::{Access, command, event};
use runtime::{CommandEnvelope, DeadlineSource, Domain, Handle, HandlerResult, InternalError, Reads, Registry, Tx};
use serde::{Deserialize, Serialize};
use sqlx::{Connection, migrate::Migrator};
use uuid::Uuid;

use crate::{domains::SpeakerError, world::World};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wake {
    alarm: Uuid,
}
command!(Wake, "bells", "wake", Access::Internal => Woken, SpeakerError, key = |c| Some(c.alarm));

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Woken {}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct WokeUp {
    alarm: Uuid,
}
event!(WokeUp, "bells", "woke_up", entity = |e| e.alarm);

struct Clockwork;

impl Domain for Clockwork {
    const NAME: &'static str = "bells";
    fn migrations() -> Migrator {
        sqlx::migrate!("tests/nodes/migrations/bells")
    }
    fn register(routes: &mut Registry<Self>) {
        routes.command::<Wake>();
        routes.deadline::<Wake>();
    }
}

impl DeadlineSource<Wake> for Clockwork {
    async fn due(&self, db: Reads<'_>, limit: i64) -> Result<Vec<(DateTime<Utc>, Wake)>, InternalError> {
        let sql = "select due_at, id from alarm where due_at <= now() order by due_at limit $1";
        let due: Vec<(DateTime<Utc>, Uuid)> = sqlx::query_as(sql).bind(limit).fetch_all(db).await?;
        Ok(due.into_iter().map(|(at, alarm)| (at, Wake { alarm })).collect())
    }
}

impl Handle<Wake> for Clockwork {
    async fn handle(&self, tx: &mut Tx<'_>, command: &CommandEnvelope<Wake>) -> HandlerResult<Woken, SpeakerError> {
        let alarm = command.message.alarm;
        let sql = "update alarm set due_at = null, rung = rung + 1 where id = $1 and due_at is not null";
        let woken = sqlx::query(sql).bind(alarm).execute(tx.writes()).await.map_err(InternalError::from)?;
        if woken.rows_affected() == 1 {
            tx.emit_first(&command.cause, &WokeUp { alarm })?;
        }
        Ok(Woken {})
    }
}

/// Who looks is settled by a lease, which may end while its holder is slow: then two nodes act on the same deadline,
/// and its row decides. Nothing of it is kept in the command log.
#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_two_nodes_act_on_is_acted_on_once() {
    let world = World::start().await;
    world.migrate::<Clockwork>().await;
    let nodes = [world.node(Clockwork).await, world.node(Clockwork).await];
    world.run("bells", "insert into alarm select gen_random_uuid(), clock_timestamp() + interval '3 seconds'").await;
    let held = world.holding("bells", "select from alarm where due_at > clock_timestamp() for update").await;
    assert_eq!(world.number("bells", "select rung from alarm").await, 0);
    let acting = "select count(*) from pg_stat_activity
                  where datname = 'bells' and usename = 'bells' and wait_event_type = 'Lock'";
    world.wait_for("bells", acting, 1).await;
    world.run("bells", "delete from lease where name = 'deadlines:wake'").await;
    world.wait_for("bells", acting, 2).await;
    held.close().await.unwrap();
    world.wait_for("bells", "select rung from alarm", 1).await;
    // Both are done with it then.
    for node in nodes {
        node.drain().await;
    }
    assert_eq!(world.number("bells", "select rung from alarm").await, 1);
    assert_eq!(world.number("bells", "select count(*) from event_log").await, 1);
    assert_eq!(world.number("bells", "select count(*) from command_log").await, 0);
    world.stack.stop().await.unwrap();
}

/// Finds every alarm twice, as a query with a join may, and counts its commands.
struct Doubled(Arc<AtomicUsize>);

impl Domain for Doubled {
    const NAME: &'static str = "bells";
    fn migrations() -> Migrator {
        Clockwork::migrations()
    }
    fn register(routes: &mut Registry<Self>) {
        routes.command::<Wake>();
        routes.deadline::<Wake>();
    }
}

impl DeadlineSource<Wake> for Doubled {
    async fn due(&self, db: Reads<'_>, limit: i64) -> Result<Vec<(DateTime<Utc>, Wake)>, InternalError> {
        let once = Clockwork.due(db, limit).await?;
        // Another deadline makes another command id.
        let again = once.iter().map(|(due, wake)| (*due + chrono::TimeDelta::microseconds(1), wake.clone()));
        Ok(again.chain(once.iter().cloned()).collect())
    }
}

impl Handle<Wake> for Doubled {
    async fn handle(&self, tx: &mut Tx<'_>, command: &CommandEnvelope<Wake>) -> HandlerResult<Woken, SpeakerError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Clockwork.handle(tx, command).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entity_that_is_found_twice_is_acted_on_once() {
    let world = World::start().await;
    world.migrate::<Doubled>().await;
    let handled = Arc::new(AtomicUsize::new(0));
    let node = world.node(Doubled(handled.clone())).await;
    world.run("bells", "insert into alarm select gen_random_uuid(), now() from generate_series(1, 3)").await;
    world.wait_for("bells", "select count(*) from alarm where rung = 1", 3).await;
    node.drain().await;
    assert_eq!(handled.load(Ordering::Relaxed), 3);
    world.stack.stop().await.unwrap();
}
