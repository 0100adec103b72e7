//! The HTTP surface against its own document, by a program that makes up requests.

use std::{fmt::Write, path::Path, slice::from_ref, time::Duration};

use serde_json::json;
use tokio::process::Command;

use crate::harness::{Person, Shop, address, programs};

/// What is checked of every answer.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,missing_required_header,unsupported_method,\
    allow_header_conformance";

/// Things that are there, so that requests get past "there is no such thing".
#[derive(Default)]
struct Things {
    dictionaries: String,
    operations: String,
}

impl Things {
    fn new() -> Self {
        Self::default()
    }

    /// Known values of a parameter of some operations. Most of the time only: unknown ones are tried as well.
    fn know(&mut self, name: &str, values: &[String], parameter: &str, operations: &[&str]) {
        write!(self.dictionaries, "[dictionaries.{name}]\nvalues = {}\n", json!(values)).unwrap();
        self.operations += &format!(
            "[[operations]]\ninclude-operation-id = {}\n\
             parameters = {{ \"{parameter}\" = {{ dictionary = \"{name}\", probability = 0.8 }} }}\n",
            json!(operations)
        );
    }

    fn write(&self, path: &Path) {
        std::fs::write(path, format!("{}\n{}", self.dictionaries, self.operations)).unwrap();
    }
}

/// What a shop has after a while, as `buyer` knows it.
async fn populate(shop: &Shop, buyer: &Person) -> Things {
    let mut things = Things::new();
    let variant = shop.product(1_000_000, 1200).await;
    let cart = buyer.post("/cart/items", &json!({"variant_id": variant, "quantity": 2})).await.expect_status(200);
    let product = cart.text_at("/items/0/product_id");
    let (mut orders, mut payments, mut intents) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..6 {
        let method = (number % 2 == 0).then_some("pm_card_visa");
        let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address()});
        let order = match method {
            Some(_) => buyer.order(&variant, 1, method).await,
            None => buyer.post_once("/orders", &body).await,
        };
        let id = order.expect_status(201).text_at("/id");
        if method.is_some() {
            payments.push(buyer.get(&format!("/payments/order/{id}")).await.expect_status(200).text_at("/id"));
        } else {
            let intent = buyer.post_once("/payments/intents", &json!({ "order_id": id })).await;
            intents.push(intent.expect_status(201).text_at("/id"));
        }
        orders.push(id);
    }
    let ended = buyer.order(&variant, 1, Some("pm_card_visa_chargeDeclined")).await.expect_status(201).text_at("/id");
    let account = shop.register().await.text_at("/user/id");
    things.know("order", &orders, "path.id", &["get_order", "get_history", "cancel_order", "set_status"]);
    // A stream does not end, unless its order is final: one event of it is enough, or none in a second.
    for (name, value, parameter, operation) in [
        ("ended_order", ended, "path.id", "stream_order"),
        ("followed", variant.clone(), "path.variant_id", "stream_stock"),
    ] {
        things.know(name, &[value], parameter, &[operation]);
        things.operations += "max-stream-events = 1\nrequest-timeout = 1\n";
    }
    things.know("paid_order", &orders, "path.order_id", &["get_payment_of_order"]);
    things.know("payable_order", &orders, "body.order_id", &["create_intent"]);
    things.know("payment", &payments, "path.id", &["get_payment", "refund_payment"]);
    things.know("intent", &intents, "path.intent", &["act_in_sandbox"]);
    things.know("product", from_ref(&product), "path.id", &["get_product", "change_product"]);
    things.know("stocked_product", from_ref(&product), "path.product_id", &["get_product_stock"]);
    things.know("stocked", from_ref(&variant), "path.variant_id", &["get_stock", "set_stock", "list_movements"]);
    things.know("cart_line", &[cart.text_at("/items/0/id")], "path.id", &["change_item", "remove_item"]);
    things.know("cart_variant", from_ref(&variant), "body.variant_id", &["add_item"]);
    things.know("line", &[variant], "body.items[*].variant_id", &["place_order", "check_availability"]);
    things.know("account", &[account], "path.id", &["change_user"]);
    things
}

/// Runs schemathesis as this person; its whole output is the message of a failure.
async fn run(shop: &Shop, person: &Person, seed: &str) {
    let Some(program) = programs::schemathesis().await else { return };
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("schemathesis.toml");
    populate(shop, person).await.write(&config);
    let output = Command::new(program)
        .arg("--config-file")
        .arg(&config)
        .args(["--no-color", "run", &format!("{}/api/v1/openapi.json", shop.url), "--url", &shop.url])
        .args(["--header", &format!("Authorization: Bearer {}", person.token())])
        .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing"])
        .args(["--max-examples", "12", "--seed", seed, "--generation-database", "none", "--continue-on-failure"])
        // One worker: before 3.12 the parser of Python, which it uses, fails now and then where two threads parse.
        .args(["--request-timeout", "15", "--workers", "1"])
        .current_dir(directory.path())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(180), output).await.expect("schemathesis hangs").unwrap();
    let (said, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.contains("passed"), "{said}\n{errors}");
}

#[tokio::test]
async fn made_up_requests_of_every_role_are_answered_as_the_document_says() {
    // One shop for all, for those who make up requests break nothing but each other's things.
    let shop = Shop::start(&[]).await;
    run(&shop, &shop.customer().await, "1").await;
    run(&shop, &shop.admin().await, "2").await;
    let ready = shop.anonymous().get("//health/ready").await;
    assert_eq!(ready.status, 200, "{ready:?}");
}
