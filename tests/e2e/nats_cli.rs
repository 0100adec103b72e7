//! The wire as the nats CLI sees it: no library of ours, no credentials.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use subjects::DOMAINS;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};

use crate::harness::{Shop, address, programs, shared_shop};

/// How long a command, or the next message, may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The CLI at a shop's NATS.
struct Cli {
    program: PathBuf,
    server: String,
    // Contexts of whoever runs the tests have no say.
    home: tempfile::TempDir,
}

impl Cli {
    /// `None` where the CLI cannot be had.
    async fn of(shop: &Shop) -> Option<Self> {
        let home = tempfile::tempdir().unwrap();
        Some(Self { program: programs::nats_cli().await?, server: shop.nats.clone(), home })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        let home: &Path = self.home.path();
        command.env("HOME", home).env("XDG_CONFIG_HOME", home).args(["--server", &self.server, "--timeout", "2s"]);
        for unset in ["NATS_URL", "NATS_NKEY", "NATS_CREDS", "NATS_CONTEXT", "NATS_USER", "NATS_PASSWORD"] {
            command.env_remove(unset);
        }
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let output = tokio::time::timeout(PATIENCE, self.command(arguments).output()).await;
        output.unwrap_or_else(|_| panic!("nats {arguments:?} hangs")).unwrap()
    }

    /// What a command that succeeds prints.
    async fn say(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "nats {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    async fn json(&self, arguments: &[&str]) -> Value {
        let text = self.say(arguments).await;
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("nats {arguments:?}: {error}\n{text}"))
    }

    /// Follows subjects; returns when the server has the subscription.
    async fn subscribe(&self, shop: &Shop, subject: &str) -> Subscription {
        // Subscribed last, so that whoever hears this one hears the other.
        let probe = format!("ntf.probe.{}", uuid::Uuid::now_v7());
        let mut command = self.command(&["sub", subject, &probe]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        while !said.contains("Subscribing on") {
            let line = tokio::time::timeout(PATIENCE, errors.next_line()).await.expect("nats sub says nothing");
            said += &line.unwrap().unwrap_or_else(|| panic!("nats sub ended: {said}"));
        }
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut subscription = Subscription { child, lines, ahead: None };
        let operator = shop.nats_as("operator").await;
        let sound = async {
            loop {
                operator.publish(probe.clone(), "{}".into()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::select! {
            () = sound => {}
            () = async { while subscription.next().await.subject != probe {} } => {}
        }
        subscription
    }
}

/// A message as `nats sub` shows it.
#[derive(Debug)]
struct Seen {
    subject: String,
    headers: BTreeMap<String, String>,
    body: Value,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name}: {self:?}"))
    }
}

/// A running `nats sub`.
struct Subscription {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    ahead: Option<String>,
}

impl Subscription {
    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.expect("nothing more comes");
        line.unwrap().expect("nats sub ended")
    }

    /// `[#7] Received on "subject" ...`, the headers, an empty line, the body.
    async fn next(&mut self) -> Seen {
        let first = loop {
            let line = match self.ahead.take() {
                Some(line) => line,
                None => self.line().await,
            };
            if line.starts_with("[#") {
                break line;
            }
        };
        let subject = first.split('"').nth(1).unwrap_or_else(|| panic!("no subject in {first:?}")).to_owned();
        let (mut headers, mut body) = (BTreeMap::new(), String::new());
        // A message without headers begins with its body.
        loop {
            let line = self.line().await;
            match line.split_once(": ") {
                Some((name, value)) if !name.starts_with('{') => {
                    drop(headers.insert(name.to_owned(), value.to_owned()))
                }
                _ if line.is_empty() && !headers.is_empty() => {
                    body = self.line().await;
                    break;
                }
                _ => {
                    body += &line;
                    break;
                }
            }
        }
        let body = serde_json::from_str(&body).unwrap_or_else(|error| panic!("{subject}: {error}\n{body:?}"));
        Seen { subject, headers, body }
    }

    /// Reads on until an event of a type comes; gives those that `belongs` picks.
    async fn until(&mut self, last: &str, belongs: impl Fn(&Seen) -> bool) -> Vec<Seen> {
        let mut story = Vec::new();
        loop {
            let seen = self.next().await;
            if !seen.headers.contains_key("ce-type") || !belongs(&seen) {
                continue;
            }
            let is_last = seen.header("ce-type") == last;
            story.push(seen);
            if is_last {
                return story;
            }
        }
    }

    async fn stop(mut self) {
        self.child.kill().await.unwrap();
    }
}

