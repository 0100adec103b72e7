//! The stock of whole products, the list of what is low, and the stock of a variant as it changes.

use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Answer, Events, Person, Shop, shared_shop, wait_until};

/// A product of this seller with two variants; gives it and them.
async fn product(seller: &Person) -> (String, [String; 2]) {
    let (name, price) = (Uuid::now_v7().simple(), json!({"amount": 900, "currency": "USD"}));
    let variant = |size: &str| json!({"sku": format!("{name}-{size}"), "price": price});
    let body = json!({"name": format!("Stool {name}"), "price": price, "variants": [variant("S"), variant("L")]});
    let product = seller.post("/products", &body).await.expect_status(201);
    let variants = ["/variants/0/id", "/variants/1/id"].map(|variant| product.text_at(variant));
    (product.text_at("/id"), variants)
}

async fn count(seller: &Person, variant: &str, count: Value) -> Answer {
    seller.put(&format!("/inventory/{variant}"), &count).await.expect_status(200)
}

fn sums(stock: &Answer) -> [Option<i64>; 3] {
    ["on_hand", "reserved", "available"].map(|sum| stock.body[sum].as_i64())
}

#[tokio::test]
async fn the_stock_of_a_product_is_that_of_its_variants() {
    let shop = &shared_shop().await;
    let (seller, _) = shop.new_seller().await;
    let (product, [small, large]) = product(&seller).await;
    let path = format!("/inventory/products/{product}");
    // At once, whether inventory knows the variants or not.
    assert_eq!(sums(&seller.get(&path).await.expect_status(200)), [Some(0), Some(0), Some(0)]);
    count(&seller, &small, json!({"on_hand": 7})).await;
    let counted = count(&seller, &large, json!({"on_hand": 5})).await;
    assert_eq!((counted.text_at("/product_id"), counted.text_at("/location")), (product.clone(), "main".into()));
    shop.customer().await.order(&small, 3, None).await.expect_status(201);
    wait_until("three are held", || async { shop.stock(&small).await.number_at("/reserved") == 3 }).await;

    for staff in [&seller, &shop.admin().await] {
        let stock = staff.get(&path).await.expect_status(200);
        assert_eq!(sums(&stock), [Some(12), Some(3), Some(9)], "{}", stock.body);
        assert_eq!((stock.text_at("/product_id"), stock.text_at("/location")), (product.clone(), "main".into()));
        let of = |variant: &str| {
            let variants = stock.body["variants"].as_array().unwrap();
            variants.iter().find(|stock| stock["variant_id"] == variant).unwrap().clone()
        };
        assert_eq!((&of(&small)["reserved"], &of(&large)["on_hand"]), (&json!(3), &json!(5)));
        assert_eq!(of(&small), staff.get(&format!("/inventory/{small}")).await.body);
    }
    let (stranger, _) = shop.new_seller().await;
    for other in [shop.anonymous(), shop.customer().await, stranger] {
        let stock = other.get(&path).await.expect_status(200);
        assert_eq!(sums(&stock), [None, None, Some(9)], "{}", stock.body);
        let shown = other.get(&format!("/inventory/{small}")).await.body;
        assert!(stock.body["variants"].as_array().unwrap().contains(&shown), "{} lacks {shown}", stock.body);
    }

    // As a variant, it does not exist for the public unless it is for sale.
    seller.patch(&format!("/products/{product}"), &json!({"is_active": false})).await.expect_status(200);
    shop.anonymous().get(&path).await.expect_error(404, "product_not_found");
    assert_eq!(sums(&seller.get(&path).await), [Some(12), Some(3), Some(9)]);
    let unknown = format!("/inventory/products/{}", Uuid::now_v7());
    shop.admin().await.get(&unknown).await.expect_error(404, "product_not_found");
    shop.admin().await.get("/inventory/products/stool").await.expect_error(404, "not_found");
}

