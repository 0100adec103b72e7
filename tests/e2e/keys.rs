//! Idempotency keys: a body that is wrong leaves its key to the corrected one.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Person, address, paid_order, shared_shop, wait_until};

/// A write that takes a key and a body: bodies that are wrong, each in a way of its own, and one that is right.
struct Write<'a> {
    operation: String,
    person: &'a Person,
    method: Method,
    path: String,
    wrong: Vec<Value>,
    right: Value,
    status: u16,
}

#[tokio::test]
async fn an_order_without_a_zip_code_is_placed_under_its_key_once_it_has_one() {
    let shop = &shared_shop().await;
    let (variant, buyer) = (shop.product(5, 1000).await, shop.customer().await);
    let key = uuid::Uuid::now_v7().to_string();
    let right = paid_order(&variant);
    let mut wrong = right.clone();
    wrong["shipping_address"]["zip_code"] = json!("");
    for _ in 0..2 {
        buyer.place(&wrong, &key).await.expect_error(422, "invalid_order");
    }
    let placed = buyer.place(&right, &key).await.expect_status(201);
    assert_eq!((placed.text_at("/status"), placed.header("idempotent-replayed")), ("confirmed".into(), None));
    let again = buyer.place(&right, &key).await.expect_status(201);
    assert_eq!((again.text_at("/id"), again.header("idempotent-replayed")), (placed.text_at("/id"), Some("true")));
    buyer.place(&wrong, &key).await.expect_error(422, "command_id_reused");
    assert_eq!(buyer.get("/orders").await.number_at("/pagination/total"), 1);
}

