//! Least rights: every user of NATS and every role of PostgreSQL can do its work and nothing else.

use std::{collections::BTreeSet, time::Duration};

use async_nats::{ConnectOptions, Event, jetstream};
use futures::StreamExt;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use subjects::DOMAINS;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::harness::{Shop, wait_until};

/// A user of NATS, with everything the server refuses it.
struct User {
    name: String,
    client: async_nats::Client,
    refusals: UnboundedReceiver<String>,
    barriers: usize,
}

impl User {
    /// By its key; without one for `cli`.
    async fn connect(shop: &Shop, name: &str) -> Self {
        let (sender, refusals) = unbounded_channel();
        let mut options = ConnectOptions::new().event_callback(move |event| {
            let sender = sender.clone();
            async move {
                if let Event::ServerError(error) = event {
                    drop(sender.send(error.to_string()));
                }
            }
        });
        let stack = shop.stack();
        if name != "cli" {
            let seed = std::fs::read_to_string(stack.nats_keys().join(format!("{name}.nk"))).unwrap();
            options = options.nkey(seed.trim().to_owned()).custom_inbox_prefix(format!("_INBOX_{name}"));
        }
        let client = options.connect(stack.nats_url()).await.unwrap();
        Self { name: name.to_owned(), client, refusals, barriers: 0 }
    }

    /// Which of these it may not publish. The server answers in order, so a last subject that nobody may use tells that
    /// it has spoken about all of them.
    async fn refused_publishes(&mut self, subjects: &[String]) -> BTreeSet<String> {
        let mut refused = BTreeSet::new();
        for some in subjects.chunks(25) {
            for subject in some {
                self.client.publish(subject.clone(), "{}".into()).await.unwrap();
            }
            refused.extend(self.heard("Publish", some).await);
        }
        refused
    }

    /// Which of these it may not subscribe.
    async fn refused_subscriptions(&mut self, subjects: &[String]) -> BTreeSet<String> {
        let mut open = Vec::new();
        for subject in subjects {
            open.push(self.client.subscribe(subject.clone()).await.unwrap());
        }
        self.heard("Subscription", subjects).await
    }

    async fn heard(&mut self, verb: &str, subjects: &[String]) -> BTreeSet<String> {
        self.barriers += 1;
        let barrier = format!("nobody.may.{}", self.barriers);
        self.client.publish(barrier.clone(), "".into()).await.unwrap();
        let mut refused = BTreeSet::new();
        loop {
            let text = tokio::time::timeout(Duration::from_secs(20), self.refusals.recv()).await;
            let text =
                text.unwrap_or_else(|_| panic!("{}: the server says nothing about {barrier}", self.name)).unwrap();
            if text.contains(&format!("\"{barrier}\"")) {
                return refused;
            }
            let subject = subjects.iter().find(|subject| text.contains(&format!("{verb} to \"{subject}\"")));
            refused.insert(subject.unwrap_or_else(|| panic!("{}: {text}", self.name)).clone());
        }
    }

    /// May do all of the first and none of the second.
    async fn expect_publish(&mut self, allowed: &[String], forbidden: &[String]) {
        let refused = self.refused_publishes(&[allowed, forbidden].concat()).await;
        assert_eq!(refused, forbidden.iter().cloned().collect(), "{} publishes", self.name);
    }

    async fn expect_subscribe(&mut self, allowed: &[String], forbidden: &[String]) {
        let refused = self.refused_subscriptions(&[allowed, forbidden].concat()).await;
        assert_eq!(refused, forbidden.iter().cloned().collect(), "{} subscribes", self.name);
    }
}

fn texts(subjects: &[&str]) -> Vec<String> {
    subjects.iter().map(ToString::to_string).collect()
}

/// What nobody but the operator may do to a stream.
fn destructions(stream: &str) -> Vec<String> {
    ["STREAM.DELETE", "STREAM.PURGE", "STREAM.MSG.DELETE", "STREAM.SNAPSHOT", "STREAM.RESTORE"]
        .map(|what| format!("$JS.API.{what}.{stream}"))
        .to_vec()
}