/// Rows that were written before there was a column for the product have none.
#[tokio::test]
async fn the_product_of_an_old_row_is_asked_for_until_its_stock_is_counted() {
    let shop = &shared_shop().await;
    let seller = shop.seller().await;
    let variant = shop.product(5, 1000).await;
    let product = shop.stock(&variant).await.text_at("/product_id");
    let row = format!("from stock where variant_id = '{variant}' and product_id = '{product}'");
    assert_eq!(shop.number("inventory", &format!("select count(*) {row}")).await, 1);
    shop.sql("inventory", format!("update stock set product_id = null where variant_id = '{variant}'")).await;
    for person in [shop.anonymous(), shop.admin().await, shop.customer().await] {
        let stock = person.get(&format!("/inventory/{variant}")).await.expect_status(200);
        assert_eq!(stock.text_at("/product_id"), product);
        let stock = person.get(&format!("/inventory/products/{product}")).await.expect_status(200);
        assert_eq!((stock.number_at("/available"), stock.text_at("/variants/0/product_id")), (5, product.clone()));
    }
    assert_eq!(count(&seller, &variant, json!({"on_hand": 6})).await.text_at("/product_id"), product);
    assert_eq!(shop.number("inventory", &format!("select count(*) {row}")).await, 1);
}

/// The variants of the list, over all of its pages.
async fn low(admin: &Person) -> Vec<Value> {
    let (mut found, mut path) = (Vec::new(), "/admin/inventory/low-stock?limit=1".to_owned());
    loop {
        let page = admin.get(&path).await.expect_status(200);
        found.extend(page.body["data"].as_array().unwrap().iter().cloned());
        let Some(cursor) = page.body["pagination"]["next_cursor"].as_str() else { return found };
        path = format!("/admin/inventory/low-stock?limit=1&cursor={cursor}");
    }
}

async fn is_low(admin: &Person, variant: &str) -> bool {
    low(admin).await.iter().any(|stock| stock["variant_id"] == variant)
}

/// The next event of a variant.
async fn warning(warnings: &mut async_nats::Subscriber, variant: &str) -> Value {
    loop {
        let event = tokio::time::timeout(Duration::from_secs(30), warnings.next()).await.expect("no event").unwrap();
        let event: Value = serde_json::from_slice(&event.payload).unwrap();
        if event["variant_id"] == variant {
            return event;
        }
    }
}

#[tokio::test]
async fn stock_that_gets_low_is_an_event_and_in_the_list_until_there_is_more() {
    let shop = &shared_shop().await;
    let (seller, admin) = (shop.seller().await, shop.admin().await);
    let [first, second] = [shop.product(5, 1000).await, shop.product(5, 1000).await];
    let client = async_nats::connect(&shop.nats).await.unwrap();
    let mut warnings = client.subscribe("evt.inventory.low_stock.*").await.unwrap();
    client.flush().await.unwrap();
    count(&seller, &first, json!({"on_hand": 5, "min_stock": 3})).await;
    count(&seller, &second, json!({"on_hand": 5, "min_stock": 3})).await;
    assert!(!is_low(&admin, &first).await);

    // A reservation is enough.
    shop.customer().await.order(&first, 2, None).await.expect_status(201);
    let event = warning(&mut warnings, &first).await;
    assert_eq!((&event["available"], &event["min_stock"]), (&json!(3), &json!(3)));
    count(&seller, &second, json!({"on_hand": 0})).await;
    assert_eq!(warning(&mut warnings, &second).await["available"], 0);
    let list = low(&admin).await;
    let places = [&second, &first].map(|variant| list.iter().position(|stock| stock["variant_id"] == **variant));
    assert!(places[0].is_some() && places[0] < places[1], "the newest is first: {places:?}");
    let shown = &list[places[1].unwrap()];
    assert_eq!(*shown, shop.stock(&first).await.body);
    assert_eq!((&shown["available"], &shown["location"]), (&json!(3), &json!("main")));
    let page = admin.get("/admin/inventory/low-stock?limit=1&offset=1").await.expect_status(200);
    let back = page.text_at("/pagination/prev_cursor");
    let back = admin.get(&format!("/admin/inventory/low-stock?limit=1&cursor={back}")).await.expect_status(200);
    assert!(back.body["data"][0]["variant_id"].as_str() > page.body["data"][0]["variant_id"].as_str());

    // More units, or no minimum.
    count(&seller, &first, json!({"on_hand": 6})).await;
    count(&seller, &second, json!({"on_hand": 0, "min_stock": null})).await;
    assert!(!is_low(&admin, &first).await && !is_low(&admin, &second).await);

    let path = "/admin/inventory/low-stock";
    seller.get(path).await.expect_error(403, "forbidden");
    shop.anonymous().get(path).await.expect_error(401, "unauthenticated");
    admin.get(&format!("{path}?cursor=x")).await.expect_error(400, "invalid_cursor");
}

