//! The buyer pays the total that the buyer has seen, or nothing.

use serde_json::{Value, json};

use crate::harness::{Answer, Person, Shop, address, nats_cli::Cli, shared_shop};

fn usd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "USD"})
}

async fn order(buyer: &Person, items: Option<Value>, expected: &Value) -> Answer {
    let mut body = json!({"shipping_address": address(), "expected_total": expected,
        "payment": {"method": "pm_card_visa"}});
    if let Some(items) = items {
        body["items"] = items;
    }
    buyer.place(&body, &uuid::Uuid::now_v7().to_string()).await
}

/// The new totals, as a program reads them out of an error.
fn new_total(error: &Answer) -> Value {
    let detail = |field: &str| {
        let details = error.body["details"].as_array().unwrap();
        let found = details.iter().find(|detail| detail["field"] == field);
        found.unwrap_or_else(|| panic!("no {field}: {}", error.body))["message"].as_str().unwrap().to_owned()
    };
    for name in ["subtotal", "discount", "shipping", "tax"] {
        assert!(detail(&format!("totals.{name}.amount")).parse::<i64>().is_ok(), "{}", error.body);
    }
    json!({"amount": detail("totals.total.amount").parse::<i64>().unwrap(),
        "currency": detail("totals.total.currency")})
}

async fn set_price(shop: &Shop, cart: &Answer, line: usize, amount: i64) {
    let product = cart.text_at(&format!("/items/{line}/product_id"));
    let changes = json!({ "price": usd(amount) });
    shop.seller().await.patch(&format!("/products/{product}"), &changes).await.expect_status(200);
}

#[tokio::test]
async fn a_price_that_rose_since_the_buyer_saw_it_is_not_paid() {
    let shop = &shared_shop().await;
    let variant = shop.product(10, 700).await;
    let buyer = shop.customer().await;
    buyer.post("/cart/items", &json!({"variant_id": variant, "quantity": 2})).await.expect_status(200);
    let seen = buyer.get("/cart").await.expect_status(200);
    set_price(shop, &seen, 0, 900).await;

    let changed = order(&buyer, None, &seen.body["totals"]["total"]).await.expect_error(409, "total_changed");
    assert_eq!(new_total(&changed), usd(1800));
    let items = json!([{"variant_id": variant, "quantity": 1}]);
    let changed = order(&buyer, Some(items.clone()), &usd(700)).await.expect_error(409, "total_changed");
    assert_eq!(new_total(&changed), usd(900));
    for wrong in [usd(901), usd(899), json!({"amount": 900, "currency": "EUR"})] {
        order(&buyer, Some(items.clone()), &wrong).await.expect_error(409, "total_changed");
    }
    assert_eq!(buyer.get("/orders").await.expect_status(200).number_at("/pagination/total"), 0);
    assert_eq!(shop.stock(&variant).await.number_at("/available"), 10, "nothing was held for what was rejected");

    order(&buyer, Some(items), &usd(900)).await.expect_status(201);
    let placed = order(&buyer, None, &usd(1800)).await.expect_status(201);
    assert_eq!((placed.text_at("/status"), placed.number_at("/totals/total/amount")), ("confirmed".into(), 1800));
}

#[tokio::test]
async fn the_total_of_a_cart_with_a_line_out_of_stock_is_rejected_because_of_that_line() {
    let shop = &shared_shop().await;
    let (mug, jug) = (shop.product(10, 700).await, shop.product(10, 500).await);
    let buyer = shop.customer().await;
    for variant in [&mug, &jug] {
        buyer.post("/cart/items", &json!({"variant_id": variant, "quantity": 2})).await.expect_status(200);
    }
    shop.seller().await.put(&format!("/inventory/{jug}"), &json!({"on_hand": 1})).await.expect_status(200);
    let cart = buyer.get("/cart").await.expect_status(200);
    assert_eq!(cart.body["totals"]["total"], usd(1400));
    let rejected = order(&buyer, None, &usd(1400)).await.expect_error(409, "out_of_stock");
    assert_eq!(
        (rejected.text_at("/details/0/field"), rejected.text_at("/details/0/message")),
        ("variant_id".into(), jug)
    );
}

#[tokio::test]
async fn the_new_totals_are_in_the_error_over_nats_too() {
    let shop = &shared_shop().await;
    let Some(cli) = Cli::of(shop).await else { return };
    let variant = shop.product(10, 700).await;
    let token = format!("Authorization:Bearer {}", shop.customer().await.token());
    let command = json!({"order": {"items": [{"variant_id": variant, "quantity": 3}], "shipping_address": address(),
        "expected_total": usd(2000)}});
    let rejected = cli.json(&["req", "--raw", "-H", &token, "req.orders.place", &command.to_string()]).await;
    assert_eq!(
        (&rejected["code"], &rejected["domain_error"]["totals"]["total"]),
        (&json!("total_changed"), &usd(2100))
    );
}
