//! An event that takes with it whoever handles it.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use runtime::Call;

use crate::{
    domains::{MortalHearer, POISON, Speak, Teller},
    world::{World, node_at},
};

/// Lives that one event may cost: ten counted runs, and those before the counting begins.
const LIVES: usize = 16;

/// The hearer as a process of its own: this same test program, made to run the other test below.
fn hearer(home: &std::path::Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "poison::a_hearer_that_may_die", "--ignored"])
        .env("SOUK_TEST_HOME", home)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Scenario 24: catch-up brings the event to every life in turn. Its runs are counted before they begin, so that at the
/// limit it is parked unrun; its neighbours are handled, and are not counted for it.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_kills_every_node_is_dead_lettered_unrun_and_its_neighbours_are_handled() {
    let world = World::start().await;
    let client = world.client().await;
    let teller = world.node(Teller).await;
    for number in 0..21 {
        let text = if number == 10 { POISON.to_owned() } else { format!("line {number}") };
        client.send(&Speak { text }, &Call::default()).await.unwrap();
    }

    let (heard, dead_letters) = ("select count(*) from heard", "select count(*) from dead_letter");
    let (mut lives, began) = (0, Instant::now());
    let last = 'lives: loop {
        lives += 1;
        assert!(lives <= LIVES, "{lives} lives, and {} events heard", world.number("hearer", heard).await);
        // Who died holds its leases for five seconds more.
        world.number("hearer", "with gone as (delete from lease returning 1) select count(*) from gone").await;
        let mut process = hearer(world.home.path());
        while process.try_wait().unwrap().is_none() {
            if world.number("hearer", dead_letters).await == 1 {
                break 'lives process;
            }
            assert!(began.elapsed() < Duration::from_secs(300), "{lives} lives and no end");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    println!("parked after {lives} lives, {:?}", began.elapsed());
    assert!(lives > 2, "it was parked before it could have killed twice");
    world.wait_for("hearer", heard, 20).await;
    let unrun = format!(
        "select count(*) from dead_letter where convert_from(payload, 'UTF8') like '%{POISON}%'
         and reason like '%never finished%'"
    );
    assert_eq!(world.number("hearer", &unrun).await, 1);
    assert_eq!(world.number("hearer", "select count(*) from heard where times <> 1").await, 0, "handled twice");
    let mut last = last;
    last.kill().unwrap();
    last.wait().unwrap();
    teller.drain().await;
    world.stack.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a node that is started, and killed, by the test above"]
async fn a_hearer_that_may_die() {
    let home = PathBuf::from(std::env::var_os("SOUK_TEST_HOME").unwrap());
    let _node = node_at(&home, MortalHearer).await;
    // Whoever started it ends it; should that die, this ends by itself.
    tokio::time::sleep(Duration::from_secs(300)).await;
}