/// Where a cart token beside an access token opens more, it is part of what a key stands for.
#[tokio::test]
async fn a_key_stands_for_one_cart_token_beside_the_account() {
    let shop = &shared_shop().await;
    let (variant, buyer) = (shop.product(5, 1000).await, shop.customer().await);
    let key = uuid::Uuid::now_v7().to_string();
    let order = buyer.place(&paid_order(&variant), &key).await.expect_status(201).text_at("/id");
    let path = format!("/orders/{order}/cancel");
    let cancel = async |token: Option<&str>| {
        let headers = [("Idempotency-Key", key.as_str())].into_iter().chain(token.map(|token| ("X-Cart-Token", token)));
        buyer.request(Method::POST, &path, Some(&json!({})), &headers.collect::<Vec<_>>()).await
    };
    cancel(Some("cart_one")).await.expect_status(200);
    let again = cancel(Some("cart_one")).await.expect_status(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    for other in [Some("cart_two"), None] {
        cancel(other).await.expect_error(422, "command_id_reused");
    }
}

/// What the state did not allow is the key's answer, also when the state has changed.
#[tokio::test]
async fn a_conflict_stays_the_answer_of_its_key() {
    let shop = &shared_shop().await;
    let (variant, buyer, seller) = (shop.product(1, 1000).await, shop.customer().await, shop.seller().await);
    let line = json!({"variant_id": variant, "quantity": 2});
    let key = uuid::Uuid::now_v7().to_string();
    let put_in = async || buyer.request(Method::POST, "/cart/items", Some(&line), &[("Idempotency-Key", &key)]).await;
    put_in().await.expect_error(409, "out_of_stock");
    seller.put(&format!("/inventory/{variant}"), &json!({"on_hand": 5})).await.expect_status(200);
    wait_until("there is enough", || async {
        let other_key = uuid::Uuid::now_v7().to_string();
        buyer.request(Method::POST, "/cart/items", Some(&line), &[("Idempotency-Key", &other_key)]).await.status == 200
    })
    .await;
    // Twice as many would still be had.
    put_in().await.expect_error(409, "out_of_stock");
    assert_eq!(buyer.get("/cart").await.expect_status(200).number_at("/items/0/quantity"), 2);
}

#[tokio::test]
async fn every_write_takes_a_corrected_body_under_the_key_of_a_wrong_one() {
    let shop = &shared_shop().await;
    let (admin, buyer, customer) = (shop.admin().await, shop.customer().await, shop.customer().await);
    let (seller, _) = shop.new_seller().await;
    let user = shop.register().await.text_at("/user/id");
    let usd = |amount: i64| json!({"amount": amount, "currency": "USD"});
    let new_product = |name: &str| json!({"name": name, "price": usd(1000), "on_hand": 9});
    let name = format!("Thing {}", uuid::Uuid::now_v7().simple());
    let product = seller.post("/products", &new_product(&name)).await.expect_status(201);
    let (product, variant) = (product.text_at("/id"), product.text_at("/variants/0/id"));
    wait_until("inventory has the units", || async {
        let stock = buyer.get(&format!("/inventory/{variant}")).await;
        stock.status == 200 && stock.body["available"] == 9
    })
    .await;
    let place = async |paid: bool| {
        let mut body = paid_order(&variant);
        if !paid {
            body.as_object_mut().unwrap().remove("payment");
        }
        buyer.place(&body, &uuid::Uuid::now_v7().to_string()).await.expect_status(201).text_at("/id")
    };
    let (open, to_call_off, shipped, refunded) =
        (place(false).await, place(false).await, place(true).await, place(true).await);
    for order in [&shipped, &refunded] {
        buyer.wait_for_status(order, "confirmed").await;
    }
    let payment = buyer.get(&format!("/payments/order/{refunded}")).await.expect_status(200).text_at("/id");
    let line = |quantity: i64| json!({"variant_id": variant, "quantity": quantity});
    let item = buyer.post("/cart/items", &line(1)).await.expect_status(200).text_at("/items/0/id");
    let order = |zip: &str| {
        let mut address = address();
        address["zip_code"] = json!(zip);
        json!({"items": [line(1)], "shipping_address": address})
    };
    let write = |operation, person, method, path: &str, wrong: &[Value], right: Value, status| Write {
        operation: str::to_owned(operation),
        person,
        method,
        path: path.to_owned(),
        wrong: wrong.to_vec(),
        right,
        status,
    };
    let mut writes = vec![
        write(
            "change_user",
            &admin,
            Method::PATCH,
            &format!("/admin/users/{user}"),
            &[json!({"role": "emperor"})],
            json!({"role": "seller"}),
            200,
        ),
        write("create_product", &seller, Method::POST, "/products", &[new_product("")], new_product("A new one"), 201),
        write(
            "change_product",
            &seller,
            Method::PATCH,
            &format!("/products/{product}"),
            &[json!({"name": ""}), json!({"price": usd(-1)})],
            json!({"name": "Another one"}),
            200,
        ),
        write(
            "set_stock",
            &seller,
            Method::PUT,
            &format!("/inventory/{variant}"),
            &[json!({"on_hand": -1})],
            json!({"on_hand": 8}),
            200,
        ),
        write("add_item", &customer, Method::POST, "/cart/items", &[line(0), json!({"quantity": 1})], line(1), 200),
        write(
            "change_item",
            &buyer,
            Method::PATCH,
            &format!("/cart/items/{item}"),
            &[json!({"quantity": 0})],
            json!({"quantity": 2}),
            200,
        ),
        write("place_order", &customer, Method::POST, "/orders", &[order("")], order("12345"), 201),
        write(
            "cancel_order",
            &buyer,
            Method::POST,
            &format!("/orders/{to_call_off}/cancel"),
            &[json!({"reason": "x".repeat(501)})],
            json!({"reason": "too late"}),
            200,
        ),
        write(
            "set_status",
            &seller,
            Method::PUT,
            &format!("/orders/{shipped}/status"),
            &[json!({"status": "lost"})],
            json!({"status": "processing"}),
            200,
        ),
        write(
            "create_intent",
            &buyer,
            Method::POST,
            "/payments/intents",
            &[json!({"order_id": "mine"})],
            json!({"order_id": open}),
            201,
        ),
        write(
            "refund_payment",
            &admin,
            Method::POST,
            &format!("/payments/{payment}/refunds"),
            &[json!({"amount": usd(-1)}), json!({"amount": usd(1), "reason": "x".repeat(501)})],
            json!({"amount": usd(100)}),
            201,
        ),
    ];
    writes.extend(rules(&admin).await);
    let covered: BTreeSet<&str> = writes.iter().map(|write| write.operation.as_str()).collect();
    assert_eq!(covered, operations_with_key_and_body().iter().map(String::as_str).collect());

    for Write { operation, person, method, path, wrong, right, status } in writes {
        let key = uuid::Uuid::now_v7().to_string();
        let send =
            async |body: &Value| person.request(method.clone(), &path, Some(body), &[("Idempotency-Key", &key)]).await;
        let as_json = [("Idempotency-Key", key.as_str()), ("Content-Type", "application/json")];
        person.raw_with(method.clone(), &path, &as_json, "{").await.expect_error(400, "malformed_body");
        for body in wrong.iter().chain([&json!({"colour": 1})]) {
            for _ in 0..2 {
                let rejected = send(body).await;
                assert_eq!(rejected.status, 422, "{operation}: {rejected:?}");
                assert_ne!(rejected.body["code"], "command_id_reused", "{operation}");
            }
        }
        let done = send(&right).await;
        assert_eq!((done.status, done.header("idempotent-replayed")), (status, None), "{operation}: {}", done.body);
        let again = send(&right).await;
        // The client secret of an intent is not stored: a repeat runs again, and finds its own work.
        let replayed = (operation != "create_intent").then_some("true");
        assert_eq!(
            (again.status, again.header("idempotent-replayed")),
            (status, replayed),
            "{operation}: {}",
            again.body
        );
    }
}

/// The writes of rules of pricing, which concern no order of another test: none is sent to Greenland.
async fn rules(admin: &Person) -> Vec<Write<'_>> {
    let name = uuid::Uuid::now_v7().simple().to_string();
    let rate = |state: &str| json!({"country": "GL", "state": state, "name": name, "rate": 100});
    let method = json!({"name": "Sled", "kind": "flat", "rates": [{"price": {"amount": 5, "currency": "USD"}}]});
    let zone = json!({"name": name, "countries": ["GL"], "methods": [method]});
    let promotion = |code: &str| json!({"name": name, "code": code, "reward": {"kind": "free_shipping"}});
    let mut writes = Vec::new();
    for (kind, path, wrong, [old, new]) in [
        ("tax_rate", "/admin/tax-rates", json!({"rate": -1}), [rate("a"), rate("b")]),
        ("shipping_zone", "/admin/shipping-zones", json!({"countries": []}), [zone.clone(), zone]),
        (
            "promotion",
            "/admin/promotions",
            json!({"priority": 1001}),
            [promotion(&name), promotion(&format!("{name}-2"))],
        ),
    ] {
        let own = admin.post(path, &old).await.expect_status(201).text_at("/id");
        let mut wrong_new = new.clone();
        wrong_new.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let changed = json!({"name": format!("{name} changed")});
        for (operation, method, path, wrong, right, status) in [
            ("create", Method::POST, path.to_owned(), wrong_new, new, 201),
            ("change", Method::PUT, format!("{path}/{own}"), wrong, changed, 200),
        ] {
            let operation = format!("{operation}_{kind}");
            writes.push(Write { operation, person: admin, method, path, wrong: vec![wrong], right, status });
        }
    }
    writes
}

/// The operations that docs/openapi.json gives a key and a body.
fn operations_with_key_and_body() -> BTreeSet<String> {
    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let paths = document["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let takes_key = |operation: &&Value| {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        operation.get("requestBody").is_some()
            && parameters.into_iter().any(|parameter| parameter["name"] == "Idempotency-Key")
    };
    operations.filter(takes_key).map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect()
}
