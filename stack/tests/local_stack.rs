//! A real stack, from its first start to its removal.

// The lint exempts tests, but not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::jetstream::{self, stream::Config as StreamConfig};
use futures::StreamExt;
use sqlx::{Connection, PgConnection, Row};
use stack::{Stack, StackConfig, find_running};

type Lines = Arc<Mutex<Vec<String>>>;

fn config(home: &Path) -> StackConfig {
    StackConfig::on_free_ports(home, &["orders", "carts"])
}

/// 0711 can be passed by PostgreSQL's own user when the tests run as root, 0700 cannot.
fn home(mode: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    dir
}

async fn start(home: &Path) -> (Stack, Lines) {
    let lines = Lines::default();
    let reported = lines.clone();
    let stack = Stack::start(config(home), move |line| reported.lock().unwrap().push(line.to_owned())).await.unwrap();
    (stack, lines)
}

async fn connect_as(stack: &Stack, user: &str) -> async_nats::Client {
    let seed = std::fs::read_to_string(stack.nats_keys().join(format!("{user}.nk"))).unwrap();
    async_nats::ConnectOptions::with_nkey(seed.trim().to_owned())
        .custom_inbox_prefix(format!("_INBOX_{user}"))
        .connect(stack.nats_url())
        .await
        .unwrap()
}

