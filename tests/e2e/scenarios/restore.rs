//! One domain's database comes from a backup of minutes ago, its server started anew, while all others go on.

use std::time::Instant;

use serde_json::json;

use super::streams::order;
use crate::harness::{Restorable, wait_until};

/// Scenario 2, its second half: inventory's database goes back, its inbox with it, its place in the broker does not. It
/// receives again what others emitted; what it had emitted itself, and does not emit again, is named. Scenario 25: what
/// it emits a second time has the same ids, and no consumer handles it as new.
#[tokio::test(flavor = "multi_thread")]
async fn a_restored_consumer_gets_everything_again_and_what_its_own_log_lost_is_named() {
    let mut world = Restorable::start("inventory").await;
    let (counted, sold) = (world.shop.product(10, 1000).await, world.shop.product(50, 1000).await);
    let buyer = world.shop.customer().await;
    let early = order(&buyer, &sold).await;
    buyer.wait_for_status(&early, "confirmed").await;
    world.back_up().await;

    // After the backup: orders, whose events others have kept, and a count by hand, which only inventory knew.
    let mut orders = vec![early];
    for _ in 0..8 {
        let id = order(&buyer, &sold).await;
        buyer.wait_for_status(&id, "confirmed").await;
        orders.push(id);
    }
    let seller = world.shop.seller().await;
    let path = format!("/inventory/{counted}");
    seller.put(&path, &json!({"on_hand": 99})).await.expect_status(200);
    let shown = format!("select available from variant_stock where variant_id = '{counted}'");
    wait_until("catalog knows the count", || async { world.shop.number("catalog", shown.clone()).await == 99 }).await;
    let before = world.check().await;
    assert!(before.is_success, "{:#}", before.report["violations"]);

    let began = Instant::now();
    world.restore().await;
    println!("the restore itself, with two starts, took {:?}", began.elapsed());
    let began = Instant::now();
    for _ in 0..8 {
        let id = order(&buyer, &sold).await;
        buyer.wait_for_status(&id, "confirmed").await;
        orders.push(id);
    }
    let taken = "select count(*) from reservation where status = 'committed'";
    let all = i64::try_from(orders.len()).unwrap();
    wait_until("every order has its goods again", || async { world.number(taken).await == all }).await;
    println!("from the start of the restored node until every order had its goods: {:?}", began.elapsed());
    let stock = world.shop.stock(&sold).await;
    assert_eq!((stock.number_at("/on_hand"), stock.number_at("/reserved")), (50 - all, 0));
    for id in &orders {
        assert_eq!(buyer.order_status(id).await, "confirmed");
    }

    let after = world.check().await;
    assert!(!after.is_success, "nothing is said of the count that was lost");
    let named = after.violations();
    let variant = format!("variant {counted}");
    assert!(named.contains(&("projections".to_owned(), variant)), "{named:?}");
    let violations = after.report["violations"].as_array().unwrap();
    let lost = violations.iter().filter(|violation| violation["check"] == "streams");
    let lost: Vec<&str> = lost.map(|violation| violation["text"].as_str().unwrap()).collect();
    assert!(!lost.is_empty() && lost.iter().all(|text| text.contains("a restore of the database")), "{violations:#?}");
    // Goods, money and every order are as they should be.
    assert!(named.iter().all(|(check, _)| check == "projections" || check == "streams"), "{named:?}");

    // The newer count, which inventory has lost, has a higher version than anything that inventory will emit.
    assert_eq!(world.shop.number("catalog", shown.clone()).await, 99);
    let (ok, said) = world.shop.souk(&["replay", "inventory", "--into", "catalog"]).await;
    assert!(ok, "{said}");
    wait_until("catalog shows what there is", || async { world.shop.number("catalog", shown.clone()).await == 10 })
        .await;
    let second = world.check().await;
    assert!(second.violations().iter().all(|(check, _)| check == "streams"), "{:#}", second.report["violations"]);
}
