//! More than the shop can take: it says so at once, keeps its promises to those it let in, and does not grow.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use futures::StreamExt;
use serde_json::Value;

use crate::harness::{Connection, Person, Received, Shop, paid_order, wait_until};

/// So many times what the shop takes is offered.
const OVERLOAD: f64 = 10.0;
/// A storm takes so long, and has so many requests at most.
const STORM: Duration = Duration::from_secs(3);
const REQUESTS: f64 = 8000.0;
/// So many at once are let in, however slow the answers are.
const AT_LEAST: usize = 32;
/// How long a command may take: what the gateway gives it.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long a read may take: what the gateway gives it.
const READ_DEADLINE: Duration = Duration::from_secs(5);
/// Nine of ten rejections have arrived by then: without a queue, on a machine that also generates the load.
const AT_ONCE: Duration = Duration::from_secs(2);

/// What a storm may cost in memory: the connections of those who make it, and of each request no more than its answer.
const MOST_MEMORY: u64 = 128 << 20;

/// What became of one storm.
#[derive(Debug)]
struct Storm {
    accepted: usize,
    /// The slowest accepted one.
    slowest: Duration,
    turned_down: usize,
    /// When nine of ten rejections had arrived.
    known: Duration,
    /// The most memory that the shop was seen to hold, in bytes.
    memory: u64,
    /// The slowest read of another domain meanwhile.
    slowest_read: Duration,
}

async fn place(connection: &mut Connection, person: &Person, variant: &str) -> (Received, Duration) {
    let order = paid_order(variant);
    let key = uuid::Uuid::now_v7().to_string();
    let began = Instant::now();
    let answer = connection.ask(person, "POST", "/orders", Some(&order), &[("Idempotency-Key", &key)]).await;
    // No connection is cut off: a rejection is an answer too.
    (answer.unwrap(), began.elapsed())
}

/// What the shop takes: requests per second, where as many at once as it always lets in each wait for their answer
/// before the next.
async fn closed_loop(shop: &Shop, people: &[Person], variant: &str) -> f64 {
    let began = Instant::now();
    let each = people.iter().cycle().take(AT_LEAST).map(async |person| {
        let mut connection = Connection::open(&shop.url).await.unwrap();
        let mut answered = 0_u32;
        while began.elapsed() < Duration::from_secs(2) {
            let (answer, _) = place(&mut connection, person, variant).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            answered += 1;
        }
        answered
    });
    let answered: u32 = futures::future::join_all(each).await.into_iter().sum();
    f64::from(answered) / began.elapsed().as_secs_f64()
}

/// Offers requests at a rate, whether the earlier ones were answered or not.
async fn open_loop(shop: &Shop, people: &[Person], variant: &str, rate: f64) -> Vec<(Received, Duration)> {
    let idle = Arc::<Mutex<Vec<Connection>>>::default();
    let total = (rate * STORM.as_secs_f64()).min(REQUESTS);
    let (began, mut offered) = (tokio::time::Instant::now(), Vec::new());
    for (number, person) in people.iter().cycle().enumerate().take_while(|(number, _)| (*number as f64) < total) {
        tokio::time::sleep_until(began + Duration::from_secs_f64(number as f64 / rate)).await;
        let (idle, url, person, variant) = (idle.clone(), shop.url.clone(), person.clone(), variant.to_owned());
        offered.push(tokio::spawn(async move {
            let free = idle.lock().unwrap().pop();
            let mut connection = match free {
                Some(connection) => connection,
                None => Connection::open(&url).await.unwrap(),
            };
            let answered = place(&mut connection, &person, &variant).await;
            idle.lock().unwrap().push(connection);
            answered
        }));
        // Behind its schedule this loop never waits, and what watches the memory would not be polled.
        tokio::task::yield_now().await;
    }
    let mut answers = Vec::new();
    for one in offered {
        answers.push(one.await.unwrap());
    }
    answers
}

/// Reads another domain until the storm is over, the last read included: reads are served throughout. On a thread of
/// its own, so that the thousands of clients of the storm do not delay it.
fn slowest_read(visitor: &Person, is_over: &AtomicBool) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut slowest = Duration::ZERO;
        while !is_over.load(Ordering::Relaxed) {
            let began = Instant::now();
            visitor.get("/products?limit=1").await.expect_status(200);
            slowest = slowest.max(began.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        slowest
    })
}

