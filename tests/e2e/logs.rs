//! What a run leaves in the logs: lines with stable messages and fields, the request's id on each of them, and no
//! secret and no personal data.

use std::{collections::BTreeSet, path::Path};

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Person, Shop};

/// The targets of the shop's own lines, up to the first `::`. The others are those of libraries.
const OWN: [&str; 14] = [
    "carts",
    "catalog",
    "check",
    "gateway",
    "http",
    "identity",
    "inventory",
    "orders",
    "payments",
    "pricing",
    "runtime",
    "server",
    "souk",
    "stack",
];

const PASSWORD: &str = "Quokka saddle thunder 93";

/// What must not be in a log, and what it is.
type Planted = Vec<(&'static str, String)>;

/// The ids that lines must have.
struct Run {
    user: String,
    /// The order that was paid.
    paid: Answer,
    /// The order whose card was declined.
    declined: String,
}

async fn send(person: &Person, path: &str, request_id: &str, body: &Value) -> Answer {
    let headers = [("X-Request-Id", request_id), ("Idempotency-Key", request_id), ("Prefer", "wait=10")];
    person.request(Method::POST, path, Some(body), &headers).await
}

fn order(variant: &str, method: &str) -> Value {
    json!({
        "items": [{"variant_id": variant, "quantity": 2}],
        "payment": {"method": method},
        "notes": "Ring at Zibblethwaite",
        "shipping_address": {"street": "77 Quagmire Lane", "city": "Zwyndale", "zip_code": "90417", "country": "US"},
    })
}

/// An account, its sessions, orders of every ending, and a guest's order.
async fn run(shop: &Shop, planted: &mut Planted) -> Run {
    let (anyone, variant) = (shop.anonymous(), shop.product(20, 1500).await);
    let mark = uuid::Uuid::now_v7().simple().to_string();
    let email = format!("quillfeather-{mark}@example.com");
    let account = json!({"email": email, "password": PASSWORD, "first_name": "Marlowina", "last_name": "Zwingenberg",
        "username": format!("quizzical-{mark}"), "phone": "+49 170 5550199"});
    let session = send(&anyone, "/auth/register", "log-register", &account).await.expect_status(201);
    let wrong = json!({"email": email, "password": "Wombat saddle thunder 93"});
    send(&anyone, "/auth/login", "log-wrong", &wrong).await.expect_error(401, "wrong_credentials");
    let right = json!({"email": email, "password": PASSWORD});
    let login = send(&anyone, "/auth/login", "log-login", &right).await.expect_status(200);
    let again = json!({"refresh_token": login.text_at("/refresh_token")});
    let refreshed = send(&anyone, "/auth/refresh", "log-refresh", &again).await.expect_status(200);
    for answer in [&session, &login, &refreshed] {
        planted.push(("an access token", answer.text_at("/access_token")));
        planted.push(("a refresh token", answer.text_at("/refresh_token")));
    }

    let buyer = anyone.clone().with_token(refreshed.text_at("/access_token"));
    let paid = send(&buyer, "/orders", "log-paid", &order(&variant, "pm_card_visa")).await.expect_status(201);
    assert_eq!(paid.text_at("/status"), "confirmed", "{}", paid.body);
    let declined = send(&buyer, "/orders", "log-declined", &order(&variant, "pm_card_visa_chargeDeclined")).await;
    let declined = declined.expect_status(201).text_at("/id");
    buyer.wait_for_status(&declined, "failed").await;
    for number in ["4242424242424242", "4242 4242 4242 4242"] {
        send(&buyer, "/orders", "log-card", &order(&variant, number)).await.expect_status(422);
        planted.push(("a card number", number.to_owned()));
    }
    let asks = send(&buyer, "/orders", "log-asks", &order(&variant, "pm_card_authenticationRequired")).await;
    let asks = asks.expect_status(201);
    planted.push(("a client secret", asks.text_at("/payment/client_secret")));
    buyer.post(&format!("/orders/{}/cancel", asks.text_at("/id")), &json!({})).await.expect_status(200);

    let token = anyone.post("/carts", &json!({})).await.expect_status(201).text_at("/token");
    let guest = anyone.with_cart(token.clone());
    guest.post("/cart/items", &json!({"variant_id": variant, "quantity": 1})).await.expect_status(200);
    let mut body = order(&variant, "pm_card_visa");
    body["email"] = json!(format!("guest-{email}"));
    body.as_object_mut().unwrap().remove("items");
    send(&guest, "/orders", "log-guest", &body).await.expect_status(201);

    planted.push(("a cart token", token));
    planted.extend([
        ("an e-mail address", email),
        ("its local part", format!("quillfeather-{mark}")),
        ("a username", format!("quizzical-{mark}")),
        ("a password", PASSWORD.to_owned()),
        ("a wrong password", "Wombat saddle thunder 93".to_owned()),
        ("the password of the demo accounts", "souk-demo-password".to_owned()),
    ]);
    let names = ["Marlowina", "Zwingenberg", "170 5550199", "Quagmire", "Zwyndale", "Zibblethwaite"];
    planted.extend(names.map(|value| ("a name, a number or an address", value.to_owned())));
    Run { user: session.text_at("/user/id"), paid, declined }
}

/// The text of all files of a directory whose names begin so.
fn text_of(directory: &Path, name: &str) -> String {
    let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let named = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(name));
    let mut text = String::new();
    let mut count = 0;
    for file in named {
        text.push_str(&String::from_utf8_lossy(&std::fs::read(file).unwrap()));
        count += 1;
    }
    assert!(count > 0, "no file {name} in {}", directory.display());
    text
}