/// An update of the balances writes no index, whatever the minimum, unless it changes what is low.
#[tokio::test]
async fn the_list_of_what_is_low_costs_an_order_nothing() {
    let shop = Shop::start(&[]).await;
    let variants: Vec<_> = futures::future::join_all((0..3).map(|_| shop.product(50, 1000))).await;
    for variant in &variants {
        count(&shop.seller().await, variant, json!({"on_hand": 50, "min_stock": 10})).await;
    }
    let buyer = shop.customer().await;
    let cold = "select (n_tup_upd - n_tup_hot_upd)::bigint from pg_stat_user_tables where relname = 'stock'";
    let all = "select n_tup_upd::bigint from pg_stat_user_tables where relname = 'stock'";
    let (before, updates) = (shop.number("inventory", cold).await, shop.number("inventory", all).await);
    for variant in &variants {
        buyer.order(variant, 2, Some("pm_card_visa")).await.expect_status(201);
        wait_until("the units are sold", || async { shop.stock(variant).await.number_at("/on_hand") == 48 }).await;
    }
    wait_until("the updates are counted", || async { shop.number("inventory", all).await >= updates + 6 }).await;
    assert_eq!(shop.number("inventory", cold).await, before);
}

async fn follow(person: &Person, variant: &str, last: Option<i64>) -> Events {
    Events::open(person, &format!("/inventory/{variant}/stream"), "stock", last).await
}

#[tokio::test]
async fn the_stock_of_a_variant_is_followed_by_anyone() {
    let shop = &shared_shop().await;
    let seller = shop.seller().await;
    let variant = shop.product(5, 1000).await;
    let path = format!("/inventory/{variant}");
    for person in [&shop.anonymous(), &seller] {
        let mut events = follow(person, &variant, None).await;
        let first = events.next().await.unwrap();
        assert_eq!(first.data, shop.anonymous().get(&path).await.expect_status(200).body, "what the public sees");
        let order = shop.customer().await.order(&variant, 2, None).await.expect_status(201);
        let held = events.next().await.unwrap();
        assert_eq!((&held.data["available"], &held.data["location"]), (&json!(3), &json!("main")));
        // A minimum changes nothing that the public sees.
        count(&seller, &variant, json!({"on_hand": 5, "min_stock": 1 + first.id % 2})).await;
        shop.admin()
            .await
            .post(&format!("/orders/{}/cancel", order.text_at("/id")), &json!({}))
            .await
            .expect_status(200);
        let released = events.next().await.unwrap();
        assert_eq!(released.data["available"], 5);
        assert!(first.id < held.id && held.id < released.id);

        // What was seen is not sent again; what has changed since is.
        let mut resumed = follow(person, &variant, Some(released.id)).await;
        let mut behind = follow(person, &variant, Some(held.id)).await;
        assert_eq!(behind.next().await.unwrap().id, released.id);
        count(&seller, &variant, json!({"on_hand": 9})).await;
        assert_eq!(resumed.next().await.unwrap().data["available"], 9);
        count(&seller, &variant, json!({"on_hand": 5})).await;
    }
    let unknown = format!("/inventory/{}/stream", Uuid::now_v7());
    shop.anonymous().get(&unknown).await.expect_error(404, "variant_not_found");
}

#[tokio::test]
async fn a_stream_of_stock_needs_no_notice_and_ends_when_the_product_is_not_for_sale() {
    let shop = &shared_shop().await;
    let seller = shop.seller().await;
    let variant = shop.product(5, 1000).await;
    let mut events = follow(&shop.anonymous(), &variant, None).await;
    assert_eq!(events.next().await.unwrap().data["available"], 5);
    // As if the notice were lost.
    let unnoticed = format!(
        "update stock set on_hand = 6, received = 6, updated_at = now() where variant_id = '{variant}';
         insert into movement (variant_id, reason, on_hand_delta, reserved_delta, at)
             values ('{variant}', 'counted', 1, 0, now())"
    );
    shop.sql("inventory", unnoticed).await;
    assert_eq!(events.next().await.unwrap().data["available"], 6);
    let counted = count(&seller, &variant, json!({"on_hand": 7})).await;
    assert_eq!(events.next().await.unwrap().data["available"], 7);
    let product = counted.text_at("/product_id");
    seller.patch(&format!("/products/{product}"), &json!({"is_active": false})).await.expect_status(200);
    assert!(events.rest().await.is_empty());
}
