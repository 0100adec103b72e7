//! Streams that lose what they had confirmed, and consumers whose place in them is gone.

use std::time::Instant;

use async_nats::{HeaderValue, jetstream};
use contract::EventHead;
use futures::TryStreamExt;
use rustix::process::Signal;

use crate::harness::{Buying, Person, Shop, copy, paid_order, send_signal, wait_until};

/// Orders one unit and does not wait for anything.
pub async fn order(buyer: &Person, variant: &str) -> String {
    let body = paid_order(variant);
    buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id")
}

async fn published(shop: &Shop, domain: &str) {
    let what = format!("the stream has confirmed the events of {domain}");
    wait_until(&what, || async { shop.number(domain, "select count(*) from outbox").await == 0 }).await;
}

/// Number and event of the last message of a stream.
async fn last_message(shop: &Shop, stream: &str) -> (u64, String) {
    let stream = jetstream::new(shop.nats_as("operator").await).get_stream(stream).await.unwrap();
    let last = stream.cached_info().state.last_sequence;
    (last, event_at(&stream, last).await)
}

async fn event_at(stream: &jetstream::stream::Stream, number: u64) -> String {
    stream.get_raw_message(number).await.unwrap().headers.get("ce-id").unwrap().to_string()
}

/// Publishes a message of the stream once more, at its end; only its owner may.
pub async fn publish_again(owner: &jetstream::Context, stream: &jetstream::stream::Stream, number: u64) {
    let message = stream.get_raw_message(number).await.unwrap();
    owner.publish_with_headers(message.subject, message.headers, message.payload).await.unwrap().await.unwrap();
}

/// Scenario 2: the publisher dies together with nats-server, which loses the newest messages; new events take the
/// numbers of the lost ones before any check. The consumer had not handled them.
#[tokio::test(flavor = "multi_thread")]
async fn newest_messages_that_are_lost_and_replaced_under_the_same_numbers_cost_no_order() {
    let mut shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(200, 1000).await, shop.customer().await);
    let before = order(&buyer, &variant).await;
    buyer.wait_for_status(&before, "confirmed").await;
    for domain in subjects::DOMAINS {
        published(&shop, domain).await;
    }
    let home = shop.stack().home;
    let (store, old) = (home.join("nats/store"), home.join("nats/store.old"));
    shop.without_nats(async || copy(&store, &old)).await;
    wait_until("the shop is ready again", || async { shop.anonymous().get("//health/ready").await.status == 200 })
        .await;

    // Inventory pulls what comes and can handle none of it.
    let mut inventory = shop.superuser("inventory").await;
    sqlx::raw_sql("begin; lock table inbox in access exclusive mode").execute(&mut inventory).await.unwrap();
    let mut unhandled = Vec::new();
    for _ in 0..20 {
        unhandled.push(order(&buyer, &variant).await);
    }
    published(&shop, "orders").await;
    let (number, lost) = last_message(&shop, "ORDERS").await;
    let nats = shop.nats_pid();
    shop.kill();
    send_signal(nats, Signal::KILL);
    sqlx::Connection::close(inventory).await.unwrap();
    std::fs::remove_dir_all(&store).unwrap();
    std::fs::rename(&old, &store).unwrap();

    // Others take the numbers before any domain is up.
    shop.with_servers_only(async || {
        let owner = jetstream::new(shop.nats_as("orders").await);
        let stream = owner.get_stream("ORDERS").await.unwrap();
        assert!(stream.cached_info().state.last_sequence < number, "the tail is still there");
        for taken in stream.cached_info().state.last_sequence..number + 3 {
            publish_again(&owner, &stream, taken % 2 + 1).await;
        }
    })
    .await;

    let began = Instant::now();
    shop.start_again().await;
    let mut later = Vec::new();
    for _ in 0..20 {
        later.push(order(&buyer, &variant).await);
    }
    for id in unhandled.iter().chain(&later) {
        buyer.wait_for_status(id, "confirmed").await;
    }
    println!("from the restart to the last order decided, a tail of 20 orders lost: {:?}", began.elapsed());
    let stream = jetstream::new(shop.nats_as("operator").await).get_stream("ORDERS").await.unwrap();
    assert_ne!(event_at(&stream, number).await, lost, "message {number} is still what it was");
    wait_until("the tail is filled again", || async {
        shop.metric("stream_republished_commits_total", &["domain=\"orders\""]).await >= 1.0
            && shop.number("orders", "select count(*) from republish").await == 0
    })
    .await;
    println!("from the restart until the stream is whole again: {:?}", began.elapsed());
    // Only the tail, not the whole log.
    let commits = shop.number("orders", "select count(*) from event_log").await;
    let republished = shop.metric("stream_republished_commits_total", &["domain=\"orders\""]).await;
    assert!(republished < commits as f64, "{republished} of {commits} commits");
}