fn lines_of(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// The lines with a message whose field has a value; there must be one.
#[track_caller]
fn lines_with<'a>(lines: &'a [Value], message: &str, field: &str, value: &str) -> Vec<&'a Value> {
    let found: Vec<_> = lines.iter().filter(|line| line["message"] == message && line[field] == value).collect();
    assert!(!found.is_empty(), "no line {message:?} with {field} {value:?}");
    found
}

#[tokio::test]
async fn a_run_is_in_the_logs_with_its_ids_and_without_secrets_and_personal_data() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    let settings = [("SOUK_LOG", "debug"), ("SOUK_LOG_SINKS", "file,errors"), ("SOUK_LOG_DIR", logs.to_str().unwrap())];
    let shop = Shop::start_whole(&settings).await;
    let mut planted = Planted::new();
    let run = run(&shop, &mut planted).await;
    let servers = shop.stack().home.join("log");
    let of_servers = text_of(&servers, "postgres") + &text_of(&servers, "nats");
    // The lines that wait are written when it ends.
    drop(shop);

    let (text, errors) = (text_of(&logs, "souk."), text_of(&logs, "errors."));
    for (what, value) in &planted {
        for (place, text) in [("the log", &text), ("the log of errors", &errors), ("a server's log", &of_servers)] {
            let line = text.lines().find(|line| line.contains(value.as_str()));
            assert!(line.is_none(), "{what} is in {place}: {}", line.unwrap_or_default());
        }
    }
    let (lines, errors) = (lines_of(&text), lines_of(&errors));
    every_line_has_its_parts(&lines, &errors);
    requests_are_logged(&lines, &run);
    steps_are_logged(&lines, &run);
    lines_have_the_fields_of_their_spans(&lines);
}

fn every_line_has_its_parts(lines: &[Value], errors: &[Value]) {
    let text = Value::to_string;
    for line in lines {
        let time = line["timestamp"].as_str().unwrap();
        assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok_and(|time| time.timezone().utc_minus_local() == 0));
        assert!(["ERROR", "WARN", "INFO", "DEBUG"].contains(&line["level"].as_str().unwrap()), "{line}");
        let target = line["target"].as_str().unwrap();
        if OWN.contains(&target.split("::").next().unwrap()) {
            assert!(line["message"].is_string(), "{line}");
            let is_clean =
                ["[redacted]", "9999999999999999", "9999 9999"].iter().all(|mark| !text(line).contains(mark));
            assert!(is_clean, "the scrubber had something to do: {line}");
        }
    }
    // Threads may write to the two files in different orders.
    let of_errors: BTreeSet<_> = lines.iter().filter(|line| line["level"] == "ERROR").map(text).collect();
    assert_eq!(errors.iter().map(text).collect::<BTreeSet<_>>(), of_errors);
}

