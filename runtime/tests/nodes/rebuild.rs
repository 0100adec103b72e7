//! A projection that is made anew while what it shows goes on changing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use contract::{ErrorKind, PageRequest};
use runtime::{Call, Client};
use sqlx::{Connection, PgConnection};

use crate::{
    domains::{NewListener, RESETTING, ShowingListener, Speak, Speaker},
    world::World,
};

/// What the test holds up a lane with.
const LANE: i64 = 43;

/// This one counts how often it received each event, so an event that a rebuild let slip, or that was handled on both
/// sides of it, shows itself. Two nodes, of which each receives about half.
#[tokio::test(flavor = "multi_thread")]
async fn rebuilds_amid_events_lose_none_and_double_none() {
    let world = World::start().await;
    let (client, operator) = (world.client().await, Client::new(world.operator().await).await.unwrap());
    let nodes = [world.node(Speaker).await, world.node(ShowingListener).await, world.node(ShowingListener).await];
    let stop = Arc::<AtomicBool>::default();
    let speaking = tokio::spawn(speak_until(stop.clone(), client));
    world.wait_until("listener", "select count(*) > 100 from received").await;
    for _ in 0..4 {
        assert_eq!(operator.rebuild("listener", "speaker").await.unwrap(), ["said"]);
        // The next one comes while catch-up is at work, and its cursors have moved.
        world.wait_until("listener", "select count(*) > 0 from cursor").await;
    }
    stop.store(true, Ordering::Relaxed);
    let spoken = speaking.await.unwrap();
    world.wait_for("listener", "select count(*) from received", spoken).await;
    let last = "select (select count(*) from inbox) = 0 and (select count(*) from cursor) = 1";
    world.wait_until("listener", last).await;
    assert_eq!(world.number("listener", "select count(*) from received").await, spoken);
    assert_eq!(world.number("listener", "select count(*) from received where times <> 1").await, 0, "handled twice");
    assert_eq!(world.number("listener", "select count(*) from dead_letter").await, 0, "nothing is dead-lettered");
    for node in nodes {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}

/// A lane is held up in the middle of an event. Did it commit after the projection was reset, and before the inbox
/// was, the event would be handled a second time.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_waits_for_a_lane_that_is_in_the_middle_of_an_event() {
    let world = World::start().await;
    let (client, operator) = (world.client().await, Client::new(world.operator().await).await.unwrap());
    let nodes = [world.node(Speaker).await, world.node(ShowingListener).await];
    speak(&client, 5).await;
    world.wait_for("listener", "select count(*) from received", 5).await;
    world.run("listener", &when_slow(&format!("perform pg_advisory_xact_lock({LANE}); return new;"))).await;
    world.run("listener", TRIGGER).await;
    let lane = world.holding("listener", &format!("select pg_advisory_xact_lock({LANE})")).await;
    let resetting = world.holding("listener", &format!("select pg_advisory_xact_lock({RESETTING})")).await;
    client.send(&Speak { text: "slow".into() }, &Call::default()).await.unwrap();
    rebuild_beside(&world, operator, lane, resetting).await;
    for node in nodes {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}

/// The same with a dead letter that was just redriven: it passes neither inbox nor cursor.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_waits_for_a_redrive_that_is_in_the_middle_of_an_event() {
    let world = World::start().await;
    let (client, operator) = (world.client().await, Client::new(world.operator().await).await.unwrap());
    let nodes = [world.node(Speaker).await, world.node(ShowingListener).await];
    speak(&client, 5).await;
    world.run("listener", &when_slow("raise exception 'too slow';")).await;
    world.run("listener", TRIGGER).await;
    client.send(&Speak { text: "slow".into() }, &Call::default()).await.unwrap();
    world.wait_for("listener", "select count(*) from dead_letter", 1).await;
    world.wait_for("listener", "select count(*) from received", 5).await;
    world.run("listener", &when_slow(&format!("perform pg_advisory_xact_lock({LANE}); return new;"))).await;
    let lane = world.holding("listener", &format!("select pg_advisory_xact_lock({LANE})")).await;
    let resetting = world.holding("listener", &format!("select pg_advisory_xact_lock({RESETTING})")).await;
    let dead_letters = operator.dead_letters("listener", &PageRequest::default(), &Call::default()).await.unwrap();
    operator.redrive("listener", dead_letters.data[0].id, &Call::default()).await.unwrap();
    rebuild_beside(&world, operator, lane, resetting).await;
    assert_eq!(
        world.number("listener", "select count(*) from dead_letter").await,
        0,
        "it is dead-lettered although it was handled"
    );
    for node in nodes {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}

/// Lets a lane go on once a rebuild has come to where it waits: for the lane, as it should, or between its own steps.
async fn rebuild_beside(world: &World, operator: Client, lane: PgConnection, resetting: PgConnection) {
    world.wait_until("listener", &waits_for(LANE)).await;
    let rebuild = tokio::spawn(async move { operator.rebuild("listener", "speaker").await });
    world.wait_until("listener", "(select count(*) from pg_locks where not granted) >= 2").await;
    lane.close().await.unwrap();
    let is_alone = format!(
        "not exists (select from pg_stat_activity where datname = 'listener' and xact_start is not null
                        and pid <> pg_backend_pid()
                        and pid not in (select pid from pg_locks where objid = {RESETTING}))"
    );
    world.wait_until("listener", &format!("{is_alone} and {}", waits_for(RESETTING))).await;
    resetting.close().await.unwrap();
    rebuild.await.unwrap().unwrap();
    world.wait_for("listener", "select count(*) from received", 6).await;
    world.wait_until("listener", "(select count(*) from inbox) = 0 and (select count(*) from cursor) = 1").await;
    assert_eq!(world.number("listener", "select count(*) from received where times <> 1").await, 0, "handled twice");
}