/// Scenario 6: the owner may create its stream, and never delete one.
#[tokio::test]
async fn every_domain_says_its_own_facts_keeps_its_own_stream_and_can_destroy_nothing() {
    let shop = Shop::start(&[]).await;
    let buyer = shop.customer().await;
    let variant = shop.product(1, 100).await;
    buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201);
    // All domains have done their work and were refused nothing.
    assert!(shop.metric("nats_server_errors_total", &[]).await < 0.5);
    shop.check_clean().await;

    for domain in DOMAINS {
        let own = domain.to_uppercase();
        let mut allowed = texts(&["_INBOX.x", "_INBOX_gateway.x", "_INBOX_operator.x", "$JS.API.STREAM.NAMES"]);
        allowed.extend([format!("evt.{domain}.nothing.1"), format!("ntf.{domain}.nothing")]);
        allowed.extend([format!("$JS.API.STREAM.CREATE.{own}"), format!("$JS.API.STREAM.UPDATE.{own}")]);
        let mut forbidden = texts(&["$JS.API.ACCOUNT.PURGE.A", "$SYS.REQ.SERVER.PING", "anything.else"]);
        forbidden.extend(destructions(&own));
        for other in DOMAINS {
            let theirs = other.to_uppercase();
            let durable = format!("{theirs}.{domain}-on-{other}");
            allowed.extend([format!("req.{other}.nothing"), format!("req.{other}.internal.nothing")]);
            allowed.push(format!("_INBOX_{other}.x"));
            allowed.extend(["INFO", "MSG.NEXT", "DURABLE.CREATE"].map(|it| format!("$JS.API.CONSUMER.{it}.{durable}")));
            forbidden.push(format!("$JS.API.CONSUMER.DELETE.{durable}"));
            if other != domain {
                forbidden.extend([format!("evt.{other}.nothing.1"), format!("ntf.{other}.nothing")]);
                forbidden.extend(destructions(&theirs));
                let foreign = format!("{own}.{other}-on-{domain}");
                forbidden.extend(["CREATE", "MSG.NEXT"].map(|it| format!("$JS.API.CONSUMER.{it}.{foreign}")));
                forbidden.extend(["CREATE", "UPDATE"].map(|it| format!("$JS.API.STREAM.{it}.{theirs}")));
            }
        }
        let mut user = User::connect(&shop, domain).await;
        user.expect_publish(&allowed, &forbidden).await;

        let allowed = [format!("req.{domain}.nothing"), format!("_INBOX_{domain}.>"), "$SRV.>".into()];
        let mut forbidden =
            texts(&[">", "evt.>", "ntf.>", "_INBOX.>", "_INBOX_gateway.>", "_INBOX_operator.>", "$JS.>"]);
        for other in DOMAINS.iter().filter(|other| **other != domain) {
            forbidden.extend([format!("req.{other}.>"), format!("_INBOX_{other}.>"), format!("evt.{other}.>")]);
        }
        user.expect_subscribe(&allowed, &forbidden).await;
    }
}

/// Scenario 18: nobody hears another user's inbox.
#[tokio::test]
async fn the_gateway_and_a_bare_client_ask_and_listen_and_can_do_nothing_else() {
    let shop = Shop::start(&[]).await;
    let everywhere = |pattern: &str| -> Vec<String> {
        DOMAINS
            .iter()
            .map(|domain| pattern.replace("<d>", domain).replace("<D>", &domain.to_uppercase()))
            .collect::<Vec<_>>()
    };
    let mut forbidden = texts(&["$JS.API.ACCOUNT.PURGE.A", "anything.else", "_INBOX.x", "_INBOX_gateway.x"]);
    for pattern in ["evt.<d>.nothing.1", "ntf.<d>.nothing", "req.<d>.internal.log", "_INBOX_<d>.x"] {
        forbidden.extend(everywhere(pattern));
    }
    for domain in DOMAINS {
        let stream = domain.to_uppercase();
        forbidden.extend(destructions(&stream));
        forbidden.extend(["CREATE", "UPDATE"].map(|what| format!("$JS.API.STREAM.{what}.{stream}")));
        forbidden.extend(["CREATE", "DELETE"].map(|what| format!("$JS.API.CONSUMER.{what}.{stream}.any")));
    }
    let reads = everywhere("$JS.API.STREAM.INFO.<D>");
    let asks = [everywhere("req.<d>.nothing"), texts(&["$SRV.PING", "$SRV.INFO.orders", "$SRV.STATS"])].concat();
    let others = [everywhere("req.<d>.>"), everywhere("_INBOX_<d>.>"), texts(&[">", "_INBOX_operator.>", "$JS.>"])];
    let facts = texts(&["evt.>", "ntf.>"]);

    let mut gateway = User::connect(&shop, "gateway").await;
    let found = gateway.client.request("req.catalog.list_products", "{}".into()).await.unwrap();
    assert!(found.payload.starts_with(b"{\"data\""), "{found:?}");
    gateway.expect_publish(&asks, &[forbidden.clone(), reads.clone()].concat()).await;
    let theirs = [&others.concat()[..], &texts(&["_INBOX.>"])].concat();
    gateway.expect_subscribe(&[facts.clone(), texts(&["_INBOX_gateway.>"])].concat(), &theirs).await;

    let mut cli = User::connect(&shop, "cli").await;
    let found = cli.client.request("req.catalog.list_products", "{}".into()).await.unwrap();
    assert!(found.payload.starts_with(b"{\"data\""), "{found:?}");
    assert!(jetstream::new(cli.client.clone()).get_stream("ORDERS").await.is_ok(), "it inspects streams");
    cli.expect_publish(&[asks, reads].concat(), &forbidden).await;
    let theirs = [&others.concat()[..], &texts(&["_INBOX_gateway.>"])].concat();
    cli.expect_subscribe(&[facts, texts(&["_INBOX.>"])].concat(), &theirs).await;

    // The operator inspects and edits streams, and asks what only domains may ask.
    let operator = User::connect(&shop, "operator").await;
    let streams = jetstream::new(operator.client.clone());
    let config = streams.get_stream("CARTS").await.unwrap().cached_info().config.clone();
    streams.update_stream(config).await.unwrap();
    let inside = operator.client.request("req.orders.internal.dead_letters", "{\"limit\":1}".into()).await.unwrap();
    assert!(inside.payload.starts_with(b"{\"data\":[],"), "{inside:?}");
}

