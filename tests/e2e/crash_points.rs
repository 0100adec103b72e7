//! The process dies at every place that the runtime names: before a commit, after it, between a publish and its
//! bookkeeping. Every accepted order still reaches its right ending.

use std::{collections::BTreeSet, os::unix::process::ExitStatusExt, path::Path};

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
    // Only a redrive passes there: `dead_letters.rs` has a life that ends so.
    names.retain(|name| !name.starts_with("redrive."));
    assert!(names.len() >= 10, "{names:?}");
    names
}

/// At which passing: the third effect, but not the third of the many answers.
fn passing(name: &str) -> u32 {
    match name {
        "responder.before_answer" => 200,
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
    for name in names() {
        shop.kill();
        let place = format!("{name}:{}", passing(&name));
        let status = shop.run_to_its_end(&[("SOUK_CRASH_AT", &place)]).await;
        assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{place}: {status}");
        shop.start_again().await;
        buying.progress(5).await;
    }
    println!("{:?}", buying.reconcile(&shop).await);
    shop.check_clean().await;
}