/// The gateway's lines: a request, whose it is, where it was sent, and how it ended.
fn requests_are_logged(lines: &[Value], run: &Run) {
    let request = |id: &str| {
        let found = lines_with(lines, "request completed", "request_id", id);
        let line = found[0].clone();
        assert_eq!(
            (&line["target"], &line["level"], &line["method"]),
            (&json!("http"), &json!("INFO"), &json!("POST"))
        );
        assert!(line["latency_ms"].as_f64().is_some_and(|latency| latency > 0.0), "{line}");
        line
    };
    let paid = request("log-paid");
    assert_eq!((&paid["route"], &paid["status"]), (&json!("/api/v1/orders"), &json!(201)));
    assert_eq!((&paid["service"], &paid["user_id"]), (&json!("orders"), &json!(run.user)));
    assert!(paid.get("error").is_none(), "{paid}");
    let wrong = request("log-wrong");
    assert_eq!((&wrong["service"], &wrong["status"]), (&json!("identity"), &json!(401)));
    assert_eq!(wrong["error"], "wrong_credentials");
    assert!(wrong.get("user_id").is_none(), "{wrong}");
    assert_eq!(request("log-card")["status"], 422);

    let forwarded = lines_with(lines, "request forwarded", "request_id", "log-paid");
    let place = forwarded.iter().find(|line| line["operation"] == "place").unwrap();
    assert_eq!((&place["service"], &place["status"]), (&json!("orders"), &json!(200)));
    assert_eq!((&place["route"], &place["user_id"]), (&json!("/api/v1/orders"), &json!(run.user)));
    assert!(place["latency_ms"].is_number(), "{place}");
    let wrong = lines_with(lines, "request forwarded", "request_id", "log-wrong");
    assert_eq!((&wrong[0]["operation"], &wrong[0]["status"]), (&json!("login"), &json!(401)));
}

/// The domains' lines: databases, accounts, orders, stock, payments.
fn steps_are_logged(lines: &[Value], run: &Run) {
    for domain in subjects::DOMAINS {
        lines_with(lines, "database connected", "domain", domain);
    }
    let registered = lines_with(lines, "account created", "request_id", "log-register");
    assert_eq!((&registered[0]["user_id"], &registered[0]["role"]), (&json!(run.user), &json!("customer")));
    assert_eq!(lines_with(lines, "logged in", "request_id", "log-login")[0]["user_id"], run.user);

    let order = run.paid.text_at("/id");
    let created = lines_with(lines, "order created", "order_id", &order)[0];
    assert_eq!((&created["user_id"], &created["request_id"]), (&json!(run.user), &json!("log-paid")));
    assert_eq!(created["order_number"], run.paid.text_at("/order_number"));

    let reserved = lines_with(lines, "inventory reserved", "order_id", &order)[0];
    for field in ["product_id", "variant_id"] {
        assert_eq!(reserved[field], run.paid.text_at(&format!("/items/0/{field}")), "{reserved}");
    }
    assert_eq!((&reserved["quantity"], &reserved["request_id"]), (&json!(2), &json!("log-paid")));

    // The request's id goes through all events and effects.
    for (message, events) in
        [("order changed", vec!["confirmed", "payment_due"]), ("payment changed", vec!["succeeded"])]
    {
        let changes = lines_with(lines, message, "order_id", &order);
        let found: BTreeSet<_> = changes.iter().map(|line| line["event"].as_str().unwrap()).collect();
        assert!(events.iter().all(|event| found.contains(event)), "{message}: {found:?}");
        for line in changes {
            assert_eq!(line["request_id"], "log-paid", "{line}");
            assert!(line["status"].is_string() && line["cause"].is_string(), "{line}");
        }
    }
    let performed = lines_with(lines, "effect performed", "request_id", "log-paid");
    assert!(performed.iter().all(|line| line["domain"] == "payments" && line["latency_ms"].is_number()));

    let failed = lines_with(lines, "payment failed", "order_id", &run.declined)[0];
    assert_eq!((&failed["code"], &failed["request_id"]), (&json!("card_declined"), &json!("log-declined")));
    assert!(failed["payment_id"].is_string(), "{failed}");
}

/// Lines of libraries too, here those of statements. Those of the simulated provider belong to many effects at once.
fn lines_have_the_fields_of_their_spans(lines: &[Value]) {
    let statements: Vec<_> = lines.iter().filter(|line| line["target"] == "sqlx::query").collect();
    let has = |name: &str, fields: &[(&str, &str)]| {
        let is_in = |line: &&&Value| {
            line["span"]["name"] == name && fields.iter().all(|(field, value)| line["span"][*field] == *value)
        };
        assert!(statements.iter().any(|line| is_in(&line)), "no statement in a span {name} with {fields:?}");
    };
    has("request", &[("domain", "identity"), ("operation", "login"), ("request_id", "log-login")]);
    has("batch", &[("domain", "orders"), ("kind", "command")]);
    has("batch", &[("domain", "payments"), ("kind", "effect")]);
    let failed = lines_with(lines, "request forwarded", "request_id", "log-card");
    assert!(failed.iter().all(|line| line["span"]["name"] == "http_request"), "{failed:?}");
}
