//! The wire as the nats CLI sees it: no library of ours, no credentials.

use serde_json::json;
use subjects::DOMAINS;

use crate::harness::{address, nats_cli::Cli, shared_shop};

#[tokio::test]
async fn every_domain_is_a_service_with_its_endpoints() {
    let shop = &shared_shop().await;
    let Some(cli) = Cli::of(shop).await else { return };
    let listed = cli.say(&["micro", "ls"]).await;
    let pinged = cli.say(&["micro", "ping"]).await;
    let infos = cli.json(&["micro", "ls", "--json"]).await;
    shop.anonymous().get("/products?limit=1").await.expect_status(200);
    for domain in DOMAINS {
        assert!(listed.contains(&format!("The domain {domain} of souk")), "{domain}: {listed}");
        assert!(pinged.contains(domain), "{domain}: {pinged}");
        let info = infos.as_array().unwrap().iter().find(|info| info["name"] == domain).unwrap();
        let mut offered: Vec<_> = info["endpoints"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["subject"].as_str().unwrap().to_owned())
            .collect();
        let mut declared: Vec<_> = subjects::registry()
            .into_iter()
            .filter(|message| message.domain == domain && message.kind != subjects::MessageKind::Event)
            .map(|message| message.subject)
            .collect();
        declared.extend(
            ["list_dead_letters", "redrive_dead_letter", "list_audit_log"].map(|name| format!("req.{domain}.{name}")),
        );
        offered.retain(|subject| !subject.contains(".internal."));
        declared.retain(|subject| !subject.contains(".internal."));
        offered.sort();
        declared.sort();
        assert_eq!(offered, declared, "{domain}");
        assert!(cli.say(&["micro", "info", domain]).await.contains(&format!("The domain {domain} of souk")));
    }
    // The checks are no domain, and are found in the same way.
    assert!(listed.contains("The service operations of souk"), "{listed}");
    let stats = cli.json(&["micro", "stats", "catalog", "--json"]).await;
    let endpoints = stats[0]["endpoints"].as_array().unwrap();
    let list = endpoints.iter().find(|one| one["subject"] == "req.catalog.list_products").unwrap();
    assert!(list["num_requests"].as_u64() >= Some(1), "{stats}");
}

