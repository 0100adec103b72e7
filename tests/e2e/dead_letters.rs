//! A message that cannot be handled is parked with its reason, harms no neighbour, and gets its second chance from a
//! person.

use std::process::{Command, Stdio};

use serde_json::json;

use crate::harness::{Person, Shop, address, wait_until};

/// Runs `souk dead-letters ...` on the shop; gives whether it succeeded and what it said.
async fn dead_letters(shop: &Shop, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
    command.arg("dead-letters").args(arguments).env("SOUK_HOME", shop.stack().home).stdin(Stdio::null());
    command.env_remove("NATS_URL").env_remove("DATABASE_URL");
    tokio::task::spawn_blocking(move || {
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    })
    .await
    .unwrap()
}

/// The one line about a parked event, once there is one.
async fn parked(shop: &Shop) -> String {
    wait_until("an event is parked", || async {
        shop.number("inventory", "select count(*) from dead_letter").await == 1
    })
    .await;
    let (ok, said) = dead_letters(shop, &["list"]).await;
    assert!(ok && said.ends_with("1 parked\n"), "{said}");
    said.lines().next().unwrap().to_owned()
}

async fn order(buyer: &Person, variant: &str) -> String {
    let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address(),
        "payment": {"method": "pm_card_visa"}});
    buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id")
}

/// Scenario 4: what is parked blocks nobody.
#[tokio::test]
async fn an_event_that_cannot_be_handled_is_parked_and_its_neighbours_go_through() {
    let shop = Shop::start(&[]).await;
    let (cursed, healthy) = (shop.product(5, 1000).await, shop.product(20, 1000).await);
    let buyer = shop.customer().await;
    // A fault of the domain that only one thing meets.
    let curse = format!(
        "create function curse() returns trigger language plpgsql as
             $$ begin raise exception 'the shelf of % is cursed', new.variant_id; end $$;
         create trigger curse before insert on reservation_line for each row
             when (new.variant_id = '{cursed}') execute function curse()"
    );
    shop.sql("inventory", curse).await;

    let mut neighbours = Vec::new();
    let mut unlucky = String::new();
    for number in 0..8 {
        if number == 3 {
            unlucky = order(&buyer, &cursed).await;
        }
        neighbours.push(order(&buyer, &healthy).await);
    }
    for id in &neighbours {
        buyer.wait_for_status(id, "confirmed").await;
    }

    let line = parked(&shop).await;
    assert!(line.starts_with("inventory  ") && line.contains("  orders.placed  5 attempts  "), "{line}");
    assert!(line.contains(&format!("the shelf of {cursed} is cursed")), "{line}");
    let labels = ["domain=\"inventory\"", "source=\"orders\""];
    assert!((shop.metric("dead_letters_total", &labels).await - 1.0).abs() < 0.5);
    assert_eq!(buyer.order_status(&unlucky).await, "pending");
    let checked = shop.check().await;
    assert!(checked.faults().iter().any(|(check, _)| check == "dead_letters"), "{:#}", checked.report["faults"]);
    // The lane of the unlucky one still works.
    let later = order(&buyer, &healthy).await;
    buyer.wait_for_status(&later, "confirmed").await;

    // Redriven before its cause is gone it is parked again, and listed as before.
    let id = line.split_whitespace().nth(1).unwrap().to_owned();
    let (ok, said) = dead_letters(&shop, &["redrive", "inventory", &id]).await;
    assert!(ok && said.contains("handled again"), "{said}");
    wait_until("it is parked once more", || async { shop.metric("dead_letters_total", &labels).await > 1.5 }).await;
    assert!(parked(&shop).await.contains(&id));
    let (ok, said) = dead_letters(&shop, &["redrive", "orders", &id]).await;
    assert!(!ok && said.contains("orders has not parked"), "{said}");

    // Without its cause it goes through, once.
    shop.sql("inventory", "drop trigger curse on reservation_line").await;
    let (ok, said) = dead_letters(&shop, &["redrive", "inventory", &id]).await;
    assert!(ok, "{said}");
    buyer.wait_for_status(&unlucky, "confirmed").await;
    let (ok, said) = dead_letters(&shop, &["list"]).await;
    assert!(ok && said == "0 parked\n", "{said}");
    let (ok, _) = dead_letters(&shop, &["redrive", "inventory", &id]).await;
    assert!(!ok, "it is parked no more");
    wait_until("both are sold", || async {
        shop.stock(&cursed).await.number_at("/on_hand") == 4 && shop.stock(&healthy).await.number_at("/on_hand") == 11
    })
    .await;
    shop.check_clean().await;
}