/// What happens to the saying "slow".
fn when_slow(happens: &str) -> String {
    format!("create or replace function hold_up() returns trigger language plpgsql as $$ begin {happens} end $$")
}

const TRIGGER: &str = "create trigger hold_up before insert on received for each row when (new.text = 'slow')
    execute function hold_up()";

/// A catch-up has read its cursor and is held up before it moves it: moved from where it was, it would pass everything
/// that was reset meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_waits_for_a_catch_up_that_is_about_to_move() {
    let world = World::start().await;
    let (client, operator) = (world.client().await, Client::new(world.operator().await).await.unwrap());
    let nodes = [world.node(Speaker).await, world.node(ShowingListener).await];
    speak(&client, 20).await;
    world.wait_for("listener", "select count(*) from received", 20).await;
    world.wait_until("listener", "(select count(*) from inbox) = 0 and (select count(*) from cursor) = 1").await;
    let epoch = world.holding("listener", "select epoch from source_epoch for update").await;
    speak(&client, 1).await;
    let waiting = |count: u32| format!("(select count(distinct pid) from pg_locks where not granted) >= {count}");
    world.wait_until("listener", &waiting(1)).await;
    let rebuild = tokio::spawn(async move { operator.rebuild("listener", "speaker").await });
    let either = format!("{} or not exists (select from received)", waiting(2));
    world.wait_until("listener", &either).await;
    epoch.close().await.unwrap();
    rebuild.await.unwrap().unwrap();
    world.wait_for("listener", "select count(*) from received", 21).await;
    assert_eq!(world.number("listener", "select count(*) from received where times <> 1").await, 0, "handled twice");
    for node in nodes {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}

fn waits_for(lock: i64) -> String {
    format!("exists (select from pg_locks where locktype = 'advisory' and objid = {lock} and not granted)")
}

/// What acts on events must hear none twice, and a log that lacks its beginning cannot tell it.
#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_restored_is_not_reset() {
    let world = World::start().await;
    let (client, operator) = (world.client().await, Client::new(world.operator().await).await.unwrap());
    let speaker = world.node(Speaker).await;
    let acting = world.node(NewListener).await;
    speak(&client, 10).await;
    world.wait_for("listener", "select count(*) from received", 20).await;
    let rejected = operator.rebuild("listener", "speaker").await.unwrap_err();
    assert_eq!((rejected.kind, rejected.code.as_str()), (ErrorKind::Conflict, "not_a_projection"));
    let rejected = operator.rebuild("listener", "unknown").await.unwrap_err();
    assert_eq!((rejected.kind, rejected.code.as_str()), (ErrorKind::NotFound, "unknown_source"));
    acting.drain().await;

    let showing = world.node(ShowingListener).await;
    world.run("speaker", "insert into log_trim select epoch, xid from event_log order by epoch, xid limit 1").await;
    let rejected = operator.rebuild("listener", "speaker").await.unwrap_err();
    assert_eq!((rejected.kind, rejected.code.as_str()), (ErrorKind::Conflict, "log_trimmed"));
    assert_eq!(world.number("listener", "select count(*) from received").await, 20);
    assert_eq!(world.number("listener", "select count(*) from received where times <> 1").await, 0);
    for node in [speaker, showing] {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}

async fn speak(client: &Client, count: usize) {
    for number in 0..count {
        client.send(&Speak { text: format!("line {number}") }, &Call::default()).await.unwrap();
    }
}

async fn speak_until(stop: Arc<AtomicBool>, client: Client) -> i64 {
    let mut spoken = 0;
    while !stop.load(Ordering::Relaxed) {
        speak(&client, 1).await;
        spoken += 1;
    }
    spoken
}
