//! Least rights: every user of NATS and every role of PostgreSQL can do its work and nothing else.

mod tools;
mod user;

use std::collections::BTreeSet;

use async_nats::jetstream;
use contract::{
    Request,
    subject::{self, guarded, internal},
};
use futures::StreamExt;
use runtime::Uses;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use subjects::{
    DOMAINS, MessageKind,
    catalog::GetOffers,
    identity::{CreateAccount, GetKeys, GetRevocations},
    inventory::CheckAvailability,
    orders::GetPayable,
};

use crate::{
    harness::{Shop, wait_until},
    rights::user::{User, destructions, texts},
};

/// What no domain may ask of another one, nor of itself.
const OPERATORS_ALONE: [&str; 8] = [
    internal::CONSUMED,
    internal::DEAD_LETTERS,
    internal::REBUILD,
    internal::REDRIVE,
    internal::REPUBLISH,
    internal::TRIM,
    internal::AUDIT_LOG,
    <CreateAccount as Request>::OPERATION,
];

/// Every request that any domain answers.
fn requests() -> Vec<String> {
    let messages = subjects::registry().into_iter().filter(|message| message.kind != MessageKind::Event);
    let builtin = DOMAINS.into_iter().flat_map(|domain| {
        let internals = OPERATORS_ALONE.into_iter().chain([internal::LOG, internal::EVENTS]);
        let for_admins = [guarded::LIST_DEAD_LETTERS, guarded::REDRIVE_DEAD_LETTER, guarded::LIST_AUDIT_LOG];
        let internals = internals.map(move |operation| subject::request(domain, operation, true));
        internals.chain(for_admins.map(|operation| subject::request(domain, operation, false)))
    });
    let all: BTreeSet<String> = messages.map(|message| message.subject).chain(builtin).collect();
    all.into_iter().collect()
}

/// What each domain registers that it uses of others.
fn uses() -> [Uses; 7] {
    [
        Uses::of::<carts::Carts>(),
        Uses::of::<catalog::Catalog>(),
        Uses::of::<identity::Identity>(),
        Uses::of::<inventory::Inventory>(),
        Uses::of::<orders::Orders>(),
        Uses::of::<payments::Payments>(),
        Uses::of::<pricing::Pricing>(),
    ]
}