#[tokio::test]
async fn every_domain_is_a_service_with_its_endpoints() {
    let shop = shared_shop().await;
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
        let mut declared: Vec<_> = subjects::catalogue()
            .into_iter()
            .filter(|message| message.domain == domain && message.kind != subjects::MessageKind::Event)
            .map(|message| message.subject)
            .collect();
        offered.retain(|subject| !subject.contains(".internal."));
        declared.retain(|subject| !subject.contains(".internal."));
        offered.sort();
        declared.sort();
        assert_eq!(offered, declared, "{domain}");
        assert!(cli.say(&["micro", "info", domain]).await.contains(&format!("The domain {domain} of souk")));
    }
    let stats = cli.json(&["micro", "stats", "catalog", "--json"]).await;
    let endpoints = stats[0]["endpoints"].as_array().unwrap();
    let list = endpoints.iter().find(|one| one["subject"] == "req.catalog.list_products").unwrap();
    assert!(list["num_requests"].as_u64() >= Some(1), "{stats}");
}

#[tokio::test]
async fn a_request_in_json_is_answered_in_json() {
    let shop = shared_shop().await;
    let Some(cli) = Cli::of(shop).await else { return };
    let listed = shop.anonymous().get("/products?limit=1").await.expect_status(200);
    let id = listed.text_at("/data/0/id");
    let product = cli.json(&["req", "--raw", "req.catalog.get_product", &json!({ "id": id }).to_string()]).await;
    assert_eq!((&product["id"], &product["name"]), (&json!(id), &listed.body["data"][0]["name"]));
    let missing = cli.json(&["req", "--raw", "req.catalog.get_product", r#"{"id":"no-such-thing"}"#]).await;
    assert_eq!((&missing["success"], &missing["code"]), (&json!(false), &json!("product_not_found")));

    let refused = cli.run(&["req", "req.orders.list", "{}"]).await;
    let told = format!("{}{}", String::from_utf8_lossy(&refused.stdout), String::from_utf8_lossy(&refused.stderr));
    for expected in ["Nats-Service-Error: unauthenticated", "Nats-Service-Error-Code: 401", "\"success\":false"] {
        assert!(told.contains(expected), "{told}");
    }
    let customer = shop.customer().await;
    let token = format!("Authorization:Bearer {}", customer.token());
    let orders = cli.json(&["req", "--raw", "-H", &token, "req.orders.list", "{}"]).await;
    assert_eq!(orders["data"], json!([]));
    let internal = cli.run(&["req", "req.identity.internal.create_account", "{}"]).await;
    let told = String::from_utf8_lossy(&internal.stderr);
    assert!(told.to_lowercase().contains("permissions violation"), "{told}");
}

#[tokio::test]
async fn the_whole_story_of_an_order_passes_by() {
    let shop = shared_shop().await;
    let Some(cli) = Cli::of(shop).await else { return };
    let variant = shop.product(5, 1200).await;
    let buyer = shop.customer().await;
    let mut events = cli.subscribe(shop, "evt.>").await;
    let order = buyer.order(&variant, 2, Some("pm_card_visa")).await.expect_status(201);
    let id = order.text_at("/id");
    let story = events.until("souk.inventory.committed", |seen| seen.body["order_id"] == id).await;
    events.stop().await;

    let types: Vec<&str> = story.iter().map(|seen| seen.header("ce-type")).collect();
    let expected = [
        "souk.orders.placed",
        "souk.inventory.reserved",
        "souk.orders.payment_due",
        "souk.payments.succeeded",
        "souk.orders.confirmed",
        "souk.inventory.committed",
    ];
    // A payment may tell of the provider's intent on its way.
    let told: Vec<&str> = types.iter().copied().filter(|kind| *kind != "souk.payments.intent_created").collect();
    assert_eq!(told, expected, "{types:?}");
    for seen in &story {
        let (kind, subject) = (seen.header("ce-type").trim_start_matches("souk."), seen.subject.as_str());
        let (event, partition) = subject.rsplit_once('.').unwrap();
        assert_eq!(event, format!("evt.{kind}"));
        assert!(partition.parse::<u8>().is_ok_and(|partition| partition < 64), "{subject}");
        assert_eq!(seen.header("ce-id"), seen.header("Nats-Msg-Id"));
        assert_eq!(seen.header("ce-specversion"), "1.0");
        assert_eq!(seen.header("ce-datacontenttype"), "application/json");
        let domain = kind.split('.').next().unwrap();
        assert_eq!(seen.header("ce-source"), format!("/souk/{domain}"));
        assert!(seen.header("ce-time").ends_with('Z'));
        assert!(seen.header("ce-position").split_once('.').is_some(), "era and position: {seen:?}");
        assert_eq!(seen.headers.get("X-Request-Id"), story[0].headers.get("X-Request-Id"), "one request caused it all");
    }
    let find = |kind: &str| story.iter().find(|seen| seen.header("ce-type") == format!("souk.{kind}")).unwrap();
    for (cause, effect) in [
        ("orders.placed", "inventory.reserved"),
        ("inventory.reserved", "orders.payment_due"),
        ("payments.succeeded", "orders.confirmed"),
        ("orders.confirmed", "inventory.committed"),
    ] {
        assert_eq!(find(effect).header("ce-causationid"), find(cause).header("ce-id"), "{effect} is caused by {cause}");
    }
    for domain in ["orders", "inventory"] {
        let of_order = story.iter().filter(|seen| seen.header("ce-source") == format!("/souk/{domain}"));
        let versions: Vec<i64> = of_order
            .inspect(|seen| assert_eq!(seen.header("ce-subject"), id))
            .map(|seen| seen.header("ce-entityversion").parse().unwrap())
            .collect();
        assert_eq!(versions, (1..=versions.len() as i64).collect::<Vec<_>>(), "{domain}: no version is left out");
    }
    assert_eq!(find("orders.placed").body["items"][0]["quantity"], 2);
}

#[tokio::test]
async fn one_order_is_followed_by_its_notices() {
    let shop = shared_shop().await;
    let Some(cli) = Cli::of(shop).await else { return };
    let variant = shop.product(5, 1200).await;
    let buyer = shop.customer().await;
    let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address()});
    let id = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    let mut notices = cli.subscribe(shop, &format!("ntf.orders.{id}")).await;
    let intent = buyer.post_once("/payments/intents", &json!({ "order_id": id })).await.expect_status(201);
    let path = format!("/sandbox/payments/{}/confirm", intent.text_at("/id"));
    shop.anonymous().post(&path, &json!({})).await.expect_status(200);
    let story = notices.until("souk.orders.confirmed", |_| true).await;
    notices.stop().await;
    for seen in &story {
        assert_eq!(
            (seen.subject.as_str(), seen.header("ce-subject")),
            (format!("ntf.orders.{id}").as_str(), id.as_str())
        );
        assert_eq!(seen.body["order_id"], id);
    }
}

#[tokio::test]
async fn streams_and_consumers_are_there_to_be_looked_at_and_nothing_else() {
    let shop = shared_shop().await;
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
        let told = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(!output.status.success() && told.contains("permissions violation"), "{forbidden:?}: {told}");
    }
}
