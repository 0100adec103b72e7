//! Products: made and changed by their sellers, found by the public.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Person, shared_shop, wait_until};

fn usd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "USD"})
}

fn new_product(name: &str, price: i64) -> Value {
    json!({"name": name, "price": usd(price)})
}

fn names(page: &Answer) -> Vec<String> {
    let data = page.body["data"].as_array().unwrap();
    data.iter().map(|product| product["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_product_is_made_once_per_key_and_read_by_id_and_slug() {
    let shop = &shared_shop().await;
    let (seller, seller_id) = shop.new_seller().await;
    let anyone = shop.anonymous();
    let mark = uuid::Uuid::now_v7().simple().to_string();
    let body = json!({
        "name": format!("Lamp {mark}"), "description": "It glows.", "price": usd(4999), "compare_price": usd(5999),
        "cost_price": usd(2100), "is_featured": true,
        "variants": [
            {"sku": format!("{mark}-RED"), "name": "Red", "attributes": {"colour": "red"}, "on_hand": 3},
            {"sku": format!("{mark}-BLUE"), "name": "Blue", "price": usd(5299)},
        ],
    });
    let key = [("Idempotency-Key", mark.as_str())];
    let made = seller.request(Method::POST, "/products", Some(&body), &key).await.expect_status(201);
    let id = made.text_at("/id");
    assert_eq!(made.header("location"), Some(format!("/api/v1/products/{id}").as_str()));
    assert!(made.header("etag").is_some());
    assert_eq!(made.header("idempotent-replayed"), None);
    assert_eq!((made.text_at("/seller_id"), made.number_at("/cost_price/amount")), (seller_id, 2100));
    let prices = (made.number_at("/variants/0/price/amount"), made.number_at("/variants/1/price/amount"));
    assert_eq!(prices, (4999, 5299));

    let again = seller.request(Method::POST, "/products", Some(&body), &key).await.expect_status(201);
    assert_eq!((again.text_at("/id"), again.header("idempotent-replayed")), (id.clone(), Some("true")));
    let other = new_product("Another lamp", 1);
    let reused = seller.request(Method::POST, "/products", Some(&other), &key).await;
    reused.expect_error(422, "command_id_reused");
    seller.post("/products", &body).await.expect_error(409, "sku_taken");
    let wrong = json!({"name": "", "price": usd(-1)});
    seller.post("/products", &wrong).await.expect_error(422, "invalid_product");

    let found = anyone.get(&format!("/products/{id}")).await.expect_status(200);
    let by_slug = anyone.get(&format!("/products/{}", found.text_at("/slug"))).await.expect_status(200);
    assert_eq!(by_slug.text_at("/id"), id);
    let admin = shop.admin().await;
    for (reader, sees) in [(&anyone, false), (&shop.customer().await, false), (&seller, true), (&admin, true)] {
        let product = reader.get(&format!("/products/{id}")).await.expect_status(200);
        assert_eq!(product.body.get("cost_price").is_some(), sees, "{}", product.body);
    }
    wait_until("the stock is shown", || async {
        anyone.get(&format!("/products/{id}")).await.number_at("/variants/0/available") == 3
    })
    .await;
}

#[tokio::test]
async fn a_product_is_changed_by_its_seller_in_the_version_he_saw() {
    let shop = &shared_shop().await;
    let (seller, _) = shop.new_seller().await;
    let (stranger, _) = shop.new_seller().await;
    let anyone = shop.anonymous();
    let name = format!("Chair {}", uuid::Uuid::now_v7().simple());
    let made = seller.post("/products", &new_product(&name, 8000)).await.expect_status(201);
    let path = format!("/products/{}", made.text_at("/id"));
    let read = anyone.get(&path).await.expect_status(200);
    let tag = read.header("etag").unwrap().to_owned();
    let cached = anyone.request(Method::GET, &path, None, &[("If-None-Match", &tag)]).await;
    assert_eq!((cached.status, cached.header("etag")), (304, Some(tag.as_str())));
    assert_eq!(cached.body, json!(""), "a 304 has no body");

    let cheaper = json!({"price": usd(7000)});
    let own_tag = seller.get(&path).await.header("etag").unwrap().to_owned();
    let changed = seller.request(Method::PATCH, &path, Some(&cheaper), &[("If-Match", &own_tag)]).await;
    let changed = changed.expect_status(200);
    assert_eq!((changed.number_at("/price/amount"), changed.number_at("/version")), (7000, 2));
    assert_eq!(changed.number_at("/variants/0/price/amount"), 7000);
    assert_ne!(changed.header("etag"), Some(own_tag.as_str()));
    let stale = seller.request(Method::PATCH, &path, Some(&cheaper), &[("If-Match", &own_tag)]).await;
    stale.expect_error(412, "product_version_mismatch");
    let malformed = seller.request(Method::PATCH, &path, Some(&cheaper), &[("If-Match", "2")]).await;
    malformed.expect_error(400, "invalid_header");
    let fresh = anyone.request(Method::GET, &path, None, &[("If-None-Match", &tag)]).await.expect_status(200);
    assert_eq!(fresh.number_at("/price/amount"), 7000);

    stranger.patch(&path, &cheaper).await.expect_error(403, "not_your_product");
    shop.customer().await.patch(&path, &cheaper).await.expect_error(403, "forbidden");
    anyone.patch(&path, &cheaper).await.expect_error(401, "unauthenticated");
    shop.admin().await.patch(&path, &json!({"is_active": false})).await.expect_status(200);
    anyone.get(&path).await.expect_error(404, "product_not_found");
    stranger.get(&path).await.expect_error(404, "product_not_found");
    assert_eq!(seller.get(&path).await.expect_status(200).body["is_active"], false);
    let nothing = format!("/products/{}", uuid::Uuid::now_v7());
    seller.patch(&nothing, &cheaper).await.expect_error(404, "product_not_found");
}

/// Five products of a seller of their own: A costs 1000, B 2000 and so on; A has stock, B is featured.
async fn five_products(seller: &Person, mark: &str) {
    for (number, letter) in (1..).zip(["A", "B", "C", "D", "E"]) {
        let mut body = new_product(&format!("{letter} thing"), number * 1000);
        body["is_featured"] = json!(letter == "B");
        body["on_hand"] = json!(i64::from(letter == "A"));
        if letter == "C" {
            body["description"] = json!(format!("Known as {mark}."));
        }
        seller.post("/products", &body).await.expect_status(201);
    }
}

#[tokio::test]
async fn products_are_filtered_and_sorted() {
    let shop = &shared_shop().await;
    let (seller, id) = shop.new_seller().await;
    let mark = format!("mark{}", uuid::Uuid::now_v7().simple());
    five_products(&seller, &mark).await;
    let anyone = shop.anonymous();
    let list = async |query: &str| {
        let page = anyone.get(&format!("/products?seller={id}&{query}")).await.expect_status(200);
        assert_eq!(page.number_at("/pagination/total"), names(&page).len() as i64, "{query}");
        names(&page).iter().map(|name| name[..1].to_owned()).collect::<String>()
    };
    wait_until("the stock is shown", || async { list("in_stock=true").await == "A" }).await;
    for (query, expected) in [
        ("sort=name", "ABCDE"),
        ("sort=-name", "EDCBA"),
        ("sort=price", "ABCDE"),
        ("sort=-price", "EDCBA"),
        ("sort=-created_at", "EDCBA"),
        ("", "EDCBA"),
        ("featured=true", "B"),
        ("sort=name&in_stock=false", "BCDE"),
        ("sort=price&min_price=2000&max_price=4000&currency=USD", "BCD"),
        ("min_price=2000&currency=EUR", ""),
        ("category=no-such-category", ""),
        (format!("search={mark}").as_str(), "C"),
    ] {
        assert_eq!(list(query).await, expected, "{query}");
    }
    let of_category = anyone.get("/products?category=kitchen&limit=100").await.expect_status(200);
    assert!(of_category.number_at("/pagination/total") > 0, "the demo shop has a kitchen");
    let categories = anyone.get("/categories?limit=100").await.expect_status(200);
    let slugs: Vec<_> = categories.body["data"].as_array().unwrap().iter().map(|one| one["slug"].clone()).collect();
    assert!(slugs.contains(&json!("kitchen")), "{slugs:?}");
    for query in ["sort=colour", "in_stock=maybe", "min_price=-1", "currency=usd", "seller=me"] {
        anyone.get(&format!("/products?{query}")).await.expect_error(400, "invalid_query");
    }
}

/// A lamp at 500, sold out, and at 5000; a chair at 1000; a table at 2000 in two colours.
async fn products_with_variants(seller: &Person) {
    let mark = uuid::Uuid::now_v7().simple().to_string();
    let variant = |name: &str, price: i64, on_hand: i64| {
        let sku = format!("{mark}-{name}");
        json!({"sku": sku, "name": name, "price": usd(price), "on_hand": on_hand})
    };
    for (name, variants) in [
        ("Lamp", vec![variant("small", 500, 0), variant("large", 5000, 2)]),
        ("Chair", vec![variant("oak", 1000, 2)]),
        ("Table", vec![variant("red", 2000, 2), variant("blue", 2000, 2)]),
    ] {
        let body = json!({"name": name, "price": usd(1), "variants": variants});
        seller.post("/products", &body).await.expect_status(201);
    }
}

#[tokio::test]
async fn a_product_is_found_and_sorted_by_a_variant_that_satisfies_all_filters_together() {
    let shop = &shared_shop().await;
    let (seller, id) = shop.new_seller().await;
    products_with_variants(&seller).await;
    let anyone = shop.anonymous();
    let list = async |query: &str| {
        let page = anyone.get(&format!("/products?seller={id}&{query}")).await.expect_status(200);
        let found = names(&page).iter().map(|name| name[..1].to_owned()).collect::<String>();
        assert_eq!(page.number_at("/pagination/total"), found.len() as i64, "{query}: {found}");
        found
    };
    for (query, expected) in [
        ("", "TCL"),
        ("min_price=4000", "L"),
        ("max_price=600", "L"),
        ("min_price=600&max_price=4000", "TC"),
        ("in_stock=true&max_price=600", ""),
        ("in_stock=true&min_price=4000", "L"),
        ("in_stock=false&max_price=600", "L"),
        ("in_stock=false&min_price=600", ""),
        ("sort=price", "LCT"),
        ("sort=price&in_stock=true", "CTL"),
        ("sort=price&min_price=600", "CTL"),
        ("sort=-price", "LTC"),
        ("sort=-price&max_price=1000", "CL"),
        ("sort=name&in_stock=true&min_price=1500", "LT"),
        ("sort=price&currency=EUR", ""),
    ] {
        assert_eq!(list(query).await, expected, "{query}");
    }
    for (query, expected) in [("sort=price&in_stock=true", "CTL"), ("sort=-price&max_price=3000", "TCL")] {
        let (mut seen, mut cursor) = (String::new(), String::new());
        while seen.len() < expected.len() {
            let page = anyone.get(&format!("/products?seller={id}&{query}&limit=1{cursor}")).await.expect_status(200);
            seen.push_str(&names(&page)[0][..1]);
            let next = page.body["pagination"]["next_cursor"].as_str();
            assert_eq!(next.is_some(), seen.len() < expected.len(), "{query}: {seen}");
            cursor = next.map(|next| format!("&cursor={next}")).unwrap_or_default();
        }
        assert_eq!(seen, expected, "{query}");
    }
    let lamp = anyone.get(&format!("/products?seller={id}&min_price=4000")).await.expect_status(200);
    let range = (lamp.number_at("/data/0/price_range/min/amount"), lamp.number_at("/data/0/price_range/max/amount"));
    assert_eq!(range, (500, 5000), "{}", lamp.body);
}

#[tokio::test]
async fn hidden_products_are_listed_for_their_seller_and_for_admins() {
    let shop = &shared_shop().await;
    let (seller, id) = shop.new_seller().await;
    let (stranger, _) = shop.new_seller().await;
    let (anyone, customer, admin) = (shop.anonymous(), shop.customer().await, shop.admin().await);
    seller.post("/products", &new_product("Open", 100)).await.expect_status(201);
    let hidden = json!({"name": "Hidden", "price": usd(100), "is_active": false});
    let hidden = seller.post("/products", &hidden).await.expect_status(201);
    let (path, by_slug) = (hidden.text_at("/id"), hidden.text_at("/slug"));
    let list = async |person: &Person, query: &str| {
        let page = person.get(&format!("/products?seller={id}&sort=name{query}")).await.expect_status(200);
        assert_eq!(page.number_at("/pagination/total"), names(&page).len() as i64, "{query}");
        names(&page)
    };
    for (person, is_staff) in
        [(&seller, true), (&admin, true), (&stranger, false), (&customer, false), (&anyone, false)]
    {
        let all: &[&str] = if is_staff { &["Hidden", "Open"] } else { &["Open"] };
        assert_eq!(list(person, "").await, all);
        assert_eq!(list(person, "&is_active=true").await, ["Open"]);
        assert_eq!(list(person, "&is_active=false").await, if is_staff { &["Hidden"][..] } else { &[] });
        assert_eq!(list(person, "&is_active=false&max_price=50").await, [""; 0]);
        for id in [&path, &by_slug] {
            let found = person.get(&format!("/products/{id}")).await;
            assert_eq!(found.status, if is_staff { 200 } else { 404 }, "{found:?}");
        }
    }
    // Of all sellers, an admin sees the hidden products, and a seller the own ones.
    let mut all = admin.get("/products?is_active=false&limit=1").await.expect_status(200);
    assert!(all.number_at("/pagination/total") >= 1);
    all = seller.get("/products?is_active=false").await.expect_status(200);
    assert_eq!(names(&all), ["Hidden"]);
    anyone.get("/products?is_active=perhaps").await.expect_error(400, "invalid_query");

    let client = async_nats::connect(&shop.nats).await.unwrap();
    let ask = json!({"seller": id}).to_string();
    let found = client.request("req.catalog.list_products", ask.into()).await.unwrap();
    let found: Value = serde_json::from_slice(&found.payload).unwrap();
    assert_eq!((&found["pagination"]["total"], &found["data"][0]["name"]), (&json!(1), &json!("Open")));

    seller.patch(&format!("/products/{path}"), &json!({"is_active": true})).await.expect_status(200);
    assert_eq!(list(&anyone, "").await, ["Hidden", "Open"]);
}

#[tokio::test]
async fn pages_hang_together_by_cursor_and_by_offset() {
    let shop = &shared_shop().await;
    let (seller, id) = shop.new_seller().await;
    five_products(&seller, "x").await;
    let anyone = shop.anonymous();
    for sort in ["name", "price", "-price", "-created_at"] {
        let whole = names(&anyone.get(&format!("/products?seller={id}&sort={sort}")).await.expect_status(200));
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/products?seller={id}&sort={sort}&limit=2{cursor}");
            let page = anyone.get(&path).await.expect_status(200);
            assert_eq!((page.number_at("/pagination/total"), page.number_at("/pagination/limit")), (5, 2));
            seen.extend(names(&page));
            match page.body["pagination"]["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
            assert!(seen.len() < 5, "the last page has no cursor");
        }
        assert_eq!(seen, whole, "{sort}");
        // And back, to a first page that has none before it.
        let mut back = Vec::new();
        loop {
            let path = format!("/products?seller={id}&sort={sort}&limit=2{cursor}");
            let page = anyone.get(&path).await.expect_status(200);
            back.splice(0..0, names(&page));
            match page.body["pagination"]["prev_cursor"].as_str() {
                Some(before) => cursor = format!("&cursor={before}"),
                None => break,
            }
            assert!(back.len() < 5, "the first page has none before it");
        }
        assert_eq!(back, whole, "{sort}, backwards");
        let by_offset = anyone.get(&format!("/products?seller={id}&sort={sort}&limit=2&offset=3")).await;
        assert_eq!(names(&by_offset.expect_status(200)), whole[3..], "{sort}");
    }
    let page = anyone.get(&format!("/products?seller={id}&sort=name&limit=2")).await;
    let cursor = page.text_at("/pagination/next_cursor");
    let of_another_sort = anyone.get(&format!("/products?seller={id}&sort=price&cursor={cursor}")).await;
    of_another_sort.expect_error(400, "invalid_cursor");
}

/// Lanes that write the same at once: the second gets a conflict, not an internal error.
#[tokio::test]
async fn of_concurrent_products_with_one_slug_one_gets_it_and_the_others_are_rejected() {
    let shop = &shared_shop().await;
    let (seller, _) = shop.new_seller().await;
    let mut paths = Vec::new();
    for number in 0..8 {
        let made = seller.post("/products", &new_product(&format!("Rival {number}"), 100)).await.expect_status(201);
        paths.push(format!("/products/{}", made.text_at("/id")));
    }
    for _round in 0..5 {
        let body = json!({"slug": format!("wanted-{}", uuid::Uuid::now_v7().simple())});
        let answers = futures::future::join_all(paths.iter().map(|path| seller.patch(path, &body))).await;
        let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 200);
        assert_eq!(won.len(), 1, "{won:?}");
        for answer in lost {
            answer.expect_error(409, "slug_taken");
        }
    }
}