/// Scenario 18: the reply subject is an event's, or the server's own.
#[tokio::test]
async fn nobody_is_answered_on_a_subject_that_is_no_inbox() {
    let shop = Shop::start(&[]).await;
    let operator = User::connect(&shop, "operator").await;
    let traps = ["evt.orders.placed.7", "$JS.API.STREAM.PURGE.ORDERS", "ntf.orders.forged", "req.carts.internal.log"];
    let mut heard = Vec::new();
    for trap in traps {
        heard.push(operator.client.subscribe(trap).await.unwrap());
    }
    let mut heard = futures::stream::select_all(heard);
    operator.client.flush().await.unwrap();

    let cli = User::connect(&shop, "cli").await;
    for trap in traps {
        cli.client.publish_with_reply("req.orders.get", trap, "{}".into()).await.unwrap();
        cli.client.publish_with_reply("$SRV.PING.orders", trap, "".into()).await.unwrap();
    }
    let expected = traps.len() as f64;
    wait_until("the requests were met and refused", || async {
        shop.metric("requests_with_foreign_reply_total", &["domain=\"orders\""]).await >= expected
    })
    .await;
    // The service answers its calls in order: this one comes after those with a trap.
    let pong = cli.client.request("$SRV.PING.orders", "".into()).await.unwrap();
    assert!(!pong.payload.is_empty());
    operator.client.publish("ntf.orders.forged", "the end".into()).await.unwrap();
    let first = heard.next().await.unwrap();
    assert_eq!(&first.payload[..], b"the end", "answered on {}", first.subject);
}

async fn connect(url: &str) -> Result<PgConnection, sqlx::Error> {
    PgConnection::connect(url).await
}

#[tokio::test]
async fn a_role_of_postgresql_sees_its_own_database_and_no_other() {
    let shop = Shop::start(&[]).await;
    let stack = shop.stack();
    for domain in DOMAINS {
        let url = stack.database_url(domain).unwrap();
        let mut own = connect(&url).await.unwrap();
        let rows: i64 = sqlx::query_scalar("select count(*) from event_log").fetch_one(&mut own).await.unwrap();
        assert!(rows >= 0);
        let special: bool = sqlx::query_scalar(
            "select rolsuper or rolcreaterole or rolcreatedb or rolbypassrls or rolreplication
             or exists (select 1 from pg_auth_members m where m.member = r.oid) from pg_roles r where rolname = current_user",
        )
        .fetch_one(&mut own)
        .await
        .unwrap();
        assert!(!special, "the role {domain} has rights of the whole server");
        for other in DOMAINS.into_iter().filter(|other| *other != domain).chain(["postgres", "template1"]) {
            let foreign = url.replace(&format!("/{domain}?"), &format!("/{other}?"));
            assert_ne!(foreign, url);
            let refused = connect(&foreign).await.err().unwrap_or_else(|| panic!("{domain} is let into {other}"));
            let code = refused.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
            assert_eq!(code, "42501", "{domain} into {other}: {refused}");
        }
    }
    // Whoever checks reads everything and writes nothing, whatever it sets.
    for domain in DOMAINS {
        let mut check = connect(&stack.check_url(domain)).await.unwrap();
        sqlx::query("select * from event_log limit 1").fetch_optional(&mut check).await.unwrap();
        sqlx::query("set default_transaction_read_only = off").execute(&mut check).await.unwrap();
        for write in ["insert into log_trim values (1, 1)", "delete from dead_letter", "create table x (y int)"] {
            let refused = sqlx::raw_sql(AssertSqlSafe(write)).execute(&mut check).await;
            assert!(refused.is_err(), "souk_check may: {write}");
        }
    }
}
