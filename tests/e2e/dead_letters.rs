//! A message that cannot be handled is dead-lettered with its reason, does not affect its neighbours, and runs again
//! when an admin redrives it.

use std::{
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
};

use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Answer, NO_FILE, Person, Shop, paid_order, wait_until};

/// Runs `souk dead-letters ...` on the shop; gives whether it succeeded and what it said.
pub async fn dead_letters(shop: &Shop, arguments: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_souk"));
    command.arg("dead-letters").args(arguments).env("SOUK_HOME", shop.stack().home).stdin(Stdio::null());
    command.env_remove("NATS_URL").env_remove("DATABASE_URL").env("SOUK_CONFIG", NO_FILE);
    tokio::task::spawn_blocking(move || {
        let output = command.output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    })
    .await
    .unwrap()
}

/// A fault of inventory that only one thing meets.
async fn curse(shop: &Shop, variant: &str) {
    let curse = format!(
        "create function curse() returns trigger language plpgsql as
             $$ begin raise exception 'the shelf of % is cursed', new.variant_id; end $$;
         create trigger curse before insert on reservation_line for each row
             when (new.variant_id = '{variant}') execute function curse()"
    );
    shop.sql("inventory", curse).await;
}

/// The line of the dead-lettered event, once there is one.
async fn dead_lettered(shop: &Shop) -> String {
    wait_until("an event is dead-lettered", || async {
        shop.number("inventory", "select count(*) from dead_letter").await == 1
    })
    .await;
    let (ok, said) = dead_letters(shop, &["list"]).await;
    assert!(ok && said.ends_with("1 dead letter\n"), "{said}");
    said.lines().next().unwrap().to_owned()
}

async fn order(buyer: &Person, variant: &str) -> String {
    let body = paid_order(variant);
    buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id")
}

/// Scenario 4: a dead letter blocks nothing.
#[tokio::test]
async fn an_event_that_cannot_be_handled_is_dead_lettered_and_its_neighbours_go_through() {
    let shop = Shop::start(&[]).await;
    let (cursed, healthy) = (shop.product(5, 1000).await, shop.product(20, 1000).await);
    let buyer = shop.customer().await;
    curse(&shop, &cursed).await;

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

    let line = dead_lettered(&shop).await;
    assert!(line.starts_with("inventory  ") && line.contains("  event  orders.placed  5 attempts  "), "{line}");
    assert!(line.contains(&format!("  {unlucky}  ")), "{line}");
    assert!(line.contains(&format!("the shelf of {cursed} is cursed")), "{line}");
    let labels = ["domain=\"inventory\"", "source=\"orders\""];
    assert!((shop.metric("dead_letters_total", &labels).await - 1.0).abs() < 0.5);
    let waiting = async || shop.metric("dead_letters", &labels[..1]).await;
    wait_until("the metrics tell that one waits", || async { (waiting().await - 1.0).abs() < 0.5 }).await;
    assert_eq!(buyer.order_status(&unlucky).await, "pending");
    let checked = shop.check().await;
    assert!(
        checked.violations().iter().any(|(check, _)| check == "dead_letters"),
        "{:#}",
        checked.report["violations"]
    );
    // The lane of the unlucky one still works.
    let later = order(&buyer, &healthy).await;
    buyer.wait_for_status(&later, "confirmed").await;

    // Redriven before its cause is gone it is dead-lettered again, and listed as before.
    let id = line.split_whitespace().nth(1).unwrap().to_owned();
    let (ok, said) = dead_letters(&shop, &["redrive", "inventory", &id]).await;
    assert!(ok && said.contains("handled again"), "{said}");
    wait_until("it is dead-lettered again", || async { shop.metric("dead_letters_total", &labels).await > 1.5 }).await;
    let line = dead_lettered(&shop).await;
    assert!(line.contains(&id) && line.contains("  6 attempts  "), "{line}");
    let (ok, said) = dead_letters(&shop, &["redrive", "orders", &id]).await;
    assert!(!ok && said.contains("orders has no dead letter"), "{said}");

    // Without its cause it goes through, once.
    shop.sql("inventory", "drop trigger curse on reservation_line").await;
    let (ok, said) = dead_letters(&shop, &["redrive", "inventory", &id]).await;
    assert!(ok, "{said}");
    buyer.wait_for_status(&unlucky, "confirmed").await;
    let (ok, said) = dead_letters(&shop, &["list"]).await;
    assert!(ok && said == "0 dead letters\n", "{said}");
    let (ok, _) = dead_letters(&shop, &["redrive", "inventory", &id]).await;
    assert!(!ok, "it is no longer dead-lettered");
    wait_until("the metrics show that none waits", || async { waiting().await < 0.5 }).await;
    wait_until("both are sold", || async {
        shop.stock(&cursed).await.number_at("/on_hand") == 4 && shop.stock(&healthy).await.number_at("/on_hand") == 11
    })
    .await;
}