/// A storm, judged by each of its answers.
async fn storm(shop: &Shop, people: &[Person], variant: &str, rate: f64) -> Storm {
    let memory = AtomicU64::default();
    let watching = async {
        loop {
            memory.fetch_max(shop.memory(), Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (visitor, is_over) = (shop.anonymous(), is_over.clone());
        move || slowest_read(&visitor, &is_over)
    });
    let answers = tokio::select! {
        answers = open_loop(shop, people, variant, rate) => answers,
        () = watching => unreachable!(),
    };
    is_over.store(true, Ordering::Relaxed);
    let slowest_read = reader.join().expect("a read of another domain failed");
    let (mut accepted, mut turned_down) = (Vec::new(), Vec::new());
    for (answer, took) in answers {
        match answer.status {
            201 => accepted.push(took),
            _ => {
                expect_rejection(&answer);
                turned_down.push(took);
            }
        }
    }
    turned_down.sort_unstable();
    Storm {
        accepted: accepted.len(),
        slowest: accepted.iter().max().copied().unwrap_or_default(),
        turned_down: turned_down.len(),
        known: turned_down[turned_down.len() * 9 / 10],
        memory: memory.into_inner(),
        slowest_read,
    }
}

/// 503, when to come back, and the one shape of errors.
fn expect_rejection(answer: &Received) {
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.headers["retry-after"].parse::<u32>().is_ok(), "{answer:?}");
    let body: BTreeMap<String, Value> = serde_json::from_str(&answer.body).unwrap();
    let fields: Vec<_> = body.keys().map(String::as_str).collect();
    assert_eq!(fields, ["code", "details", "message", "request_id", "service", "success"]);
    assert_eq!(body["code"], "overloaded", "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_times_the_load_is_rejected_at_once_served_in_time_and_leaves_nothing_behind() {
    let shop = Shop::start(&[]).await;
    let variant = shop.product(1_000_000, 100).await;
    let mut people = Vec::new();
    for _ in 0..8 {
        people.push(shop.customer().await);
    }
    let rate = closed_loop(&shop, &people, &variant).await;
    // Warm, and with as much to do as it takes.
    let warm = shop.memory();
    let first = storm(&shop, &people, &variant, rate * OVERLOAD).await;
    let second = storm(&shop, &people, &variant, rate * OVERLOAD).await;
    println!("{rate:.0} orders/s are taken, {warm} bytes held; ten times that: {first:?}, {second:?}");
    for storm in [&first, &second] {
        assert!(storm.slowest < DEADLINE, "an accepted order took too long: {storm:?}");
        assert!(storm.accepted > 0 && storm.turned_down > 0, "{storm:?}");
        assert!(storm.known < AT_ONCE, "a rejection waited: {storm:?}");
        assert!(storm.slowest_read < READ_DEADLINE, "reads of another domain starve: {storm:?}");
    }
    assert!(second.memory < first.memory * 13 / 10, "it grows: {first:?} {second:?}");
    for storm in [&first, &second] {
        assert!(storm.memory < warm + MOST_MEMORY, "it holds on to what it cannot do: {warm} bytes, then {storm:?}");
    }

    // It is over, and everything is as before.
    closed_loop(&shop, &people, &variant).await;
    wait_until("nothing is held any more", || async { shop.stock(&variant).await.number_at("/reserved") == 0 }).await;
}

/// So many queries of a domain are answered at once by a node.
const ADMITTED: usize = 512;
const FLOOD: usize = 4000;

/// Past the gateway, whose limit is lower: a domain that is flooded over NATS applies its own limit. The admitted
/// queries wait for a lock, so all others must be rejected, and before any of those has its answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_is_flooded_over_nats_rejects_requests_itself() {
    let shop = Shop::start(&[]).await;
    let nats = async_nats::connect(&shop.nats).await.unwrap();
    let (subject, body) = ("req.catalog.get_product", r#"{"id":"linen-shirt"}"#);
    let found = nats.request(subject, body.into()).await.unwrap();
    assert!(String::from_utf8_lossy(&found.payload).contains("linen-shirt"), "{found:?}");
    let rejected = async || shop.metric("admission_rejected_total", &["domain=\"catalog\"", "kind=\"query\""]).await;
    assert!(rejected().await < 0.5);
    let warm = shop.memory();

    let mut lock = shop.superuser("catalog").await;
    sqlx::raw_sql("begin; lock table products in access exclusive mode").execute(&mut lock).await.unwrap();
    let inbox = nats.new_inbox();
    let mut answers = nats.subscribe(inbox.clone()).await.unwrap();
    for _ in 0..FLOOD {
        nats.publish_with_reply(subject, inbox.clone(), body.into()).await.unwrap();
    }
    let (mut turned_down, mut turned_down_before, mut others, mut memory) = (0_u32, None, Vec::new(), 0);
    for _ in 0..FLOOD {
        let answer = tokio::time::timeout(DEADLINE, answers.next()).await.expect("a request gets no answer").unwrap();
        let error = answer.headers.as_ref().and_then(|headers| headers.get("Nats-Service-Error"));
        if error.is_some_and(|error| error.as_str() == "overloaded") {
            let code = answer.headers.as_ref().unwrap().get("Nats-Service-Error-Code").unwrap();
            assert_eq!(code.as_str(), "503");
            turned_down += 1;
        } else {
            turned_down_before.get_or_insert(turned_down);
            others.push(error.map(ToString::to_string).unwrap_or_default());
        }
        if turned_down % 500 == 0 {
            memory = memory.max(shop.memory());
        }
    }
    sqlx::Connection::close(lock).await.unwrap();
    let before = turned_down_before.unwrap_or(turned_down);
    println!(
        "{turned_down} of {FLOOD} were rejected, {before} of them before any other answer; {warm} bytes, \
         then {memory}"
    );
    assert!(
        before as usize >= (FLOOD - ADMITTED) / 2,
        "rejections waited: {before} of {turned_down} came before any other answer"
    );
    assert!(others.len() >= ADMITTED, "{} were let in", others.len());
    // An admitted request that fails has a clear error too.
    assert!(others.iter().all(|error| ["unavailable", "deadline_exceeded"].contains(&error.as_str())), "{others:?}");
    // Those of other domains who asked meanwhile are counted too; they ask again.
    assert!(rejected().await > f64::from(turned_down) - 0.5, "{} are counted", rejected().await);
    assert!(memory < warm + MOST_MEMORY, "it holds on to what it cannot do: {warm} bytes, then {memory}");

    // It is over, and everything is as before.
    let found = nats.request(subject, body.into()).await.unwrap();
    assert!(String::from_utf8_lossy(&found.payload).contains("linen-shirt"), "{found:?}");
    shop.anonymous().get("/products?limit=1").await.expect_status(200);
}
