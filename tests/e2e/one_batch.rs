//! What a batch costs: 64 orders that wait for their lane are one transaction, with as many statements as one order.

use std::{cell::Cell, collections::BTreeMap, time::Duration};

use async_nats::{HeaderMap, Request, Subscriber};
use futures::{StreamExt, future::join_all};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::harness::{Person, Shop, paid_order, send_signal, wait_until};

const ORDERS: usize = 64;

/// How long a caller waits, also while the lane is paused: the most that a request may ask for.
const PATIENT: Duration = Duration::from_secs(60);

/// The statements of a batch of new orders, each by its beginning.
const STATEMENTS: [&str; 8] = [
    "BEGIN",
    // The ids are claimed.
    "select pg_try_advisory_xact_lock(",
    // The stored replies.
    "select place - 1 as index, fingerprint, status, answer",
    "insert into orders (",
    "insert into order_items (",
    "insert into order_history (",
    // Replies, event log and outbox.
    "with now_era as (",
    "COMMIT",
];

/// The backend of the lane, which waits for a lock.
const WAITING: &str = "select coalesce(max(pid), 0)::bigint from pg_stat_activity
    where datname = 'orders' and usename = 'orders' and wait_event_type = 'Lock'";

#[tokio::test(flavor = "multi_thread")]
async fn orders_that_wait_for_a_lane_are_one_transaction_with_the_statements_of_one() {
    let shop = Shop::start(&[("SOUK_LANES", "1")]).await;
    let (variant, buyer) = (shop.product(1000, 1000).await, shop.customer().await);
    let operator = shop.nats_as("operator").await;
    let mut events = operator.subscribe("evt.orders.>").await.unwrap();
    let mut notices = operator.subscribe("ntf.orders.>").await.unwrap();
    operator.flush().await.unwrap();
    // The first order of a shop also prepares its connections.
    buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201);
    drop(types(&mut events, 1).await);
    drop(types(&mut notices, 1).await);

    let nats = async_nats::connect(&shop.nats).await.unwrap();
    let place = async || place(&nats, &buyer, &variant).await;
    log_statements(&shop).await;
    let mut lock = shop.superuser("orders").await;
    sqlx::raw_sql("begin; lock table orders in share mode").execute(&mut lock).await.unwrap();
    let others = async {
        let backend = Cell::new(0);
        wait_until("the first order holds the lane", || async {
            backend.set(shop.number("orders", WAITING).await);
            backend.get() > 0
        })
        .await;
        // Its wait has a limit of two seconds, after which it would be repeated. A suspended backend does nothing.
        let backend = u32::try_from(backend.get()).unwrap();
        send_signal(backend, Signal::STOP);
        let release = async {
            wait_until("the other orders wait for the lane", || async {
                shop.metric("lane_queue_depth", &["domain=\"orders\""]).await > ORDERS as f64 + 0.5
            })
            .await;
            sqlx::raw_sql("rollback").execute(&mut lock).await.unwrap();
            send_signal(backend, Signal::CONT);
        };
        tokio::join!(join_all((0..ORDERS).map(|_| place())), release).0
    };
    let (first, placed) = tokio::join!(place(), others);
    assert_eq!(first["status"], "pending", "{first}");
    assert_eq!(placed.len(), ORDERS);
    for order in &placed {
        assert_eq!(order["status"], "pending", "{order}");
    }

    // One message to the stream and one notice for each order, and for the one before.
    let all = ORDERS + 1;
    for (what, messages) in [("events", &mut events), ("notices", &mut notices)] {
        let by_type = types(messages, all).await;
        assert_eq!(by_type["placed"], all, "{what}: {by_type:?}");
    }

    // The first order and the batch, each in a transaction of its own.
    let log = std::fs::read_to_string(shop.stack().home.join("log/postgres.log")).unwrap();
    let mut placing = transactions(&log);
    placing.retain(|statements| statements.iter().any(|statement| statement.starts_with("insert into orders (")));
    assert_eq!(placing.len(), 2, "{placing:#?}");
    for statements in placing {
        let is_same = statements.len() == STATEMENTS.len()
            && statements.iter().zip(STATEMENTS).all(|(statement, beginning)| statement.starts_with(beginning));
        assert!(is_same, "{statements:#?}");
    }
    let commits = format!(
        "select count(*) from event_log where json_array_length(events) = {ORDERS} and events->0->>'name' = 'placed'"
    );
    assert_eq!(shop.number("orders", commits).await, 1, "one commit has all {ORDERS} events");
}

