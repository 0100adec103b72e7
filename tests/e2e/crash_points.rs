//! The process dies at every place that the runtime names: before a commit, after it, between a publish and its
//! bookkeeping. Every accepted order still reaches its right ending.

use std::{collections::BTreeSet, path::Path};

use crate::harness::{Buying, Shop, wait_until};

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
    assert!(names.len() >= 10, "{names:?}");
    names
}

/// At which passing: late enough for the start, where such places are passed too, to be over.
fn passing(name: &str) -> u32 {
    match name {
        "responder.before_answer" => 150,
        name if name.starts_with("effect.") || name.contains("_effect_") => 5,
        _ => 30,
    }
}

/// One life after another: each ends at a place of its own, and the next one mends what it left behind.
#[tokio::test(flavor = "multi_thread")]
async fn dying_at_any_named_place_loses_no_order_and_doubles_none() {
    let mut shop = Shop::start(&[]).await;
    let buying = Buying::begin(&shop, 4, 2000).await;
    for name in names() {
        shop.kill();
        let place = format!("{name}:{}", passing(&name));
        shop.start_again_with(&[("SOUK_CRASH_AT", &place)]).await;
        wait_until(&format!("the shop dies at {place}"), || async { shop.has_died() }).await;
    }
    shop.kill();
    shop.start_again().await;
    buying.progress(5).await;
    println!("{:?}", buying.reconcile(&shop).await);
    shop.check_clean().await;
}
