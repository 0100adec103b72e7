//! What a body, a query and a header may hold, and how a wrong one is named: the same over HTTP and NATS.

use std::time::Duration;

use async_nats::HeaderMap;
use contract::Format;
use reqwest::Method;
use serde_json::{Value, json};
use subjects::{
    Currency, Money, ProductId,
    catalog::{ChangeProduct, ProductChanges},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::harness::{Person, shared_shop};

const CHANGE: &str = "req.catalog.change_product";
/// The fields of a product that null clears.
const CLEARABLE: [&str; 5] = ["description", "category_id", "attributes", "compare_price", "cost_price"];

fn usd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "USD"})
}

fn as_person(person: &Person) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // No client is asked to know how we spell it.
    headers.insert("authorization", format!("Bearer {}", person.token()));
    headers
}

/// What the details of an error say to people, by field.
fn details_of(body: &Value) -> Value {
    let details = body["details"].as_array().into_iter().flatten();
    details.map(|detail| json!({"field": detail["field"], "message": detail["message"]})).collect()
}

/// The code and the details of an error in either format.
fn error(format: Format, answer: &async_nats::Message) -> (String, Value) {
    let body: Value = format.decode(&answer.payload).unwrap();
    (body["code"].as_str().unwrap_or_default().to_owned(), details_of(&body))
}

fn is_cleared(product: &Value) -> bool {
    product["description"] == ""
        && product["attributes"] == json!({})
        && ["category_id", "compare_price", "cost_price"].iter().all(|field| product.get(*field).is_none())
}

#[tokio::test]
async fn null_clears_a_field_of_a_product_and_absence_leaves_it() {
    let shop = &shared_shop().await;
    let (seller, _) = shop.new_seller().await;
    let categories = shop.anonymous().get("/categories?limit=1").await.expect_status(200);
    let filled = json!({
        "description": "It glows.", "category_id": categories.text_at("/data/0/id"), "attributes": {"colour": "red"},
        "compare_price": usd(5999), "cost_price": usd(2100),
    });
    // Where something is made, null is the same as absent.
    let new = json!({"name": "Lamp", "price": usd(4999), "compare_price": null, "variants": null, "sku": null});
    let made = seller.post("/products", &new).await.expect_status(201);
    let (id, path) = (made.text_at("/id"), format!("/products/{}", made.text_at("/id")));
    assert!(is_cleared(&made.body), "{}", made.body);
    let fill = async || {
        seller.patch(&path, &filled).await.expect_status(200);
        let other = seller.patch(&path, &json!({"is_featured": true})).await.expect_status(200);
        for field in CLEARABLE {
            assert_eq!(other.body[field], filled[field], "{}", other.body);
        }
    };
    let expect_cleared = async |version: i64| {
        let stored = seller.get(&path).await.expect_status(200);
        assert!(is_cleared(&stored.body), "{}", stored.body);
        assert_eq!((stored.number_at("/version"), stored.number_at("/price/amount")), (version, 4999));
    };

    let nulls: Value = CLEARABLE.iter().map(|field| ((*field).to_owned(), Value::Null)).collect();
    fill().await;
    let before = seller.get(&path).await.number_at("/version");
    let cleared = seller.patch(&path, &nulls).await.expect_status(200);
    assert!(is_cleared(&cleared.body), "{}", cleared.body);
    expect_cleared(before + 1).await;
    seller.patch(&path, &nulls).await.expect_status(200);
    expect_cleared(before + 1).await;

    let nats = async_nats::connect(&shop.nats).await.unwrap();
    let command = ChangeProduct {
        product_id: ProductId(id.parse().unwrap()),
        changes: ProductChanges {
            description: Some(None),
            category_id: Some(None),
            attributes: Some(None),
            compare_price: Some(None),
            cost_price: Some(None),
            ..ProductChanges::default()
        },
        expected_version: None,
    };
    for format in [Format::Json, Format::MessagePack] {
        fill().await;
        let before = seller.get(&path).await.number_at("/version");
        let body = format.encode(&command).unwrap();
        let answer = nats.request_with_headers(CHANGE, as_person(&seller), body.into()).await.unwrap();
        assert!(answer.headers.as_ref().is_none_or(|all| all.get("Nats-Service-Error").is_none()), "{answer:?}");
        expect_cleared(before + 1).await;
    }
    for field in ["name", "slug", "price", "is_active", "is_featured"] {
        let rejected = seller.patch(&path, &json!({ field: null })).await.expect_error(422, "invalid_body");
        assert_eq!(details_of(&rejected.body), json!([{"field": field, "message": "must not be null"}]));
        let body = json!({"product_id": id, "changes": {field: null}}).to_string();
        let answer = nats.request_with_headers(CHANGE, as_person(&seller), body.into()).await.unwrap();
        let details = json!([{"field": format!("changes.{field}"), "message": "must not be null"}]);
        assert_eq!(error(Format::Json, &answer), ("invalid_body".into(), details));
    }
}