#[tokio::test]
async fn a_request_in_json_is_answered_in_json() {
    let shop = &shared_shop().await;
    let Some(cli) = Cli::of(shop).await else { return };
    let listed = shop.anonymous().get("/products?limit=1").await.expect_status(200);
    let id = listed.text_at("/data/0/id");
    let product = cli.json(&["req", "--raw", "req.catalog.get_product", &json!({ "id": id }).to_string()]).await;
    assert_eq!((&product["id"], &product["name"]), (&json!(id), &listed.body["data"][0]["name"]));
    let missing = cli.json(&["req", "--raw", "req.catalog.get_product", r#"{"id":"no-such-thing"}"#]).await;
    assert_eq!((&missing["success"], &missing["code"]), (&json!(false), &json!("product_not_found")));

    let rejected = cli.run(&["req", "req.orders.list", "{}"]).await;
    let said = format!("{}{}", String::from_utf8_lossy(&rejected.stdout), String::from_utf8_lossy(&rejected.stderr));
    for expected in ["Nats-Service-Error: unauthenticated", "Nats-Service-Error-Code: 401", "\"success\":false"] {
        assert!(said.contains(expected), "{said}");
    }
    let customer = shop.customer().await;
    let token = format!("Authorization:Bearer {}", customer.token());
    let orders = cli.json(&["req", "--raw", "-H", &token, "req.orders.list", "{}"]).await;
    assert_eq!(orders["data"], json!([]));
    let internal = cli.run(&["req", "req.identity.internal.create_account", "{}"]).await;
    let said = String::from_utf8_lossy(&internal.stderr);
    assert!(said.to_lowercase().contains("permissions violation"), "{said}");
}

#[tokio::test]
async fn all_events_of_an_order_pass_by() {
    let shop = &shared_shop().await;
    let Some(cli) = Cli::of(shop).await else { return };
    let variant = shop.product(5, 1200).await;
    let buyer = shop.customer().await;
    let mut events = cli.subscribe(shop, "evt.>").await;
    let order = buyer.order(&variant, 2, Some("pm_card_visa")).await.expect_status(201);
    let id = order.text_at("/id");
    let seen_events = events.until("souk.inventory.committed", |seen| seen.body["order_id"] == id).await;
    events.stop().await;

    let types: Vec<&str> = seen_events.iter().map(|seen| seen.header("ce-type")).collect();
    let expected = [
        "souk.orders.placed",
        "souk.inventory.reserved",
        "souk.orders.payment_due",
        "souk.payments.succeeded",
        "souk.orders.confirmed",
        "souk.inventory.committed",
    ];
    // A payment may tell of the provider's intent on its way.
    let said: Vec<&str> = types.iter().copied().filter(|kind| *kind != "souk.payments.intent_created").collect();
    assert_eq!(said, expected, "{types:?}");
    for seen in &seen_events {
        let (kind, subject) = (seen.header("ce-type").trim_start_matches("souk."), seen.subject.as_str());
        let (event, partition) = subject.rsplit_once('.').unwrap();
        assert_eq!(event, format!("evt.{kind}"));
        assert!(partition.parse::<u8>().is_ok_and(|partition| partition < 64), "{subject}");
        assert!(seen.header("ce-id").parse::<uuid::Uuid>().is_ok() && !seen.headers.contains_key("Nats-Msg-Id"));
        assert_eq!(seen.header("ce-specversion"), "1.0");
        let domain = kind.split('.').next().unwrap();
        assert_eq!(seen.header("ce-source"), format!("/souk/{domain}"));
        assert!(seen.header("ce-time").ends_with('Z'));
        assert_eq!(seen.headers.len(), 7, "each header has its price: {seen:?}");
        let request_id = seen.head().request_id;
        assert!(request_id.is_some() && request_id == seen_events[0].head().request_id, "one request caused it all");
    }
    let find = |kind: &str| seen_events.iter().find(|seen| seen.header("ce-type") == format!("souk.{kind}")).unwrap();
    for (cause, effect) in [
        ("orders.placed", "inventory.reserved"),
        ("inventory.reserved", "orders.payment_due"),
        ("payments.succeeded", "orders.confirmed"),
        ("orders.confirmed", "inventory.committed"),
    ] {
        assert_eq!(find(effect).head().cause, find(cause).head().id, "{effect} is caused by {cause}");
    }
    for domain in ["orders", "inventory"] {
        let of_order = seen_events.iter().filter(|seen| seen.header("ce-source") == format!("/souk/{domain}"));
        let versions: Vec<i64> = of_order
            .inspect(|seen| assert_eq!(seen.header("ce-subject"), id))
            .map(|seen| seen.head().version)
            .collect();
        assert_eq!(versions, (1..=versions.len() as i64).collect::<Vec<_>>(), "{domain}: no version is left out");
    }
    assert_eq!(find("orders.placed").body["items"][0]["quantity"], 2);
}

#[tokio::test]
async fn one_order_is_followed_by_its_notices() {
    let shop = &shared_shop().await;
    let Some(cli) = Cli::of(shop).await else { return };
    let variant = shop.product(5, 1200).await;
    let buyer = shop.customer().await;
    let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address()});
    let id = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    let mut notices = cli.subscribe(shop, &format!("ntf.orders.{id}")).await;
    let intent = buyer.post_once("/payments/intents", &json!({ "order_id": id })).await.expect_status(201);
    let path = format!("/sandbox/payments/{}/confirm", intent.text_at("/id"));
    shop.anonymous().post(&path, &json!({})).await.expect_status(200);
    let seen_events = notices.until("souk.orders.confirmed", |_| true).await;
    notices.stop().await;
    for seen in &seen_events {
        assert_eq!(
            (seen.subject.as_str(), seen.header("ce-subject")),
            (format!("ntf.orders.{id}").as_str(), id.as_str())
        );
        assert_eq!(seen.body["order_id"], id);
    }
}

#[tokio::test]
async fn streams_and_consumers_are_read_only() {
    let shop = &shared_shop().await;
    let Some(cli) = Cli::of(shop).await else { return };
    let mut streams: Vec<_> = cli.say(&["stream", "ls", "--names"]).await.lines().map(str::to_owned).collect();
    streams.retain(|name| !name.is_empty());
    streams.sort();
    let mut expected: Vec<_> = DOMAINS.iter().map(|domain| domain.to_uppercase()).collect();
    expected.sort();
    assert_eq!(streams, expected);
    let report = cli.say(&["consumer", "report", "ORDERS"]).await;
    for consumer in ["inventory-on-orders", "payments-on-orders", "carts-on-orders"] {
        let line = report.lines().find(|line| line.contains(consumer));
        let line = line.unwrap_or_else(|| panic!("{consumer} is missing:\n{report}"));
        assert!(line.contains("Pull") && line.contains("None"), "the inbox is the ack: {line}");
    }
    let info = cli.json(&["stream", "info", "ORDERS", "--json"]).await;
    assert_eq!(info["config"]["subjects"], json!(["evt.orders.>"]));
    assert_eq!((&info["config"]["retention"], &info["config"]["storage"]), (&json!("limits"), &json!("file")));
    for forbidden in [["stream", "rm", "ORDERS", "-f"], ["stream", "purge", "ORDERS", "-f"]] {
        let output = cli.run(&forbidden).await;
        let said = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(!output.status.success() && said.contains("permissions violation"), "{forbidden:?}: {said}");
    }
}
