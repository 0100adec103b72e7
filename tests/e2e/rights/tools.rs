//! Who inspects: the operator, and the checks.

use async_nats::jetstream;
use contract::Request;
use futures::TryStreamExt;
use subjects::{
    DOMAINS,
    identity::{GetKeys, GetRevocations},
};

use super::user::{User, destructions, texts};
use crate::harness::{Shop, nats_cli::Cli};

fn everywhere(patterns: &[&str]) -> Vec<String> {
    let of = |domain: &str, pattern: &&str| pattern.replace("<d>", domain).replace("<D>", &domain.to_uppercase());
    DOMAINS.iter().flat_map(|domain| patterns.iter().map(|pattern| of(domain, pattern))).collect()
}

#[tokio::test]
async fn the_operator_inspects_and_edits_and_neither_forges_an_event_nor_reads_a_token() {
    let shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(5, 100).await, shop.customer().await);
    let order = buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201).text_at("/id");
    buyer.wait_for_status(&order, "confirmed").await;

    // Its work: streams, consumers, single messages, and internal operations of domains.
    let mut operator = User::connect(&shop, "operator").await;
    let streams = jetstream::new(operator.client.clone());
    let names: Vec<String> = streams.stream_names().try_collect().await.unwrap();
    assert_eq!(names.len(), DOMAINS.len(), "{names:?}");
    let stream = streams.get_stream("CARTS").await.unwrap();
    streams.update_stream(stream.cached_info().config.clone()).await.unwrap();
    let orders = streams.get_stream("ORDERS").await.unwrap();
    assert!(orders.get_raw_message(1).await.unwrap().headers.get("ce-id").is_some());
    assert!(orders.consumer_info("inventory-on-orders").await.is_ok());
    for (subject, body, answer) in [
        ("req.orders.internal.dead_letters", r#"{"limit":1}"#, r#"{"data":[],"#),
        ("req.orders.internal.republish", "{}", r#"{"is_started":"#),
        ("$SRV.PING.orders", "", "io.nats.micro"),
    ] {
        let answered = operator.client.request(subject, body.into()).await.unwrap();
        let text = String::from_utf8_lossy(&answered.payload);
        assert!(text.contains(answer), "{subject}: {text}");
    }
    operator
        .expect_subscribe(&texts(&["evt.>", "ntf.>", "$JS.EVENT.>", "_INBOX_operator.>"]), &{
            let mut forbidden =
                texts(&[">", "*.>", "_INBOX.>", "_INBOX_gateway.>", "_INBOX_check.>", "req.>", "req.*.*"]);
            forbidden.extend(texts(&["$JS.API.>", "$SRV.>", "req.operations.>"]));
            forbidden.extend(everywhere(&["req.<d>.>", "_INBOX_<d>.>"]));
            forbidden
        })
        .await;
    let mut forbidden = texts(&["anything.else", "_INBOX.x", "_INBOX_gateway.x", "$SYS.REQ.SERVER.PING"]);
    forbidden.extend(everywhere(&["evt.<d>.nothing.1", "ntf.<d>.nothing", "_INBOX_<d>.x"]));
    let mut allowed = everywhere(&["req.<d>.nothing", "req.<d>.internal.nothing", "$JS.API.STREAM.INFO.<D>"]);
    allowed.extend(texts(&["$SRV.PING", "$SYS.REQ.USER.INFO", "$JS.API.INFO"]));
    operator.expect_publish(&allowed, &forbidden).await;
}

/// As the pages tell people to do it.
#[tokio::test]
async fn the_nats_cli_works_as_the_operator() {
    let shop = Shop::start(&[]).await;
    let Some(cli) = Cli::of(&shop).await else { return };
    let (variant, buyer) = (shop.product(5, 100).await, shop.customer().await);
    let order = buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201).text_at("/id");
    buyer.wait_for_status(&order, "confirmed").await;
    let key = shop.stack().nats_keys().join("operator.nk");
    let options = ["--nkey", key.to_str().unwrap(), "--inbox-prefix", "_INBOX_operator"];
    let say = async |command: &str| {
        let arguments: Vec<&str> = options.into_iter().chain(command.split(' ')).collect();
        cli.say(&arguments).await
    };
    for (command, expected) in [
        ("stream ls", "ORDERS"),
        ("stream info ORDERS", "evt.orders.>"),
        ("stream report", "ORDERS"),
        ("stream get ORDERS 1", "ce-type: souk.orders.placed"),
        ("stream subjects ORDERS", "evt.orders.placed."),
        ("consumer ls ORDERS", "inventory-on-orders"),
        ("consumer info ORDERS inventory-on-orders", "inventory-on-orders"),
        ("consumer report ORDERS", "inventory-on-orders"),
        ("account info", "JetStream Account Information"),
        ("micro ls", "The domain orders of souk"),
        ("micro stats orders", "Service Statistics"),
        ("req --raw req.orders.internal.dead_letters {}", "\"data\":[]"),
        ("stream purge CARTS -f", "CARTS"),
    ] {
        let said = say(command).await;
        assert!(said.contains(expected), "nats {command}: {said}");
    }
}

#[tokio::test]
async fn the_checks_read_every_stream_and_touch_no_durable() {
    let shop = Shop::start(&[]).await;
    shop.check_clean().await;
    let mut check = User::connect(&shop, "check").await;
    let mut allowed = everywhere(&[
        "$JS.API.STREAM.INFO.<D>",
        "$JS.API.CONSUMER.CREATE.<D>",
        "$JS.API.CONSUMER.CREATE.<D>.own",
        "$JS.API.CONSUMER.MSG.NEXT.<D>.own",
        "$JS.API.CONSUMER.DELETE.<D>.own",
        "_INBOX_<d>.x",
    ]);
    allowed.extend(texts(&["_INBOX.x", "_INBOX_gateway.x", "_INBOX_operator.x"]));
    // It verifies access tokens, and asks domains nothing else.
    allowed.extend([GetKeys::subject(), GetRevocations::subject()]);
    let mut forbidden =
        everywhere(&["evt.<d>.nothing.1", "ntf.<d>.nothing", "req.<d>.nothing", "req.<d>.internal.log"]);
    forbidden.extend(texts(&["anything.else", "$JS.API.ACCOUNT.PURGE.A", "$SYS.REQ.SERVER.PING"]));
    for source in DOMAINS {
        let stream = source.to_uppercase();
        forbidden.extend(destructions(&stream));
        forbidden.extend(["CREATE", "UPDATE"].map(|what| format!("$JS.API.STREAM.{what}.{stream}")));
        for domain in DOMAINS {
            let durable = format!("{stream}.{domain}-on-{source}");
            let hands = ["CREATE", "DURABLE.CREATE", "MSG.NEXT", "DELETE"];
            forbidden.extend(hands.map(|what| format!("$JS.API.CONSUMER.{what}.{durable}")));
        }
    }
    check.expect_publish(&allowed, &forbidden).await;

    let mut forbidden = texts(&[">", "evt.>", "ntf.>", "_INBOX.>", "_INBOX_gateway.>", "req.>", "$JS.>"]);
    forbidden.extend(everywhere(&["req.<d>.>", "_INBOX_<d>.>"]));
    check.expect_subscribe(&texts(&["req.operations.>", "$SRV.>", "_INBOX_check.>"]), &forbidden).await;
}