#[tokio::test]
async fn only_admins_list_and_redrive_over_http() {
    let shop = Shop::start(&[]).await;
    let (admin, buyer) = (shop.admin().await, shop.customer().await);
    let cursed = shop.product(5, 1000).await;
    curse(&shop, &cursed).await;
    let mut unlucky = Vec::new();
    for _ in 0..3 {
        unlucky.push(order(&buyer, &cursed).await);
    }
    let list = "/admin/dead-letters?domain=inventory";
    wait_until("all are dead-lettered", || async { admin.get(list).await.number_at("/pagination/total") == 3 }).await;

    // The page as every other: the oldest first, by offset or cursor.
    let all = admin.get(list).await.expect_status(200);
    let letters = all.body["data"].as_array().unwrap();
    let ids: Vec<&str> = letters.iter().map(|letter| letter["id"].as_str().unwrap()).collect();
    assert_eq!((ids.len(), all.body["pagination"].get("next_cursor")), (3, None), "{}", all.body);
    for letter in letters {
        assert_eq!(
            (&letter["kind"], &letter["source"], &letter["name"], &letter["attempts"]),
            (&json!("event"), &json!("orders"), &json!("placed"), &json!(5))
        );
        assert!(unlucky.iter().any(|order| letter["entity"] == **order), "{letter}");
        assert!(letter["reason"].as_str().unwrap().contains(&format!("the shelf of {cursed} is cursed")), "{letter}");
        let dead_lettered_at: chrono::DateTime<chrono::Utc> =
            letter["dead_lettered_at"].as_str().unwrap().parse().unwrap();
        assert!((chrono::Utc::now() - dead_lettered_at).num_seconds().abs() < 300, "{letter}");
    }
    let first = admin.get(&format!("{list}&limit=2")).await.expect_status(200);
    assert_eq!(first.body["data"], json!(letters[..2]));
    let cursor = first.text_at("/pagination/next_cursor");
    let second = admin.get(&format!("{list}&limit=2&cursor={cursor}")).await.expect_status(200);
    assert_eq!((&second.body["data"], second.number_at("/pagination/total")), (&json!(letters[2..]), 3));
    assert!(second.body["pagination"].get("next_cursor").is_none());
    let cursor = second.text_at("/pagination/prev_cursor");
    let back = admin.get(&format!("{list}&limit=2&cursor={cursor}")).await.expect_status(200);
    assert_eq!(back.body["data"], json!(letters[..2]));
    let skipped = admin.get(&format!("{list}&offset=1")).await.expect_status(200);
    assert_eq!(skipped.body["data"], json!(letters[1..]));
    let others = admin.get("/admin/dead-letters?domain=carts").await.expect_status(200);
    assert_eq!((&others.body["data"], others.number_at("/pagination/total")), (&json!([]), 0));

    // For admins only, over HTTP and NATS: the domain verifies the token itself.
    let redrive = format!("/admin/dead-letters/inventory/{}/redrive", ids[0]);
    let nothing = json!({});
    for (person, status, code) in [(&shop.anonymous(), 401, "unauthenticated"), (&buyer, 403, "forbidden")] {
        person.get(list).await.expect_error(status, code);
        person.post(&redrive, &nothing).await.expect_error(status, code);
    }
    shop.seller().await.get(list).await.expect_error(403, "forbidden");
    let nats = shop.nats_as("gateway").await;
    for (operation, body) in [("list_dead_letters", json!({})), ("redrive_dead_letter", json!({ "id": ids[0] }))] {
        let subject = format!("req.inventory.{operation}");
        let rejected = nats.request(subject.clone(), body.to_string().into()).await.unwrap();
        assert!(String::from_utf8_lossy(&rejected.payload).contains("\"unauthenticated\""), "{rejected:?}");
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Authorization", format!("Bearer {}", buyer.token()));
        let rejected = nats.request_with_headers(subject, headers, body.to_string().into()).await.unwrap();
        assert!(String::from_utf8_lossy(&rejected.payload).contains("\"forbidden\""), "{rejected:?}");
    }

    // A rejection of invalid input names the field.
    let wrong = [
        (admin.get("/admin/dead-letters").await.expect_error(400, "invalid_query"), "domain"),
        (admin.get("/admin/dead-letters?domain=shelves").await.expect_error(400, "invalid_query"), "domain"),
        (admin.get(&format!("{list}&limit=101")).await.expect_error(400, "invalid_query"), "limit"),
        (admin.get(&format!("{list}&cursor=x")).await.expect_error(400, "invalid_cursor"), "cursor"),
        (admin.post(&redrive.replace("inventory", "shelves"), &nothing).await.expect_error(404, "not_found"), "domain"),
        (admin.post(&redrive.replace(ids[0], "7"), &nothing).await.expect_error(404, "not_found"), "id"),
        (admin.post(&redrive.replace("inventory", "orders"), &nothing).await, "id"),
    ];
    for (answer, field) in &wrong {
        assert_eq!(answer.body["details"][0]["field"], *field, "{}", answer.body);
    }
    assert_eq!((wrong[6].0.status, wrong[6].0.text_at("/code")), (404, "dead_letter_not_found".into()));

    // Before the cause is gone: dead-lettered again, behind the others, with one more attempt.
    let again = redriven(&admin, &redrive, "too early").await.expect_status(202);
    assert_eq!((again.body.clone(), again.header("idempotent-replayed")), (letters[0].clone(), None));
    wait_until("it is dead-lettered again", || async {
        let page = admin.get(list).await.expect_status(200);
        page.text_at("/data/2/id") == ids[0] && page.number_at("/data/2/attempts") == 6
    })
    .await;
    // The same key again is the same redrive: the reply is replayed, nothing runs; and the key belongs to its event.
    let replayed = redriven(&admin, &redrive, "too early").await.expect_status(202);
    assert_eq!((&replayed.body, replayed.header("idempotent-replayed")), (&again.body, Some("true")));
    let other = redrive.replace(ids[0], ids[1]);
    redriven(&admin, &other, "too early").await.expect_error(422, "command_id_reused");

    // Without the cause each is handled once, however often and by however many it is asked for.
    shop.sql("inventory", "drop trigger curse on reservation_line").await;
    for id in &ids {
        let path = redrive.replace(ids[0], id);
        let answers = futures::future::join_all((0..4).map(|number| {
            let (admin, path) = (admin.clone(), path.clone());
            async move { redriven(&admin, &path, &format!("{path} {}", number / 2)).await }
        }))
        .await;
        assert!(answers.iter().any(|answer| answer.status == 202), "{answers:?}");
        assert!(answers.iter().all(|answer| [202, 404].contains(&answer.status)), "{answers:?}");
    }
    for order in &unlucky {
        buyer.wait_for_status(order, "confirmed").await;
    }
    assert_eq!(admin.get(list).await.number_at("/pagination/total"), 0);
    redriven(&admin, &redrive, "too late").await.expect_error(404, "dead_letter_not_found");
    wait_until("three are sold", || async { shop.stock(&cursed).await.number_at("/on_hand") == 2 }).await;
}