/// A loss from the middle does not show in the last number. The consumer had not handled it.
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_in_the_middle_of_a_stream_costs_no_order_and_is_republished() {
    let shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(200, 1000).await, shop.customer().await);
    let operator = jetstream::new(shop.nats_as("operator").await);
    let before = order(&buyer, &variant).await;
    buyer.wait_for_status(&before, "confirmed").await;

    // Inventory pulls what comes and can handle none of it.
    let mut inventory = shop.superuser("inventory").await;
    sqlx::raw_sql("begin; lock table inbox in access exclusive mode").execute(&mut inventory).await.unwrap();
    let mut orders = Vec::new();
    for _ in 0..10 {
        orders.push(order(&buyer, &variant).await);
    }
    published(&shop, "orders").await;
    let (newest, _) = last_message(&shop, "ORDERS").await;
    let stream = operator.get_stream("ORDERS").await.unwrap();
    let mut lost = Vec::new();
    for number in newest - 6..newest - 2 {
        lost.push(event_at(&stream, number).await);
        stream.delete_message(number).await.unwrap();
    }
    let began = Instant::now();
    sqlx::Connection::close(inventory).await.unwrap();
    for id in &orders {
        buyer.wait_for_status(id, "confirmed").await;
    }
    wait_until("what was lost is at the stream's end", || async {
        let last = operator.get_stream("ORDERS").await.unwrap().cached_info().state.last_sequence;
        let mut there = Vec::new();
        for number in newest + 1..=last {
            there.push(event_at(&stream, number).await);
        }
        lost.iter().all(|id| there.contains(id))
    })
    .await;
    println!("from the loss until the stream is whole again: {:?}", began.elapsed());
}

/// A stream that a person has emptied looks like one that has grown old; a person has it filled again.
#[tokio::test]
async fn a_stream_is_filled_again_by_hand() {
    let shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(20, 1000).await, shop.customer().await);
    for _ in 0..3 {
        let id = order(&buyer, &variant).await;
        buyer.wait_for_status(&id, "confirmed").await;
    }
    published(&shop, "orders").await;
    let operator = jetstream::new(shop.nats_as("operator").await);
    let stream = operator.get_stream("ORDERS").await.unwrap();
    stream.purge().await.unwrap();
    let (ok, said) = shop.souk(&["replay", "orders"]).await;
    assert!(ok, "{said}");
    let events = "select count(*) from event_log l cross join lateral json_array_elements(l.events)";
    let events = u64::try_from(shop.number("orders", events).await).unwrap();
    wait_until("all of the log is in the stream", || async {
        operator.get_stream("ORDERS").await.unwrap().cached_info().state.messages == events
    })
    .await;
    let stock = shop.stock(&variant).await;
    assert_eq!((stock.number_at("/on_hand"), stock.number_at("/reserved")), (17, 0), "no event has a second effect");
}

/// Scenario 9: the broker forgets a consumer's place in a stream altogether.
#[tokio::test(flavor = "multi_thread")]
async fn durables_that_are_deleted_amid_orders_come_back_and_miss_nothing() {
    let shop = Shop::start(&[]).await;
    let buying = Buying::begin(&shop, 4, 500).await;
    let operator = jetstream::new(shop.nats_as("operator").await);
    for (stream, durable) in [
        ("ORDERS", "inventory-on-orders"),
        ("INVENTORY", "orders-on-inventory"),
        ("PAYMENTS", "orders-on-payments"),
        ("ORDERS", "payments-on-orders"),
    ] {
        buying.progress(10).await;
        let stream = operator.get_stream(stream).await.unwrap();
        stream.delete_consumer(durable).await.unwrap();
        let began = Instant::now();
        wait_until("the durable is there again", || async { stream.consumer_info(durable).await.is_ok() }).await;
        println!("{durable} was back after {:?}", began.elapsed());
    }
    buying.progress(10).await;
    println!("{:?}", buying.reconcile(&shop).await);
}

/// Scenario 13: events far below every cursor, whose inbox rows are long pruned, are published again and get new
/// numbers and new times in the stream.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_event_that_is_published_again_is_a_repeat_whatever_its_age() {
    let shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(50, 1000).await, shop.customer().await);
    for _ in 0..5 {
        let id = order(&buyer, &variant).await;
        buyer.wait_for_status(&id, "confirmed").await;
    }
    let rows = "select count(*) from inbox where source = 'orders' and name = 'placed'";
    wait_until("the inbox is pruned", || async { shop.number("inventory", rows).await == 0 }).await;
    let stock = shop.stock(&variant).await.body;

    let owner = jetstream::new(shop.nats_as("orders").await);
    let stream = owner.get_stream("ORDERS").await.unwrap();
    let last = stream.cached_info().state.last_sequence;
    let mut repeated = 0;
    for number in 1..=last {
        publish_again(&owner, &stream, number).await;
        repeated += 1;
    }
    assert!(repeated >= 15, "{repeated} events");
    // One more order is behind all of them in the stream.
    let id = order(&buyer, &variant).await;
    buyer.wait_for_status(&id, "confirmed").await;
    let delivered = shop.metric("events_delivered_total", &["domain=\"inventory\"", "source=\"orders\""]).await;
    assert!(delivered > f64::from(repeated), "the repeats were not delivered: {delivered}");
    wait_until("nothing is held any more", || async { shop.stock(&variant).await.number_at("/reserved") == 0 }).await;
    let now = shop.stock(&variant).await;
    assert_eq!(now.number_at("/on_hand"), stock["on_hand"].as_i64().unwrap() - 1);
}

