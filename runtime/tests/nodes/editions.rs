//! A rolling upgrade: the old node does not know what the new one does.

use std::time::Duration;

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, pull},
};
use contract::{Event, subject};
use runtime::{Call, Client};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::{
    domains::{NewListener, OldListener, Said, Speak, Speaker},
    world::World,
};

async fn speak(client: &Client, count: usize) {
    for number in 0..count {
        client.send(&Speak { text: format!("line {number}") }, &Call::default()).await.unwrap();
    }
}

/// Scenario 8: both nodes pull from the same durable, and the old one has no handler for a type. It neither records its
/// events as handled nor dead-letters them; the new one gets them all, including those from before its own start, and
/// what the old one handled does not run again.
#[tokio::test(flavor = "multi_thread")]
async fn what_only_the_new_node_knows_the_old_one_leaves_to_it() {
    let world = World::start().await;
    let client = world.client().await;
    let speaker = world.node(Speaker).await;
    let old = world.node(OldListener).await;
    speak(&client, 30).await;
    world.wait_for("listener", "select count(*) from received where kind = 'said'", 30).await;
    let moved = "select count(*) from cursor where name = 'said'";
    world.wait_for("listener", moved, 1).await;
    assert_eq!(world.number("listener", "select count(*) from cursor where name = 'sung'").await, 0);
    assert_eq!(world.number("listener", "select count(*) from inbox where name = 'sung'").await, 0);

    let new = world.node(NewListener).await;
    world.wait_for("listener", "select count(*) from received where kind = 'sung'", 30).await;
    // Both at once: each pulls about half of what comes.
    speak(&client, 60).await;
    world.wait_for("listener", "select count(*) from received", 180).await;
    let streams = async_nats::jetstream::new(world.operator().await);
    let stream = streams.get_stream(subject::stream("speaker")).await.unwrap();
    let durable = stream.consumer_info(subject::durable("listener", "speaker")).await.unwrap();
    assert_eq!(durable.config.filter_subjects.len(), 2, "{:?}", durable.config.filter_subjects);

    // The new one goes, and the old one alone still leaves what it does not know.
    new.drain().await;
    speak(&client, 10).await;
    world.wait_for("listener", "select count(*) from received where kind = 'said'", 100).await;
    let new = world.node(NewListener).await;
    world.wait_for("listener", "select count(*) from received where kind = 'sung'", 100).await;
    assert_eq!(world.number("listener", "select count(*) from received where times <> 1").await, 0, "handled twice");
    assert_eq!(world.number("listener", "select count(*) from dead_letter").await, 0, "nothing is dead-lettered");
    for node in [speaker, old, new] {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}

/// The version that handled a type was withdrawn: its cursor holds a trim of the log back only while a node of that
/// version may still run.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_no_running_node_uses_holds_no_trim_back() {
    let world = World::start().await;
    let (client, operator) = (world.client().await, Client::new(world.operator().await).await.unwrap());
    let (speaker, new) = (world.node(Speaker).await, world.node(NewListener).await);
    speak(&client, 1).await;
    world.wait_for("listener", "select count(*) from cursor", 2).await;
    new.drain().await;
    let old = world.node(OldListener).await;
    speak(&client, 1).await;
    let is_ahead = "select said.xid > sung.xid from cursor said, cursor sung
                    where said.name = 'said' and sung.name = 'sung'";
    world.wait_until("listener", is_ahead).await;

    let consumed = async || operator.consumed("listener", "speaker").await.unwrap().up_to.unwrap().xid;
    let withdrawn = world.number("listener", "select xid from cursor where name = 'sung'").await;
    assert_eq!(consumed().await, withdrawn, "a node of the other version has run in the last ten minutes");
    world.run("listener", "update lease set until = until - interval '1 hour' where name like '%sung'").await;
    assert!(consumed().await > withdrawn);
    // A node of a version that handles another type has started, and has not moved its cursor yet.
    let lease = "insert into lease values ('catch-up:speaker:said,shouted', gen_random_uuid(), now())";
    world.run("listener", lease).await;
    assert_eq!(consumed().await, 0);
    for node in [speaker, old] {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}

/// The filters of the durable by which the listeners pull.
async fn filters(jetstream: &jetstream::Context) -> Vec<String> {
    let stream = jetstream.get_stream(subject::stream("speaker")).await.unwrap();
    stream.consumer_info(subject::durable("listener", "speaker")).await.unwrap().config.filter_subjects
}

/// Two nodes that add their filters at once may each write without the other's: a node whose filters are gone adds them
/// again, and keeps those that it finds.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_adds_its_filters_again_where_another_one_overwrote_them() {
    let world = World::start().await;
    let nodes = (world.node(Speaker).await, world.node(NewListener).await);
    speak(&world.client().await, 1).await;
    world.wait_for("listener", "select count(*) from received", 2).await;

    let jetstream = jetstream::new(world.connection("listener").await);
    let stream = jetstream.get_stream(subject::stream("speaker")).await.unwrap();
    let name = subject::durable("listener", "speaker");
    let deliver_policy = stream.consumer_info(&name).await.unwrap().config.deliver_policy;
    let ours = [subject::event_filter("speaker", Said::NAME), subject::event_filter("speaker", "shouted")];
    let config = pull::Config {
        durable_name: Some(name),
        filter_subjects: ours.to_vec(),
        ack_policy: AckPolicy::None,
        deliver_policy,
        ..pull::Config::default()
    };
    stream.create_consumer(config).await.unwrap();
    assert_eq!(filters(&jetstream).await.len(), 2);
    let added = async {
        while filters(&jetstream).await.len() != 3 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), added).await.expect("the filters are not added again");
    nodes.0.drain().await;
    nodes.1.drain().await;
    world.stack.stop().await.unwrap();
}

/// The ids of events are unique within their source: the runs that were counted of another source's event with the same
/// id stay counted.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_was_handled_leaves_the_counted_runs_of_other_sources_alone() {
    let world = World::start().await;
    let client = world.client().await;
    let (speaker, old) = (world.node(Speaker).await, world.node(OldListener).await);
    speak(&client, 5).await;
    world.wait_for("listener", "select count(*) from received where kind = 'said'", 5).await;

    let mut spoken = PgConnection::connect(&world.stack.superuser_url("speaker")).await.unwrap();
    let sql = "select (event->>'id')::uuid from event_log, json_array_elements(events) as event
               where event->>'name' = 'sung'";
    let ids: Vec<Uuid> = sqlx::query_scalar(sql).fetch_all(&mut spoken).await.unwrap();
    spoken.close().await.unwrap();
    assert_eq!(ids.len(), 5);
    let mut received = PgConnection::connect(&world.stack.superuser_url("listener")).await.unwrap();
    let sql = "insert into attempt (source, event_id, count) select 'elsewhere', id, 3 from unnest($1::uuid[]) as id";
    sqlx::query(sql).bind(ids).execute(&mut received).await.unwrap();
    received.close().await.unwrap();

    // What was sung before the durable had a filter for it is brought by catch-up, which counts its runs.
    let new = world.node(NewListener).await;
    world.wait_for("listener", "select count(*) from received where kind = 'sung'", 5).await;
    assert_eq!(world.number("listener", "select count(*) from attempt where source = 'speaker'").await, 0);
    assert_eq!(world.number("listener", "select count(*) from attempt where source = 'elsewhere'").await, 5);
    for node in [speaker, old, new] {
        node.drain().await;
    }
    world.stack.stop().await.unwrap();
}
