//! Stock, as sellers count it and buyers see it.

use reqwest::Method;
use serde_json::json;

use crate::harness::{shared_shop, wait_until};

#[tokio::test]
async fn stock_is_set_at_once_and_every_change_is_in_the_ledger() {
    let shop = &shared_shop().await;
    let (seller, _) = shop.new_seller().await;
    let body = json!({"name": "Stool", "price": {"amount": 900, "currency": "USD"}});
    let variant = seller.post("/products", &body).await.expect_status(201).text_at("/variants/0/id");
    let path = format!("/inventory/{variant}");
    let set = seller.put(&path, &json!({"on_hand": 7, "min_stock": 2})).await.expect_status(200);
    assert_eq!((set.number_at("/on_hand"), set.number_at("/available"), set.number_at("/min_stock")), (7, 7, 2));
    let tag = set.header("etag").unwrap().to_owned();
    let cached = seller.request(Method::GET, &path, None, &[("If-None-Match", &tag)]).await;
    assert_eq!(cached.status, 304, "{cached:?}");
    let recount = json!({"on_hand": 9});
    let counted = seller.request(Method::PUT, &path, Some(&recount), &[("If-Match", &tag)]).await.expect_status(200);
    assert_eq!((counted.number_at("/on_hand"), counted.number_at("/min_stock")), (9, 2));
    let stale = seller.request(Method::PUT, &path, Some(&recount), &[("If-Match", &tag)]).await;
    stale.expect_error(412, "stock_version_mismatch");

    let order = shop.customer().await.order(&variant, 4, Some("pm_card_visa")).await.expect_status(201);
    assert_eq!(order.text_at("/status"), "confirmed");
    wait_until("the units are sold", || async { shop.stock(&variant).await.number_at("/on_hand") == 5 }).await;
    let ledger = seller.get(&format!("{path}/movements")).await.expect_status(200);
    let entries = ledger.body["data"].as_array().unwrap();
    let of = |reason: &str| entries.iter().find(|entry| entry["reason"] == reason).unwrap_or(&serde_json::Value::Null);
    assert_eq!(of("reserved")["reserved_delta"], 4, "{}", ledger.body);
    assert_eq!(of("committed")["on_hand_delta"], -4, "{}", ledger.body);
    assert_eq!(of("committed")["order_id"], order.body["id"]);
    assert!(entries.iter().all(|entry| entry["location"] == "main"), "{}", ledger.body);
    let on_hand: i64 = entries.iter().map(|entry| entry["on_hand_delta"].as_i64().unwrap()).sum();
    let reserved: i64 = entries.iter().map(|entry| entry["reserved_delta"].as_i64().unwrap()).sum();
    assert_eq!((on_hand, reserved), (5, 0), "the ledger adds up to the shelf: {}", ledger.body);
    assert_eq!(ledger.number_at("/pagination/total"), entries.len() as i64);
    let newest = seller.get(&format!("{path}/movements?limit=1")).await.expect_status(200);
    let cursor = newest.text_at("/pagination/next_cursor");
    let next = seller.get(&format!("{path}/movements?limit=1&cursor={cursor}")).await.expect_status(200);
    assert_eq!((&newest.body["data"][0], &next.body["data"][0]), (&entries[0], &entries[1]));
    let cursor = next.text_at("/pagination/prev_cursor");
    let back = seller.get(&format!("{path}/movements?limit=1&cursor={cursor}")).await.expect_status(200);
    assert_eq!(back.body["data"], newest.body["data"]);
    assert!(back.body["pagination"].get("prev_cursor").is_none(), "{}", back.body);
    assert_eq!(back.body["pagination"]["is_total_exact"], true);
}