/// Scenario 7: no consumer of the system waits for a republish; for external readers the newest events come first.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_stream_is_filled_newest_first() {
    let shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(20, 1000).await, shop.customer().await);
    for _ in 0..5 {
        let id = order(&buyer, &variant).await;
        buyer.wait_for_status(&id, "confirmed").await;
    }
    published(&shop, "orders").await;
    let operator = jetstream::new(shop.nats_as("operator").await);
    operator.delete_stream("ORDERS").await.unwrap();
    let events = "select count(*) from event_log l cross join lateral json_array_elements(l.events)";
    let events = u64::try_from(shop.number("orders", events).await).unwrap();
    wait_until("the stream is filled again", || async {
        operator.get_stream("ORDERS").await.is_ok_and(|stream| stream.cached_info().state.messages == events)
    })
    .await;
    let stream = operator.get_stream("ORDERS").await.unwrap();
    let mut positions = Vec::new();
    for number in 1..=events {
        let message = stream.get_raw_message(number).await.unwrap();
        let head = EventHead::read(|name| message.headers.get(name).map(HeaderValue::as_str)).unwrap();
        positions.push(head.position);
    }
    assert!(positions.is_sorted_by(|newer, older| newer >= older), "{positions:?}");
}

/// Scenario 12: nats-server is slow, not gone. What waits for its confirmation belongs to its publisher for as long as
/// its lease lasts: a sweep would only double the load.
#[tokio::test(flavor = "multi_thread")]
async fn the_sweep_leaves_a_publisher_alone_that_is_only_waiting() {
    let shop = Shop::start(&[]).await;
    let buying = Buying::begin(&shop, 4, 1000).await;
    let waiting = "select count(*) from outbox";
    for _ in 0..3 {
        buying.progress(10).await;
        send_signal(shop.nats_pid(), Signal::STOP);
        // Longer than a pass of the sweep, shorter than a lease: here the time itself is what is tested.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        let mut unconfirmed = 0;
        for domain in subjects::DOMAINS {
            unconfirmed += shop.number(domain, waiting).await;
        }
        send_signal(shop.nats_pid(), Signal::CONT);
        assert!(unconfirmed > 0, "nothing waits for its confirmation");
    }
    buying.progress(10).await;
    assert!(shop.metric("outbox_swept_total", &[]).await < 0.5, "a living publisher's commits were swept");
    buying.reconcile(&shop).await;
}

/// Scenario 14, and Scenario 15: JetStream holds facts only. A command, and the token in it, is stored in no stream, so
/// nothing old runs again; and nothing lives there alone, so that everything is still there when all of JetStream is
/// gone.
#[tokio::test(flavor = "multi_thread")]
async fn jetstream_holds_facts_without_tokens_and_nothing_that_is_nowhere_else() {
    let shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(20, 1000).await, shop.customer().await);
    let id = order(&buyer, &variant).await;
    buyer.wait_for_status(&id, "confirmed").await;
    let registry = shop.anonymous().get("/products?limit=100").await.expect_status(200).body;

    let operator = jetstream::new(shop.nats_as("operator").await);
    let mut names: Vec<String> = operator.stream_names().try_collect().await.unwrap();
    names.sort();
    let mut streams: Vec<String> = subjects::DOMAINS.iter().map(|domain| domain.to_uppercase()).collect();
    streams.sort();
    assert_eq!(names, streams, "a stream of something else than facts");
    for name in names {
        let stream = operator.get_stream(&name).await.unwrap();
        let subjects = &stream.cached_info().config.subjects;
        assert_eq!(*subjects, [format!("evt.{}.>", name.to_lowercase())]);
        for number in 1..=stream.cached_info().state.last_sequence {
            let message = stream.get_raw_message(number).await.unwrap();
            assert!(message.headers.get("Authorization").is_none(), "{name} {number} has a token");
            let body = String::from_utf8_lossy(&message.payload);
            assert!(!body.contains(buyer.token()), "{name} {number} has a token");
        }
    }

    shop.without_nats(async || shop.wipe_streams()).await;
    wait_until("the shop is ready again", || async { shop.anonymous().get("//health/ready").await.status == 200 })
        .await;
    assert_eq!(shop.anonymous().get("/products?limit=100").await.expect_status(200).body, registry);
    assert_eq!(buyer.order_status(&id).await, "confirmed");
    let later = order(&buyer, &variant).await;
    buyer.wait_for_status(&later, "confirmed").await;
}
