//! An event that kills the process that handles it.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use runtime::Call;

use crate::{
    domains::{MortalListener, POISON, Speak, Speaker},
    world::{World, node_at},
};

/// Lives that one event may cost: ten counted runs, and those before the counting begins.
const LIVES: usize = 16;

/// The listener as a process of its own: this same test program, made to run the other test below.
fn listener(home: &std::path::Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "poison::a_listener_that_may_die", "--ignored"])
        .env("SOUK_TEST_HOME", home)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Scenario 24: catch-up brings the event to every life in turn. Its runs are counted before they begin, so that at the
/// limit it is dead-lettered without a run; its neighbours are handled, and are not counted for it.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_kills_every_node_is_dead_lettered_unrun_and_its_neighbours_are_handled() {
    let world = World::start().await;
    let client = world.client().await;
    let speaker = world.node(Speaker).await;
    for number in 0..21 {
        let text = if number == 10 { POISON.to_owned() } else { format!("line {number}") };
        client.send(&Speak { text }, &Call::default()).await.unwrap();
    }

    let (received, dead_letters) = ("select count(*) from received", "select count(*) from dead_letter");
    let (mut lives, began) = (0, Instant::now());
    let last = 'lives: loop {
        lives += 1;
        assert!(lives <= LIVES, "{lives} lives, and {} events received", world.number("listener", received).await);
        // Who died holds its leases for five seconds more.
        world.number("listener", "with gone as (delete from lease returning 1) select count(*) from gone").await;
        let mut process = listener(world.home.path());
        while process.try_wait().unwrap().is_none() {
            if world.number("listener", dead_letters).await == 1 {
                break 'lives process;
            }
            assert!(began.elapsed() < Duration::from_secs(300), "{lives} lives and no end");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    println!("dead-lettered after {lives} lives, {:?}", began.elapsed());
    assert!(lives > 2, "it was dead-lettered before it could have killed twice");
    world.wait_for("listener", received, 20).await;
    let unrun = format!(
        "select count(*) from dead_letter where convert_from(payload, 'UTF8') like '%{POISON}%'
         and reason like '%never finished%'"
    );
    assert_eq!(world.number("listener", &unrun).await, 1);
    assert_eq!(world.number("listener", "select count(*) from received where times <> 1").await, 0, "handled twice");
    let mut last = last;
    last.kill().unwrap();
    last.wait().unwrap();
    speaker.drain().await;
    world.stack.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a node that is started, and killed, by the test above"]
async fn a_listener_that_may_die() {
    let home = PathBuf::from(std::env::var_os("SOUK_TEST_HOME").unwrap());
    let _node = node_at(&home, MortalListener).await;
    // The test ends it; if the test dies, this ends by itself.
    tokio::time::sleep(Duration::from_secs(300)).await;
}
