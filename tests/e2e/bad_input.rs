//! Bad input of every kind: the documented error, no change, never a 500.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, address, shared_shop};

fn order_of(variant: &str, quantity: &Value) -> Value {
    json!({"items": [{"variant_id": variant, "quantity": quantity}], "shipping_address": address()})
}

fn field(answer: &Answer) -> String {
    answer.text_at("/details/0/field")
}

#[tokio::test]
async fn bodies_that_are_not_what_they_should_be() {
    let shop = &shared_shop().await;
    let variant = shop.product(5, 1000).await;
    let buyer = shop.customer().await;
    let key = [("Idempotency-Key", "bad-input")];

    for text in ["{", "", "[1", "nonsense", "{\"a\":}"] {
        let answer = buyer.raw(Method::POST, "/auth/login", "application/json", text).await;
        answer.expect_error(400, "malformed_body");
    }
    let not_utf8 = buyer.raw(Method::POST, "/auth/login", "application/json", vec![b'{', 0xff, 0xfe, b'}']).await;
    assert!([400, 422].contains(&not_utf8.status), "{not_utf8:?}");
    buyer.raw(Method::POST, "/auth/login", "text/plain", "{}").await.expect_error(415, "unsupported_media_type");
    let huge = format!("{{\"email\":\"{}\"}}", "x".repeat(2_000_000));
    let answer = buyer.raw(Method::POST, "/auth/login", "application/json", huge).await;
    assert_eq!(answer.status, 413, "{answer:?}");

    let missing = buyer.post("/auth/login", &json!({"email": "a@b.c"})).await.expect_error(422, "invalid_body");
    assert!(missing.body.to_string().contains("password"), "{}", missing.body);
    let unknown =
        buyer.request(Method::POST, "/orders", Some(&json!({"shipping_address": address(), "colour": 1})), &key).await;
    assert_eq!((unknown.status, field(&unknown)), (422, "colour".into()));

    for quantity in [json!(0), json!(-1), json!(10_001), json!(i64::MAX)] {
        let answer = buyer
            .request(
                Method::POST,
                "/orders",
                Some(&order_of(&variant, &quantity)),
                &[("Idempotency-Key", &quantity.to_string())],
            )
            .await;
        assert_eq!((answer.status, field(&answer)), (422, "items[0].quantity".into()), "{quantity}");
    }
    for quantity in [json!("1"), json!(1.5), json!(null), json!(1e300)] {
        let answer = buyer
            .request(
                Method::POST,
                "/orders",
                Some(&order_of(&variant, &quantity)),
                &[("Idempotency-Key", &quantity.to_string())],
            )
            .await;
        assert_eq!((answer.status, field(&answer)), (422, "items[0].quantity".into()), "{quantity}");
    }
    let stranger = uuid::Uuid::now_v7().to_string();
    let answer = buyer
        .request(Method::POST, "/orders", Some(&order_of(&stranger, &json!(1))), &[("Idempotency-Key", "stranger")])
        .await;
    answer.expect_error(404, "not_for_sale");
    let nul =
        json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address(), "notes": "a\u{0}b"});
    let answer = buyer.request(Method::POST, "/orders", Some(&nul), &[("Idempotency-Key", "nul")]).await;
    assert_eq!((answer.status, field(&answer)), (422, "notes".into()));
    assert_eq!(buyer.get("/orders").await.expect_status(200).number_at("/pagination/total"), 0, "nothing was stored");
    assert_eq!(shop.stock(&variant).await.number_at("/reserved"), 0);
}

#[tokio::test]
async fn tokens_that_are_not_ours() {
    let shop = &shared_shop().await;
    let good = shop.customer().await;
    let anonymous = shop.anonymous();
    anonymous.get("/orders").await.expect_error(401, "unauthenticated");
    let token = good.token().to_owned();
    let parts: Vec<&str> = token.split('.').collect();
    let none_header = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    let hmac_header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
    let forged = [
        "nonsense".to_owned(),
        format!("{none_header}.{}.", parts[1]),
        format!("{hmac_header}.{}.{}", parts[1], parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], parts[2].chars().rev().collect::<String>()),
        format!("{}.{}A.{}", parts[0], parts[1], parts[2]),
    ];
    for token in forged {
        anonymous.clone().with_token(token).get("/orders").await.expect_error(401, "invalid_token");
    }
    good.get("/orders").await.expect_status(200);
    good.post("/products", &json!({"name": "x", "price": {"amount": 1, "currency": "USD"}}))
        .await
        .expect_error(403, "forbidden");
    let id = uuid::Uuid::now_v7();
    good.patch(&format!("/admin/users/{id}"), &json!({"role": "admin"})).await.expect_error(403, "forbidden");
}

#[tokio::test]
async fn what_belongs_to_another_user_is_not_found() {
    let shop = &shared_shop().await;
    let variant = shop.product(5, 1000).await;
    let (owner, stranger) = (shop.customer().await, shop.customer().await);
    let order = owner.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201).text_at("/id");
    stranger.get(&format!("/orders/{order}")).await.expect_error(404, "order_not_found");
    stranger.get(&format!("/orders/{order}/history")).await.expect_error(404, "order_not_found");
    stranger.post(&format!("/orders/{order}/cancel"), &json!({})).await.expect_error(404, "order_not_found");
    stranger.get(&format!("/payments/order/{order}")).await.expect_error(404, "payment_not_found");
    let paths = ["/orders/not-an-order", "/products/no-such-product", &format!("/payments/{order}")];
    for path in paths {
        assert_eq!(stranger.get(path).await.status, 404, "{path}");
    }
    stranger.get("//no/such/path").await.expect_error(404, "route_not_found");
    let method = stranger.delete("/products").await;
    assert_eq!((method.status, method.header("allow").is_some()), (405, true), "{method:?}");
    for path in
        ["/products?limit=0", "/products?limit=101", "/products?limit=x", "/products?cursor=%00", "/orders?offset=-1"]
    {
        let answer = stranger.get(path).await;
        assert!([400, 422].contains(&answer.status), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn nats_payloads_of_every_kind() {
    let shop = &shared_shop().await;
    let variant = shop.product(5, 1000).await;
    let client = async_nats::connect(&shop.nats).await.unwrap();
    let bodies: [&[u8]; 7] =
        [b"{", b"nonsense", b"\xff\xff", b"[]", b"\x81\xa1", b"{\"variant_id\":7}", b"{\"variant_id\":\"x\"}"];
    for body in bodies {
        let answer = client.request("req.inventory.get_stock", body.to_vec().into()).await.unwrap();
        let error: Value = serde_json::from_slice(&answer.payload).unwrap_or_default();
        let code =
            answer.headers.as_ref().and_then(|h| h.get("Nats-Service-Error-Code")).map(|v| v.as_str().to_owned());
        assert!(matches!(code.as_deref(), Some("400" | "415" | "422")), "{body:?}: {code:?} {error}");
    }
    let answer =
        client.request("req.inventory.get_stock", format!("{{\"variant_id\":\"{variant}\"}}").into()).await.unwrap();
    let stock: Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!(stock["available"], 5);
    let unknown = client.request("req.inventory.no_such_thing", "{}".into()).await.unwrap();
    assert!(String::from_utf8_lossy(&unknown.payload).contains("unknown_operation"));
}
