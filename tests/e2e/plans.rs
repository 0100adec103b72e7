//! What the statements of a running shop read when its tables are full. PostgreSQL logs the plan of each statement that
//! a node runs (`auto_explain`), so a periodic statement that is added later is looked at too.

mod filled;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use serde_json::Value;
use subjects::DOMAINS;

use crate::harness::{
    Person, Shop,
    provider::{Sandbox, free_port, shop_with_provider},
    wait_until,
};
use filled::{ROWS, SMALL, statements};

/// Rows that one execution may read and drop.
const REMOVED: f64 = 50.0;

/// Rows that one node of a plan may read: the bound of a count.
const READ: f64 = 10_000.0;

/// Blocks that one execution may look at. An index of a full table has more.
const BLOCKS: f64 = 400.0;

/// Statements that must have been seen before anything is judged, by user; without a name, of every user. Those of a
/// list that the test reads are the last.
const PERIODIC: [(&str, &str); 21] = [
    ("", "delete from command_log"),
    ("", "delete from attempt"),
    ("", "delete from audit_log"),
    ("", "from effect where dead_lettered_at is null and attempts > 10"),
    ("", "where name <> all($1)"),
    ("", "update outbox set lease_until"),
    ("", "insert into lease"),
    ("", "from stream_checkpoint order by sequence desc limit 1"),
    ("", "select count from stream_gap"),
    ("", "from republish"),
    ("orders", "from event_log where (epoch, xid) >"),
    ("orders", "delete from inbox"),
    ("orders", "delete from stream_checkpoint where at"),
    ("orders", "payment_deadline <="),
    ("payments", "read_again_at <="),
    ("payments", "update effect set lease_until"),
    ("payments", "update effect set dead_lettered_at"),
    ("carts", "delete from cart where"),
    ("inventory", "from stock where is_low limit"),
    ("inventory", "from stock where is_low and variant_id <"),
    ("sandbox", "from webhook where ended_at is null"),
];

/// A statement that was run, and how.
struct Ran {
    user: String,
    text: String,
    plan: Value,
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_reads_a_full_table_to_find_what_is_due() {
    let port = free_port();
    let shop = shop_with_provider(port).await;
    let _sandbox = Sandbox::start(port, &shop, &[]).await;
    let (variant, buyer) = (shop.product(50, 1000).await, shop.customer().await);
    buy(&buyer, &variant).await;
    // Only then are there cursors and checkpoints, to which more can be added.
    for domain in DOMAINS.into_iter().filter(|domain| !["carts", "pricing"].contains(domain)) {
        wait_until("a checkpoint is written", || async {
            shop.number(domain, "select count(*) from stream_checkpoint").await > 0
        })
        .await;
    }
    shop.leave_in_disorder();
    fill(&shop).await;
    explain(&shop).await;
    buy(&buyer, &variant).await;
    shop.admin().await.get("/admin/inventory/low-stock").await.expect_status(200);

    let log = shop.stack().home.join("log/postgres.log");
    let mut ran = Vec::new();
    wait_until("every periodic statement has run", || {
        ran = read_plans(&std::fs::read_to_string(&log).unwrap());
        let is_seen =
            |user: &str, fragment: &str| ran.iter().any(|one: &Ran| one.user == user && one.text.contains(fragment));
        let is_complete = PERIODIC.iter().all(|(user, fragment)| match *user {
            "" => DOMAINS.into_iter().all(|domain| is_seen(domain, fragment)),
            user => is_seen(user, fragment),
        });
        std::future::ready(is_complete)
    })
    .await;
    let findings: BTreeSet<String> = ran.iter().flat_map(findings).collect();
    let list: Vec<String> = findings.into_iter().collect();
    assert!(list.is_empty(), "of {} statements\n{}", ran.len(), list.join("\n"));
}

async fn buy(buyer: &Person, variant: &str) {
    let order = buyer.order(variant, 1, Some("pm_card_visa")).await.expect_status(201);
    buyer.wait_for_status(&order.text_at("/id"), "confirmed").await;
}

/// Fills every table with rows that are not due. One that is neither filled nor known to stay small fails the test.
async fn fill(shop: &Shop) {
    let all = DOMAINS.into_iter().chain(["sandbox"]);
    join_all(all.clone().map(|database| async move {
        for statements in statements(database) {
            shop.sql(database, *statements).await;
        }
        shop.sql(database, "vacuum analyze").await;
    }))
    .await;
    let mut rows: BTreeMap<String, f32> = BTreeMap::new();
    for database in all {
        let mut connection = shop.superuser(database).await;
        let found: Vec<(String, f32)> = sqlx::query_as(
            "select relname::text, reltuples from pg_class
             where relkind = 'r' and relnamespace = 'public'::regnamespace",
        )
        .fetch_all(&mut connection)
        .await
        .unwrap();
        for (table, count) in found {
            let most = rows.entry(table).or_default();
            *most = most.max(count);
        }
    }
    rows.retain(|table, count| *count < ROWS && !SMALL.contains(&table.as_str()));
    assert!(
        rows.is_empty(),
        "tests/e2e/plans/filled.rs has to fill these tables, or to say that they stay small: {rows:?}"
    );
}

/// Has every plan written into the log, of connections that are made from now on.
async fn explain(shop: &Shop) {
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
        "auto_explain.log_buffers = on",
        "auto_explain.log_timing = off",
        "auto_explain.log_nested_statements = on",
        "auto_explain.log_format = 'json'",
    ] {
        for database in DOMAINS.into_iter().chain(["sandbox"]) {
            shop.sql("postgres", format!("alter database {database} set {setting}")).await;
        }
    }
    let users = DOMAINS.map(|domain| format!("'{domain}'")).join(", ");
    let end =
        format!("select pg_terminate_backend(pid, 5000) from pg_stat_activity where usename in ({users}, 'sandbox')");
    shop.sql("postgres", end).await;
    wait_until("the nodes are ready again", || shop.nodes_are_ready()).await;
}