#[tokio::test]
async fn the_public_sees_what_can_be_bought_and_the_staff_what_is_on_the_shelf() {
    let shop = &shared_shop().await;
    let variant = shop.product(5, 1000).await;
    let path = format!("/inventory/{variant}");
    let (seller, admin, anyone) = (shop.seller().await, shop.admin().await, shop.anonymous());
    let (stranger, _) = shop.new_seller().await;
    seller.put(&path, &json!({"on_hand": 7, "min_stock": 2})).await.expect_status(200);
    shop.customer().await.order(&variant, 3, None).await.expect_status(201);
    wait_until("three are held", || async { shop.stock(&variant).await.number_at("/reserved") == 3 }).await;
    for staff in [&seller, &admin] {
        let stock = staff.get(&path).await.expect_status(200);
        let seen = ["on_hand", "reserved", "available", "min_stock"].map(|field| stock.body[field].as_i64());
        assert_eq!(seen, [Some(7), Some(3), Some(4), Some(2)], "{}", stock.body);
        assert!(stock.body["version"].is_i64(), "{}", stock.body);
    }
    for other in [&anyone, &shop.customer().await, &stranger] {
        let stock = other.get(&path).await.expect_status(200);
        let fields: Vec<_> = stock.body.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["available", "location", "product_id", "sku", "updated_at", "variant_id"]);
        assert_eq!(stock.number_at("/available"), 4);
    }
    let tag = anyone.get(&path).await.header("etag").unwrap().to_owned();
    let cached = anyone.request(Method::GET, &path, None, &[("If-None-Match", &tag)]).await;
    assert_eq!(cached.status, 304, "{cached:?}");
    let of_staff = seller.request(Method::GET, &path, None, &[("If-None-Match", &tag)]).await;
    assert_eq!(of_staff.expect_status(200).number_at("/on_hand"), 7);
    let count = json!({"on_hand": 9});
    let by_the_publics = seller.request(Method::PUT, &path, Some(&count), &[("If-Match", &tag)]).await;
    by_the_publics.expect_error(412, "stock_version_mismatch");

    // Directly at the domain it is the same.
    let client = async_nats::connect(&shop.nats).await.unwrap();
    let ask = json!({"variant_id": variant}).to_string();
    let answer = client.request("req.inventory.get_stock", ask.clone().into()).await.unwrap();
    let stock: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!((&stock["available"], stock.get("on_hand"), stock.get("version")), (&json!(4), None, None));
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Authorization", format!("Bearer {}", seller.token()));
    let answer = client.request_with_headers("req.inventory.get_stock", headers, ask.into()).await.unwrap();
    let stock: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    assert_eq!((&stock["on_hand"], &stock["reserved"]), (&json!(7), &json!(3)));
    for person in [&anyone, &shop.customer().await, &stranger] {
        assert!([401, 403].contains(&person.get(&format!("{path}/movements")).await.status));
    }
}

#[tokio::test]
async fn stock_that_is_held_or_another_sellers_cannot_be_removed() {
    let shop = &shared_shop().await;
    let variant = shop.product(5, 1000).await;
    let path = format!("/inventory/{variant}");
    let seller = shop.seller().await;
    shop.customer().await.order(&variant, 3, None).await.expect_status(201);
    wait_until("three are held", || async { shop.stock(&variant).await.number_at("/reserved") == 3 }).await;
    seller.put(&path, &json!({"on_hand": 2})).await.expect_error(409, "below_reserved");
    assert_eq!(seller.put(&path, &json!({"on_hand": 3})).await.expect_status(200).number_at("/available"), 0);
    for body in [json!({"on_hand": -1}), json!({"on_hand": 1_000_000_001}), json!({"on_hand": 3, "min_stock": -1})] {
        seller.put(&path, &body).await.expect_error(422, "invalid_stock");
    }
    let (stranger, _) = shop.new_seller().await;
    stranger.put(&path, &json!({"on_hand": 100})).await.expect_error(403, "not_your_variant");
    stranger.get(&format!("{path}/movements")).await.expect_error(403, "not_your_variant");
    shop.customer().await.put(&path, &json!({"on_hand": 100})).await.expect_error(403, "forbidden");
    shop.anonymous().put(&path, &json!({"on_hand": 100})).await.expect_error(401, "unauthenticated");
    let unknown = format!("/inventory/{}", uuid::Uuid::now_v7());
    seller.put(&unknown, &json!({"on_hand": 1})).await.expect_error(404, "variant_not_found");
    assert_eq!(shop.stock(&variant).await.number_at("/on_hand"), 3);
}

#[tokio::test]
async fn availability_is_answered_in_bulk_and_in_the_requested_order() {
    let shop = &shared_shop().await;
    let (few, many) = (shop.product(1, 100).await, shop.product(50, 100).await);
    let unknown = uuid::Uuid::now_v7().to_string();
    let anyone = shop.anonymous();
    let ask = json!({"items": [{"variant_id": many, "quantity": 50}, {"variant_id": few, "quantity": 2},
        {"variant_id": unknown, "quantity": 1}]});
    let answer = anyone.post("/inventory/availability", &ask).await.expect_status(200);
    let available: Vec<_> = answer.body["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["variant_id"].as_str().unwrap(), one["available"].as_i64().unwrap(), &one["is_available"]))
        .collect();
    assert_eq!(
        available,
        [(many.as_str(), 50, &json!(true)), (&few, 1, &json!(false)), (&unknown, 0, &json!(false))],
        "{}",
        answer.body
    );
    anyone.post("/inventory/availability", &json!({"items": []})).await.expect_error(422, "invalid_items");
}
