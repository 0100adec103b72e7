//! The process dies at every place that the runtime names: before a commit, after it, between a publish and its
//! bookkeeping. Every accepted order still reaches its right ending.

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt, path::Path};

use async_nats::jetstream;
use rustix::process::Signal;

use crate::harness::{Buying, Shop};

/// Every name that the runtime gives to a place to die at.
fn names() -> BTreeSet<String> {
    fn read(directory: &Path, names: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                read(&path, names);
            } else {
                let source = std::fs::read_to_string(path).unwrap();
                let calls = source.split("fail_point(\"").skip(1);
                names.extend(calls.map(|call| call.split('"').next().unwrap().to_owned()));
            }
        }
    }
    let mut names = BTreeSet::new();
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("runtime/src"), &mut names);
    names
}

/// Those that a shop passes in which nothing is amiss.
fn on_every_day() -> Vec<String> {
    // Republishing has its own test below; dead-lettering and redriving have theirs in `dead_letters.rs`.
    let elsewhere = ["republish.", "dead_letter.", "redrive."];
    let names: Vec<_> =
        names().into_iter().filter(|name| !elsewhere.iter().any(|theme| name.starts_with(theme))).collect();
    assert!(names.len() >= 13, "{names:?}");
    names
}

/// At which passing: the third effect, but not the third of the many answers.
fn passing(name: &str) -> u32 {
    match name {
        name if name.starts_with("responder.") => 200,
        name if name.starts_with("effect.") || name.contains("_effect_") => 3,
        _ => 20,
    }
}

/// Two lives for each place: one that ends there, one that mends what it left behind.
/// Scenario 12: what a dead publisher left is swept.
#[tokio::test(flavor = "multi_thread")]
async fn dying_at_any_named_place_loses_no_order_and_doubles_none() {
    let mut shop = Shop::start(&[]).await;
    let buying = Buying::begin(&shop, 4, 2000).await;
    for name in on_every_day() {
        shop.kill();
        let place = format!("{name}:{}", passing(&name));
        let status = shop.run_to_its_end(&[("SOUK_CRASH_AT", &place)]).await;
        assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{place}: {status}");
        shop.start_again().await;
        buying.progress(5).await;
    }
    println!("{:?}", buying.reconcile(&shop).await);
}

/// The stream is gone each time, and the node that republishes it dies: once the republish is recorded, between the
/// stream's confirmation and the checkpoint, and between the checkpoint and the next step.
#[tokio::test(flavor = "multi_thread")]
async fn dying_while_a_stream_is_filled_again_leaves_nothing_out() {
    let mut shop = Shop::start(&[]).await;
    let buying = Buying::begin(&shop, 2, 1000).await;
    let places: Vec<_> = names().into_iter().filter(|name| name.starts_with("republish.")).collect();
    assert_eq!(places.len(), 3, "{places:?}");
    for place in places {
        buying.progress(10).await;
        shop.kill();
        shop.with_servers_only(async || {
            let operator = jetstream::new(shop.nats_as("operator").await);
            operator.delete_stream("ORDERS").await.unwrap();
        })
        .await;
        let status = shop.run_to_its_end(&[("SOUK_CRASH_AT", &place)]).await;
        assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{place}: {status}");
        shop.start_again().await;
    }
    println!("{:?}", buying.reconcile(&shop).await);
    // Every event of the log is in the stream.
}
