//! Gateways that replace each other on one listening socket, under load. No client here sends anything twice: a request
//! without an answer is a failure, whatever the client could have done about it.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;

use crate::harness::{Connection, Gateways, Person, Received, address, wait_until};

/// A quarter of it is the notice that clients are given before idle connections are closed.
const DRAIN: Duration = Duration::from_secs(8);

/// What all visitors see together.
#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    requests: AtomicUsize,
    /// Answers that asked their client to leave.
    partings: AtomicUsize,
    failures: Mutex<Vec<String>>,
}

/// How a visitor uses connections.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Habit {
    /// Keeps one until the gateway closes it.
    Keeps,
    /// The same, and is quiet for a while between its requests: most of what it keeps is idle when a gateway leaves.
    Seldom,
    /// A new one for every request.
    Fresh,
}

async fn visit(seen: Arc<Seen>, url: String, person: Person, variant: String, habit: Habit) {
    let order = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address(),
        "payment": {"method": "pm_card_visa"}});
    let line = json!({"variant_id": variant, "quantity": 1});
    let mut connection = None;
    while !seen.stop.load(Ordering::Relaxed) {
        let visits = [
            ("GET", "/products?limit=5", None),
            ("POST", "/cart/items", Some(&line)),
            ("GET", "/cart", None),
            ("POST", "/orders", Some(&order)),
            ("GET", "/orders?limit=2", None),
        ];
        for (method, path, body) in visits {
            let key = uuid::Uuid::now_v7().to_string();
            let answered: io::Result<Received> = async {
                let mut open = match connection.take() {
                    Some(open) => open,
                    None => Connection::open(&url).await?,
                };
                let answer = open.ask(&person, method, path, body, &[("Idempotency-Key", &key)]).await?;
                if answer.is_last() {
                    seen.partings.fetch_add(1, Ordering::Relaxed);
                    open.ended().await?;
                } else if habit != Habit::Fresh {
                    connection = Some(open);
                }
                Ok(answer)
            }
            .await;
            match answered {
                Ok(answer) if answer.status < 400 => {}
                other => seen.failures.lock().unwrap().push(format!("{method} {path}: {other:?}")),
            }
            seen.requests.fetch_add(1, Ordering::Relaxed);
            if habit == Habit::Seldom {
                tokio::time::sleep(DRAIN / 8).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Scenario 26: gateways are replaced under load, and no request fails.
#[tokio::test(flavor = "multi_thread")]
async fn gateways_that_replace_each_other_on_one_socket_fail_no_request() {
    let mut gateways = Gateways::start(&[("SOUK_DRAIN_SECONDS", &DRAIN.as_secs().to_string())]).await;
    let url = gateways.shop.url.clone();
    let variant = gateways.shop.product(100_000, 100).await;
    let seen = Arc::<Seen>::default();
    let mut visitors = Vec::new();
    for number in 0..12 {
        let habit = [Habit::Keeps, Habit::Seldom, Habit::Fresh][number % 3];
        let person = gateways.shop.customer().await;
        visitors.push(tokio::spawn(visit(seen.clone(), url.clone(), person, variant.clone(), habit)));
    }
    let more = async |count: usize| {
        let wanted = seen.requests.load(Ordering::Relaxed) + count;
        wait_until("visits go on", || async { seen.requests.load(Ordering::Relaxed) >= wanted }).await;
    };
    let idler = gateways.shop.customer().await;
    for _ in 0..3 {
        more(50).await;
        let mut idle = Connection::open(&url).await.unwrap();
        assert!(!idle.ask(&idler, "GET", "/cart", None, &[]).await.unwrap().is_last(), "the connection is kept");
        let partings = seen.partings.load(Ordering::Relaxed);

        let old = gateways.succeed().await;
        // Both answer now; the old one has most of the kept connections, and closes them all.
        more(20).await;
        old.terminate();
        let stopped_at = Instant::now();
        let looker = Person::new(old.metrics());
        wait_until("it is not ready any more", || async { looker.try_get("//health/ready").await == Some(503) }).await;
        more(50).await;
        // Who has said nothing for the whole notice is let go, in order.
        idle.ended().await.unwrap();
        assert!(stopped_at.elapsed() >= DRAIN / 4, "an idle connection had {:?}", stopped_at.elapsed());
        assert!(old.left().await.success());
        assert!(stopped_at.elapsed() < DRAIN + Duration::from_secs(2), "it took {:?} to leave", stopped_at.elapsed());
        assert!(seen.partings.load(Ordering::Relaxed) > partings, "no connection was closed");
    }
    more(50).await;
    seen.stop.store(true, Ordering::Relaxed);
    for visitor in visitors {
        visitor.await.unwrap();
    }
    let failures = std::mem::take(&mut *seen.failures.lock().unwrap());
    let requests = seen.requests.load(Ordering::Relaxed);
    assert!(failures.is_empty(), "{} of {requests}: {failures:#?}", failures.len());
    println!("{requests} requests, {} partings", seen.partings.load(Ordering::Relaxed));
    wait_until("nothing is held any more", || async {
        gateways.shop.stock(&variant).await.number_at("/reserved") == 0
    })
    .await;
}