/// What the log says of nodes' statements.
fn read_plans(log: &str) -> Vec<Ran> {
    let mut ran = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.contains(" LOG:  duration: ") || !line.ends_with("plan:") {
            continue;
        }
        let mut json = String::new();
        while let Some(part) = lines.next_if(|line| line.starts_with('\t')) {
            json.push_str(part);
            json.push('\n');
        }
        // The last one may be written just now.
        let Ok(plan) = serde_json::from_str::<Value>(&json) else { continue };
        let role = line.split("] ").nth(1).and_then(|rest| rest.split('@').next()).unwrap_or_default();
        let text = plan["Query Text"].as_str().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
        if DOMAINS.contains(&role) || role == "sandbox" {
            ran.push(Ran { user: role.to_owned(), text, plan: plan["Plan"].clone() });
        }
    }
    ran
}

/// What is wrong with how a statement was run.
fn findings(ran: &Ran) -> Vec<String> {
    let mut findings = Vec::new();
    let mut removed = 0.0;
    let mut nodes = vec![&ran.plan];
    while let Some(node) = nodes.pop() {
        let number = |name: &str| node[name].as_f64().unwrap_or(0.0);
        let (kind, table) = (node["Node Type"].as_str().unwrap_or_default(), node["Relation Name"].as_str());
        let loops = number("Actual Loops");
        for of in ["Filter", "Join Filter", "Index Recheck"] {
            removed += number(&format!("Rows Removed by {of}")) * loops;
        }
        if kind == "Seq Scan" && table.is_some_and(|table| !SMALL.contains(&table)) {
            findings.push(format!("scans {}", table.unwrap_or_default()));
        }
        if kind.contains("Scan") && number("Actual Rows") * loops > READ {
            findings.push(format!("reads more than {READ} rows of {}", table.unwrap_or("a subquery")));
        }
        nodes.extend(node["Plans"].as_array().into_iter().flatten());
    }
    if removed > REMOVED {
        findings.push(format!("drops more than {REMOVED} rows that it has read"));
    }
    let blocks: f64 =
        ["Shared Hit Blocks", "Shared Read Blocks"].iter().filter_map(|name| ran.plan[name].as_f64()).sum();
    if blocks > BLOCKS {
        findings.push(format!("looks at more than {BLOCKS} blocks"));
    }
    findings.into_iter().map(|finding| format!("{}: {finding}: {}", ran.user, ran.text)).collect()
}