async fn redriven(admin: &Person, path: &str, key: &str) -> Answer {
    let key = key.replace(' ', "-");
    admin.request(Method::POST, path, None, &[("Idempotency-Key", &key)]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redrive_whose_node_died_before_it_began_is_made_up_for_by_the_same_key() {
    let mut shop = Shop::start(&[]).await;
    let cursed = shop.product(5, 1000).await;
    let buyer = shop.customer().await;
    curse(&shop, &cursed).await;
    let unlucky = order(&buyer, &cursed).await;
    let id = dead_lettered(&shop).await.split_whitespace().nth(1).unwrap().to_owned();
    shop.sql("inventory", "drop trigger curse on reservation_line").await;
    let path = format!("/admin/dead-letters/inventory/{id}/redrive");

    shop.kill();
    shop.start_again_with(&[("SOUK_CRASH_AT", "redrive.before_dispatch")]).await;
    let admin = shop.admin().await;
    let lost = admin.try_post(&path, &json!({}), &[("Idempotency-Key", "once")]).await;
    assert!(lost.is_none_or(|answer| answer.status >= 500), "no process was left to answer");
    wait_until("the shop dies", || async { shop.has_died() }).await;
    shop.kill();
    shop.start_again().await;

    assert_eq!(buyer.order_status(&unlucky).await, "pending");
    let made_up_for = redriven(&admin, &path, "once").await.expect_status(202);
    assert_eq!(made_up_for.header("idempotent-replayed"), Some("true"));
    buyer.wait_for_status(&unlucky, "confirmed").await;
}

/// Dead-lettered exactly once, by whichever process survives; the neighbours go through meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_on_either_side_of_dead_lettering_dead_letters_once() {
    let mut shop = Shop::start(&[]).await;
    let (cursed, healthy) = (shop.product(5, 1000).await, shop.product(5, 1000).await);
    let buyer = shop.customer().await;
    curse(&shop, &cursed).await;
    let unlucky = order(&buyer, &cursed).await;
    shop.kill();
    for place in ["dead_letter.before_commit", "dead_letter.after_commit"] {
        let status = shop.run_to_its_end(&[("SOUK_CRASH_AT", place)]).await;
        assert_eq!(status.signal(), Some(Signal::ABORT.as_raw()), "{place}: {status}");
    }
    shop.start_again().await;
    let lucky = order(&buyer, &healthy).await;
    buyer.wait_for_status(&lucky, "confirmed").await;
    let id = dead_lettered(&shop).await.split_whitespace().nth(1).unwrap().to_owned();
    assert_eq!(shop.number("inventory", "select count(*) from dead_letter").await, 1);
    shop.sql("inventory", "drop trigger curse on reservation_line").await;
    let (ok, said) = dead_letters(&shop, &["redrive", "inventory", &id]).await;
    assert!(ok, "{said}");
    buyer.wait_for_status(&unlucky, "confirmed").await;
}