fn kill(pid: u32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

fn lives(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within 30 s: {what}");
}

async fn scalar(url: &str, sql: &'static str) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let row = sqlx::query(sql).fetch_one(&mut connection).await?;
    connection.close().await?;
    row.try_get(0)
}

async fn execute(url: &str, sql: &'static str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Fails if a subscriber on `subject` does not receive the messages of `publisher`. Messages are sent again, since the
/// subscription may reach the server after the first.
async fn expect_arrival(publisher: &async_nats::Client, listener: &async_nats::Client, subject: &'static str) {
    until(subject, async || arrives(publisher, listener, subject).await).await;
}

/// Whether a message arrives within half a second.
async fn arrives(publisher: &async_nats::Client, listener: &async_nats::Client, subject: &'static str) -> bool {
    let mut messages = listener.subscribe(subject).await.unwrap();
    listener.flush().await.unwrap();
    publisher.publish(subject, "x".into()).await.unwrap();
    publisher.flush().await.unwrap();
    tokio::time::timeout(Duration::from_millis(500), messages.next()).await.is_ok()
}

/// Makes the running nats-server's binary parse the production files, with the environment they need.
fn checked_in_configurations_are_valid(nats_pid: u32, keys: &Path) {
    let nats = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("nats");
    let users = std::fs::read_to_string(nats.join("users.conf")).unwrap();
    let names = users.split("$SOUK_NKEY_").skip(1).filter_map(|rest| rest.split(',').next());
    for file in ["souk.conf", "cluster.conf"] {
        let mut command = Command::new(std::fs::read_link(format!("/proc/{nats_pid}/exe")).unwrap());
        command.arg("-t").arg("-c").arg(nats.join(file));
        for name in names.clone() {
            let user = name.to_lowercase();
            let key = &stack::ensure_keys(&keys.join("test"), std::slice::from_ref(&user)).unwrap()[&user];
            command.env(format!("SOUK_NKEY_{name}"), key);
        }
        command.env("SOUK_NATS_NAME", "n1").env("SOUK_NATS_LISTEN", "10.0.0.5:4222");
        command.env("SOUK_NATS_STORE", "/var/lib/nats").env("SOUK_NATS_CLUSTER_LISTEN", "10.0.0.5:6222");
        command.env("SOUK_NATS_CLUSTER_PASSWORD", "secret");
        for node in 1..=3 {
            command.env(format!("SOUK_NATS_ROUTE_{node}"), format!("nats://cluster:secret@n{node}:6222"));
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{file}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_gives_each_domain_its_own_and_survives_a_kill_and_a_restart() {
    let dir = home(0o711);
    let (stack, _) = start(dir.path()).await;

    // Databases: one's own, never another's; souk_check reads all and writes nothing.
    let orders = stack.database_url("orders").unwrap();
    execute(&orders, "CREATE TABLE kept (word text); INSERT INTO kept VALUES ('here')").await;
    let foreign = orders.replace("/orders?", "/carts?");
    assert!(scalar(&foreign, "SELECT 'in'").await.is_err(), "a role is let into another domain's database");
    assert!(scalar(&orders.replace("/orders?", "/postgres?"), "SELECT 'in'").await.is_err());
    assert!(stack.database_url("search").is_err());
    let check = stack.check_url("orders");
    assert_eq!(scalar(&check, "SELECT word FROM kept").await.unwrap(), "here");
    assert!(scalar(&check, "INSERT INTO kept VALUES ('x') RETURNING word").await.is_err());
    let settings = "SELECT current_setting('fsync') || current_setting('synchronous_commit')
         || current_setting('max_connections')";
    assert_eq!(scalar(&orders, settings).await.unwrap(), "onon200");

    // The sandbox, which is no domain, is made when it is wanted, once.
    let sandbox = stack.info().sandbox_url().await.unwrap();
    execute(&sandbox, "CREATE TABLE charge (amount bigint)").await;
    assert_eq!(stack.info().sandbox_url().await.unwrap(), sandbox);
    assert_eq!(scalar(&sandbox, "SELECT count(*)::text FROM charge").await.unwrap(), "0");
    assert!(scalar(&sandbox.replace("/sandbox?", "/orders?"), "SELECT 'in'").await.is_err());
    assert!(scalar(&orders.replace("/orders?", "/sandbox?"), "SELECT 'in'").await.is_err());

    // NATS: own subjects, never another's; a client without credentials subscribes and sends requests.
    let domain = connect_as(&stack, "orders").await;
    let operator = connect_as(&stack, "operator").await;
    let bare = async_nats::connect(stack.nats_url()).await.unwrap();
    expect_arrival(&domain, &bare, "evt.orders.placed.1").await;
    assert!(!arrives(&domain, &bare, "evt.carts.emptied.1").await, "a domain publishes another's events");
    assert!(!arrives(&bare, &operator, "evt.orders.placed.1").await, "a bare client states facts");
    assert!(!arrives(&operator, &bare, "evt.orders.placed.1").await, "the operator states facts");
    let gateway = connect_as(&stack, "gateway").await;
    for (asker, is_let_in) in [(&bare, false), (&gateway, false), (&operator, true)] {
        expect_arrival(asker, &domain, "req.orders.get").await;
        if is_let_in {
            expect_arrival(asker, &domain, "req.orders.internal.events").await;
        } else {
            assert!(!arrives(asker, &domain, "req.orders.internal.events").await);
        }
    }
    assert!(!arrives(&bare, &operator, "req.orders.get").await, "the operator receives requests");

    checked_in_configurations_are_valid(stack.nats_pid().unwrap(), stack.nats_keys());

    // Its own stream, to make and to fill, not to delete.
    let streams = jetstream::new(domain.clone());
    let spec = StreamConfig { name: "ORDERS".into(), subjects: vec!["evt.orders.>".into()], ..Default::default() };
    streams.create_stream(spec).await.unwrap();
    streams.publish("evt.orders.placed.1", "kept".into()).await.unwrap().await.unwrap();
    let deletion = tokio::time::timeout(Duration::from_secs(1), streams.delete_stream("ORDERS")).await;
    assert!(!matches!(deletion, Ok(Ok(_))));

    let found = find_running(dir.path()).unwrap();
    assert_eq!((found.nats_url(), found.superuser_url("x")), (stack.nats_url(), stack.superuser_url("x")));
    let second = Stack::start(config(dir.path()), |_| {}).await.err().unwrap().to_string();
    assert!(second.contains(&format!("pid {}", std::process::id())), "{second}");

    // Either server comes back by itself.
    let (nats, postgres) = (stack.nats_pid().unwrap(), stack.pg_pid());
    kill(nats);
    kill(postgres);
    until("nats-server is back", async || {
        stack.nats_pid().unwrap() != nats && async_nats::connect(stack.nats_url()).await.is_ok()
    })
    .await;
    until("postgresql is back", async || stack.pg_pid() != postgres && scalar(&orders, "SELECT ''").await.is_ok())
        .await;

    let pids = [stack.nats_pid().unwrap(), stack.pg_pid()];
    stack.stop().await.unwrap();
    assert!(!pids.into_iter().any(lives), "a server outlives the stack");
    assert!(find_running(dir.path()).unwrap_err().to_string().contains("souk up"));

    let (stack, _) = start(dir.path()).await;
    assert_eq!(scalar(&stack.database_url("orders").unwrap(), "SELECT word FROM kept").await.unwrap(), "here");
    let kept = jetstream::new(connect_as(&stack, "orders").await).get_stream("ORDERS").await.unwrap();
    assert!(kept.cached_info().state.messages >= 1);
    stack.destroy().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_of_a_killed_parent_are_adopted_or_replaced() {
    if std::env::var_os("SOUK_TEST_HOME").is_some() {
        return;
    }
    let dir = home(0o711);
    // The parent is this same test program, made to run the other test below, and killed.
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_parent_that_waits_to_be_killed", "--ignored"])
        .env("SOUK_TEST_HOME", dir.path())
        .spawn()
        .unwrap();
    until("the parent's stack runs", async || find_running(dir.path()).is_ok()).await;
    let pids: Vec<u32> = ["nats/server.pid", "pg.pid"]
        .map(|file| std::fs::read_to_string(dir.path().join(file)).unwrap().trim().parse().unwrap())
        .to_vec();
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert!(pids.iter().all(|pid| lives(*pid)), "the servers died with their parent");

    let (stack, lines) = start(dir.path()).await;
    assert_eq!(vec![stack.nats_pid().unwrap(), stack.pg_pid()], pids, "{:?}", lines.lock().unwrap());
    // An adopted server is supervised like a child.
    kill(stack.nats_pid().unwrap());
    until("the adopted server is replaced", async || stack.nats_pid().unwrap() != pids[0]).await;
    let now = stack.nats_pid().unwrap();
    drop(stack);
    until("a dropped stack stops its servers", async || !lives(now) && !lives(pids[1])).await;

    // Without their notes the orphans are still found, and with another configuration replaced.
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_parent_that_waits_to_be_killed", "--ignored"])
        .env("SOUK_TEST_HOME", dir.path())
        .spawn()
        .unwrap();
    let noted = || std::fs::read_to_string(dir.path().join("pg.pid")).unwrap().trim().parse::<u32>().unwrap();
    until("the second parent's stack runs", async || noted() != pids[1] && find_running(dir.path()).is_ok()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    parent.kill().unwrap();
    parent.wait().unwrap();
    let orphan = noted();
    std::fs::remove_file(dir.path().join("pg.pid")).unwrap();
    let other = StackConfig::on_free_ports(dir.path(), &["orders", "carts", "search"]);
    let stack = Stack::start(other, |_| {}).await.unwrap();
    assert_eq!(stack.pg_pid(), orphan, "an orphan without a pid file is not found");
    assert!(stack.database_url("search").is_ok());
    assert!(connect_as(&stack, "search").await.flush().await.is_ok());
    stack.destroy().await.unwrap();
}

#[tokio::test]
#[ignore = "the parent in the test above, run and killed by it"]
async fn a_parent_that_waits_to_be_killed() {
    let home = PathBuf::from(std::env::var_os("SOUK_TEST_HOME").unwrap());
    let _stack = Stack::start(config(&home), |_| {}).await.unwrap();
    tokio::time::sleep(Duration::from_secs(120)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_postgresql_cannot_reach_puts_its_data_elsewhere_and_says_so() {
    let dir = home(0o700);
    let (stack, lines) = start(dir.path()).await;
    let pg_dir = stack.info().pg_dir.clone();
    let owner =
        lines.lock().unwrap().iter().any(|line| line.contains(pg_dir.to_str().unwrap()) && line.contains("reach"));
    // Unless started by root, PostgreSQL runs as the same user and can access the same files.
    let root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(dir.path()).unwrap()) == 0;
    assert_eq!((owner, !pg_dir.starts_with(&stack.info().home)), (root, root));
    assert!(scalar(&stack.database_url("orders").unwrap(), "SELECT ''").await.is_ok());
    stack.destroy().await.unwrap();
    assert!(!pg_dir.exists());
}

#[tokio::test]
async fn a_port_taken_by_a_stranger_is_an_error_that_names_the_variable() {
    let dir = home(0o711);
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = config(dir.path());
    config.nats_port = stranger.local_addr().unwrap().port();
    let error = Stack::start(config, |_| {}).await.err().unwrap().to_string();
    assert!(error.contains("SOUK_NATS_PORT"), "{error}");
    let left = std::fs::read_to_string(dir.path().join("pg.pid")).unwrap();
    assert!(!lives(left.trim().parse().unwrap()), "the other server is left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_statistics_statements_and_messages_are_counted() {
    let dir = home(0o711);
    let config = StackConfig { has_statistics: true, ..config(dir.path()) };
    let stack = Stack::start(config, |_| {}).await.unwrap();
    let superuser = stack.superuser_url("postgres");
    execute(&superuser, "CREATE EXTENSION pg_stat_statements").await;
    assert_eq!(scalar(&stack.database_url("orders").unwrap(), "SELECT 'counted'").await.unwrap(), "counted");
    // Planning is counted too.
    let counted = "SELECT count(*)::text FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid
         WHERE datname = 'orders' AND query = 'SELECT $1' AND calls = 1 AND plans = 1";
    assert_eq!(scalar(&superuser, counted).await.unwrap(), "1");

    let port = find_running(dir.path()).unwrap().nats_monitor_port.unwrap();
    let mut monitoring = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    monitoring.write_all(b"GET /varz HTTP/1.0\r\n\r\n").unwrap();
    let mut varz = String::new();
    monitoring.read_to_string(&mut varz).unwrap();
    assert!(varz.contains("\"in_msgs\":") && varz.contains("\"out_msgs\":"), "{varz}");
    stack.destroy().await.unwrap();
}