/// Places an order over NATS, past the gateway's limits. Returns the reply.
async fn place(nats: &async_nats::Client, buyer: &Person, variant: &str) -> Value {
    let mut headers = HeaderMap::new();
    headers.insert("Authorization", format!("Bearer {}", buyer.token()));
    headers.insert("Souk-Deadline-Ms", PATIENT.as_millis().to_string());
    let body = json!({ "order": paid_order(variant) }).to_string();
    let request = Request::new().headers(headers).payload(body.into()).timeout(Some(PATIENT));
    let reply = nats.send_request("req.orders.place", request).await.unwrap();
    serde_json::from_slice(&reply.payload).unwrap()
}

/// The messages of a subject by type, until so many orders are confirmed: all that was published before has arrived.
async fn types(messages: &mut Subscriber, orders: usize) -> BTreeMap<String, usize> {
    let mut types = BTreeMap::new();
    while types.get("confirmed") != Some(&orders) {
        let message = tokio::time::timeout(PATIENT, messages.next()).await;
        let message = message.unwrap_or_else(|_| panic!("not all are confirmed: {types:?}")).unwrap();
        let headers = message.headers.unwrap();
        let name = headers.get("ce-type").unwrap().as_str().rsplit('.').next().unwrap().to_owned();
        *types.entry(name).or_default() += 1;
    }
    types
}

/// Has PostgreSQL log every statement from now on.
async fn log_statements(shop: &Shop) {
    // Not in one call, which would be one transaction.
    shop.sql("postgres", "alter system set log_statement = 'all'").await;
    shop.sql("postgres", "select pg_reload_conf()").await;
    let is_on = "select (current_setting('log_statement') = 'all')::int::bigint";
    wait_until("statements are logged", || async { shop.number("postgres", is_on).await == 1 }).await;
}

/// The committed transactions of the role and database `orders`: their statements, each by its first line.
fn transactions(log: &str) -> Vec<Vec<&str>> {
    let mut running: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut committed = Vec::new();
    for (backend, statement) in log.lines().filter_map(statement) {
        let statements = running.entry(backend).or_default();
        if statement == "BEGIN" {
            statements.clear();
        }
        statements.push(statement);
        if statement == "COMMIT" {
            committed.push(std::mem::take(statements));
        }
    }
    committed
}

/// Parses `<time> [<pid>] <role>@<database> LOG:  execute <name>: <statement>`, or `LOG:  statement: <statement>`.
fn statement(line: &str) -> Option<(&str, &str)> {
    let (head, text) = line.split_once(" LOG:  ")?;
    let (_, backend) = head.strip_suffix("] orders@orders")?.rsplit_once('[')?;
    let statement = match text.strip_prefix("statement: ") {
        Some(statement) => statement,
        None => text.strip_prefix("execute ")?.split_once(": ")?.1,
    };
    Some((backend, statement.trim_end()))
}

#[test]
fn transactions_are_read_from_the_log_by_backend() {
    let log = "\
2026-11-30 10:00:00.000 UTC [7] orders@orders LOG:  statement: BEGIN
2026-11-30 10:00:00.001 UTC [8] orders@orders LOG:  execute sqlx_s_1: select 1
2026-11-30 10:00:00.002 UTC [7] orders@orders LOG:  execute sqlx_s_2: insert into orders (id)
\tselect 2
2026-11-30 10:00:00.002 UTC [7] orders@orders DETAIL:  parameters: $1 = '{}'
2026-11-30 10:00:00.003 UTC [9] carts@carts LOG:  statement: COMMIT
2026-11-30 10:00:00.004 UTC [7] orders@orders LOG:  statement: COMMIT
";
    assert_eq!(transactions(log), [["BEGIN", "insert into orders (id)", "COMMIT"]]);
}