#[tokio::test]
async fn null_takes_the_minimum_of_a_stock_away() {
    let shop = &shared_shop().await;
    let path = format!("/inventory/{}", shop.product(5, 1000).await);
    let seller = shop.seller().await;
    let set = async |body: Value| seller.put(&path, &body).await.expect_status(200).number_at("/min_stock");
    assert_eq!(set(json!({"on_hand": 5, "min_stock": 2})).await, 2);
    assert_eq!(set(json!({"on_hand": 6})).await, 2);
    assert_eq!(set(json!({"on_hand": 6, "min_stock": null})).await, 0);
    assert_eq!(seller.get(&path).await.number_at("/min_stock"), 0);
    let rejected = seller.put(&path, &json!({"on_hand": null})).await.expect_error(422, "invalid_body");
    assert_eq!(details_of(&rejected.body), json!([{"field": "on_hand", "message": "must not be null"}]));
    let admin = shop.admin().await;
    let user = format!("/admin/users/{}", shop.new_seller().await.1);
    for field in ["role", "is_active"] {
        let rejected = admin.patch(&user, &json!({ field: null })).await.expect_error(422, "invalid_body");
        assert_eq!(details_of(&rejected.body), json!([{"field": field, "message": "must not be null"}]));
    }
}

#[tokio::test]
async fn a_wrong_field_is_named_alike_over_http_and_nats() {
    let shop = &shared_shop().await;
    let (admin, nats) = (shop.admin().await, async_nats::connect(&shop.nats).await.unwrap());
    let order = uuid::Uuid::now_v7();
    let statuses =
        "must be one of pending, confirmed, processing, shipped, delivered, cancelled, failed, expired, refunded";
    for (body, field, message) in [
        (r#"{"status":{"processing":null}}"#, "status", statuses),
        (r#"{"status":5}"#, "status", statuses),
        (r#"{"status":["processing"]}"#, "status", statuses),
        (r#"{"status":"lost"}"#, "status", statuses),
        (r#"{"status":"processing","status":"shipped"}"#, "status", "is given more than once"),
        ("{}", "status", "is required"),
    ] {
        let details = |field: &str| json!([{"field": field, "message": message}]);
        let answer = admin.raw(Method::PUT, &format!("/orders/{order}/status"), "application/json", body).await;
        assert_eq!(details_of(&answer.expect_error(422, "invalid_body").body), details(field), "{body}");
        let json = format!(r#"{{"order_id":"{order}","change":{body}}}"#);
        let answer = nats.request_with_headers("req.orders.set_status", as_person(&admin), json.clone().into()).await;
        let expected = ("invalid_body".to_owned(), details(&format!("change.{field}")));
        assert_eq!(error(Format::Json, &answer.unwrap()), expected, "{body}");
        if message == "is given more than once" {
            continue;
        }
        let packed = Format::MessagePack.encode(&serde_json::from_str::<Value>(&json).unwrap()).unwrap();
        let answer =
            nats.request_with_headers("req.orders.set_status", as_person(&admin), packed.into()).await.unwrap();
        assert_eq!(error(Format::MessagePack, &answer), expected, "{body}, packed");
    }
    let items = json!({"items": [{"variant_id": order, "quantity": 1}, {"variant_id": order}]});
    let details = json!([{"field": "items[1].quantity", "message": "is required"}]);
    let answer = admin.post("/inventory/availability", &items).await.expect_error(422, "invalid_body");
    assert_eq!(details_of(&answer.body), details);
    let answer = nats.request("req.inventory.check_availability", items.to_string().into()).await.unwrap();
    assert_eq!(error(Format::Json, &answer), ("invalid_body".into(), details));
    let nul = json!({"product_id": order, "changes": {"name": "a\0b"}}).to_string();
    let answer = nats.request_with_headers(CHANGE, as_person(&admin), nul.into()).await.unwrap();
    let details = json!([{"field": "changes.name", "message": "must not contain NUL"}]);
    assert_eq!(error(Format::Json, &answer), ("invalid_body".into(), details));
}

#[tokio::test]
async fn every_detail_has_a_code_and_parameters_for_programs() {
    let shop = &shared_shop().await;
    let (seller, nats) = (shop.seller().await, async_nats::connect(&shop.nats).await.unwrap());
    let new = json!({"name": " ", "price": usd(0)});
    let details = json!([
        {
            "field": "name", "code": "length", "message": "must have 1 to 200 characters",
            "params": {"min": 1, "max": 200},
        },
        {
            "field": "price.amount", "code": "range", "message": "must be 1 to 1000000000000",
            "params": {"min": 1, "max": 1_000_000_000_000_i64},
        },
    ]);
    let rejected = seller.post("/products", &new).await.expect_error(422, "invalid_product");
    assert_eq!(rejected.body["details"], details);
    let body = json!({ "product": new }).to_string();
    let answer =
        nats.request_with_headers("req.catalog.create_product", as_person(&seller), body.into()).await.unwrap();
    let body: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(body["details"], details);
}

#[tokio::test]
async fn headers_of_a_nats_request_are_checked() {
    let shop = &shared_shop().await;
    let (seller, _) = shop.new_seller().await;
    let nats = async_nats::connect(&shop.nats).await.unwrap();
    let ask = async |headers: HeaderMap| {
        let answer = nats.request_with_headers("req.catalog.list_categories", headers, "{}".into()).await.unwrap();
        let (code, details) = error(Format::Json, &answer);
        (code, details[0]["field"].as_str().unwrap_or_default().to_owned())
    };
    let mut late = HeaderMap::new();
    late.insert("souk-deadline-ms", "soon");
    assert_eq!(ask(late).await, ("invalid_header".into(), "Souk-Deadline-Ms".into()));
    let mut twice = as_person(&seller);
    twice.append("Authorization", format!("Bearer {}", seller.token()));
    assert_eq!(ask(twice).await, ("invalid_header".into(), "Authorization".into()));
    let mut shapeless = HeaderMap::new();
    shapeless.insert("souk-capability", "x".repeat(201));
    assert_eq!(ask(shapeless).await, ("invalid_header".into(), "Souk-Capability".into()));
    let mut other = HeaderMap::new();
    other.insert("content-type", "application/json; charset=utf-16");
    assert_eq!(ask(other).await.0, "unsupported_media_type");

    // The same id in another case is the same command.
    let price = Some(Money::new(5000, Currency::USD));
    let made = seller.post("/products", &json!({"name": "Vase", "price": usd(4999)})).await.expect_status(201);
    let changes = ProductChanges { price, ..ProductChanges::default() };
    let product_id = ProductId(made.text_at("/id").parse().unwrap());
    let body = Format::Json.encode(&ChangeProduct { product_id, changes, expected_version: None }).unwrap();
    let id = uuid::Uuid::now_v7().to_string();
    for (name, is_replayed) in [("Souk-Command-Id", false), ("souk-command-id", true)] {
        let mut headers = as_person(&seller);
        headers.insert(name, id.as_str());
        let answer = nats.request_with_headers(CHANGE, headers, body.clone().into()).await.unwrap();
        let replayed = answer.headers.as_ref().and_then(|all| all.get("Souk-Replayed")).is_some();
        assert_eq!(replayed, is_replayed, "{name}: {answer:?}");
    }
}

/// What the server says to these bytes at once.
async fn said(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = timeout(Duration::from_secs(8), async {
        while !answer.contains('}') {
            let mut bytes = [0; 4096];
            let count = stream.read(&mut bytes).await.unwrap();
            assert!(count > 0, "closed: {answer}");
            answer.push_str(std::str::from_utf8(&bytes[..count]).unwrap());
        }
    });
    read.await.expect("an answer at once");
    answer
}

#[tokio::test]
async fn two_hosts_are_rejected_and_a_body_that_is_too_large_is_not_waited_for() {
    let shop = &shared_shop().await;
    let address = shop.url.trim_start_matches("http://").split('/').next().unwrap();
    let twice = "GET /api/v1/products HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    let answer = said(address, twice).await;
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains(r#""field":"Host""#), "{answer}");
    let large = "POST /api/v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ";
    for length in ["1000001", "99999999999"] {
        let answer = said(address, &format!("{large}{length}\r\n\r\n{{")).await;
        assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("body_too_large"), "{answer}");
    }
    for (query, field) in [("colour=red", "colour"), ("sort=name&sort=price", "sort"), ("search=%ff", "search")] {
        let answer = shop.anonymous().get(&format!("/products?{query}")).await.expect_error(400, "invalid_query");
        assert_eq!(answer.text_at("/details/0/field"), field);
    }
}