/// Scenario 6: the owner may create its stream, and never delete one.
#[tokio::test]
async fn every_domain_says_its_own_facts_keeps_its_own_stream_and_can_destroy_nothing() {
    let shop = Shop::start(&[]).await;
    let buyer = shop.customer().await;
    let variant = shop.product(1, 100).await;
    buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201);
    // All domains have done their work and were denied nothing.
    assert!(shop.metric("nats_server_errors_total", &[]).await < 0.5);
    shop.check_clean().await;
    shop.leave_in_disorder();

    for Uses { name: domain, requests: mut asked, sources } in uses() {
        let own = domain.to_uppercase();
        // Every domain verifies access tokens.
        asked.extend([GetKeys::subject(), GetRevocations::subject()]);
        let mut allowed = texts(&["_INBOX.x", "_INBOX_gateway.x", "_INBOX_operator.x", "$JS.API.STREAM.NAMES"]);
        allowed.extend([format!("evt.{domain}.nothing.1"), format!("ntf.{domain}.nothing")]);
        allowed.extend([format!("$JS.API.STREAM.CREATE.{own}"), format!("$JS.API.STREAM.UPDATE.{own}")]);
        allowed.extend(asked.iter().cloned());
        let mut forbidden = texts(&["$JS.API.ACCOUNT.PURGE.A", "$SYS.REQ.SERVER.PING", "anything.else"]);
        forbidden.extend(requests().into_iter().filter(|request| !asked.contains(request)));
        forbidden.extend(destructions(&own));
        for other in DOMAINS {
            let theirs = other.to_uppercase();
            let durable = format!("{theirs}.{domain}-on-{other}");
            forbidden.extend(["nothing", "internal.nothing"].map(|operation| format!("req.{other}.{operation}")));
            allowed.push(format!("_INBOX_{other}.x"));
            let consuming = ["INFO", "MSG.NEXT", "DURABLE.CREATE"].map(|it| format!("$JS.API.CONSUMER.{it}.{durable}"));
            let list = if sources.contains(other) { &mut allowed } else { &mut forbidden };
            list.extend(consuming);
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

/// Two of the rights that are made from the registrations, by name, and two that are not there.
#[test]
fn carts_asks_for_offers_and_for_stock_and_not_for_orders() {
    let Uses { name, requests, .. } = Uses::of::<carts::Carts>();
    assert_eq!(name, "carts");
    for subject in [GetOffers::subject(), CheckAvailability::subject()] {
        assert!(requests.contains(&subject), "{subject}");
    }
    for subject in [GetPayable::subject(), CreateAccount::subject()] {
        assert!(!requests.contains(&subject), "{subject}");
    }
}

/// Scenario 18: no user can subscribe to another user's inbox.
#[tokio::test]
async fn the_gateway_and_a_bare_client_request_and_subscribe_and_can_do_nothing_else() {
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
    // The gateway verifies tokens, so it may ask their signer what was revoked; of others it may not ask the same.
    let revocations = GetRevocations::subject();
    forbidden
        .extend(everywhere("req.<d>.internal.revocations").into_iter().filter(|operation| *operation != revocations));
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
    let operation = gateway.client.request(revocations.clone(), "{}".into()).await.unwrap();
    assert!(operation.payload.starts_with(b"{\"revocations\""), "{operation:?}");
    let gateways = [asks.clone(), vec![revocations.clone()], texts(&[subject::RATES])].concat();
    gateway.expect_publish(&gateways, &[forbidden.clone(), reads.clone()].concat()).await;
    let theirs = [&others.concat()[..], &texts(&["_INBOX.>"])].concat();
    gateway.expect_subscribe(&[facts.clone(), texts(&["_INBOX_gateway.>", subject::RATES])].concat(), &theirs).await;

    let mut cli = User::connect(&shop, "cli").await;
    let found = cli.client.request("req.catalog.list_products", "{}".into()).await.unwrap();
    assert!(found.payload.starts_with(b"{\"data\""), "{found:?}");
    assert!(jetstream::new(cli.client.clone()).get_stream("ORDERS").await.is_ok(), "it inspects streams");
    forbidden.extend([revocations, subject::RATES.to_owned()]);
    cli.expect_publish(&[asks, reads].concat(), &forbidden).await;
    let theirs = [&others.concat()[..], &texts(&["_INBOX_gateway.>", subject::RATES])].concat();
    cli.expect_subscribe(&[facts, texts(&["_INBOX.>"])].concat(), &theirs).await;
}

/// Scenario 18: the reply subject is an event's, or the server's own.
#[tokio::test]
async fn replies_are_sent_to_inboxes_only() {
    let shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(5, 100).await, shop.customer().await);
    let order = buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201).text_at("/id");
    buyer.wait_for_status(&order, "confirmed").await;
    let streams = jetstream::new(shop.nats_as("operator").await);
    let kept = async || streams.get_stream("ORDERS").await.unwrap().cached_info().state.first_sequence;
    assert_eq!(kept().await, 1);

    // Each is received by a user who may subscribe to it; the last one would show in the stream itself.
    let (operator, carts) = (User::connect(&shop, "operator").await, User::connect(&shop, "carts").await);
    let mut received = Vec::new();
    for (listener, trap) in
        [(&operator, "evt.orders.placed.7"), (&operator, "ntf.orders.forged"), (&carts, "req.carts.internal.log")]
    {
        received.push(listener.client.subscribe(trap).await.unwrap());
        listener.client.flush().await.unwrap();
    }
    let mut received = futures::stream::select_all(received);
    let traps = ["evt.orders.placed.7", "ntf.orders.forged", "req.carts.internal.log", "$JS.API.STREAM.PURGE.ORDERS"];

    let cli = User::connect(&shop, "cli").await;
    for trap in traps {
        cli.client.publish_with_reply("req.orders.get", trap, "{}".into()).await.unwrap();
        cli.client.publish_with_reply("$SRV.PING.orders", trap, "".into()).await.unwrap();
    }
    let expected = traps.len() as f64;
    wait_until("the requests arrived and were not answered", || async {
        shop.metric("requests_with_foreign_reply_total", &["domain=\"orders\""]).await >= expected
    })
    .await;
    // The service answers its calls in order: this one comes after those with a trap.
    let pong = cli.client.request("$SRV.PING.orders", "".into()).await.unwrap();
    assert!(!pong.payload.is_empty());
    let orders = User::connect(&shop, "orders").await;
    for (user, end) in [(&orders, "ntf.orders.forged"), (&operator, "req.carts.internal.log")] {
        user.client.publish(end, "the end".into()).await.unwrap();
        let first = received.next().await.unwrap();
        assert_eq!((&first.payload[..], &*first.subject), (&b"the end"[..], end));
    }
    assert_eq!(kept().await, 1, "the stream was purged");
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
             or exists (select 1 from pg_auth_members m where m.member = r.oid)
             from pg_roles r where rolname = current_user",
        )
        .fetch_one(&mut own)
        .await
        .unwrap();
        assert!(!special, "the role {domain} has rights of the whole server");
        for other in DOMAINS.into_iter().filter(|other| *other != domain).chain(["postgres", "template1"]) {
            let foreign = url.replace(&format!("/{domain}?"), &format!("/{other}?"));
            assert_ne!(foreign, url);
            let rejected = connect(&foreign).await.err().unwrap_or_else(|| panic!("{domain} is let into {other}"));
            let code = rejected.as_database_error().and_then(sqlx::error::DatabaseError::code).unwrap_or_default();
            assert_eq!(code, "42501", "{domain} into {other}: {rejected}");
        }
    }
    // The role of the checks reads everything and writes nothing, whatever it sets.
    for domain in DOMAINS {
        let mut check = connect(&stack.check_url(domain)).await.unwrap();
        sqlx::query("select * from event_log limit 1").fetch_optional(&mut check).await.unwrap();
        sqlx::query("set default_transaction_read_only = off").execute(&mut check).await.unwrap();
        for write in ["insert into log_trim values (1, 1)", "delete from dead_letter", "create table x (y int)"] {
            let rejected = sqlx::raw_sql(AssertSqlSafe(write)).execute(&mut check).await;
            assert!(rejected.is_err(), "souk_check may: {write}");
        }
    }
}
