//! What people type: texts in another Unicode form, invisible characters, passwords that are guessed, and bounds that
//! no single field shows.

use serde_json::{Value, json};

use crate::harness::{Answer, Person, address, shared_shop};

fn usd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "USD"})
}

/// The field that an answer names, and the code of what is wrong with it.
fn wrong(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 422, "{answer:?}");
    (answer.text_at("/details/0/field"), answer.text_at("/details/0/code"))
}

fn named(field: &str, code: &str) -> (String, String) {
    (field.to_owned(), code.to_owned())
}

#[tokio::test]
async fn a_text_has_one_form_whichever_keyboard_wrote_it() {
    let shop = &shared_shop().await;
    let (seller, id) = shop.new_seller().await;
    let product = json!({"name": " Cafe\u{301} au lait\u{200b} ", "price": usd(500)});
    let made = seller.post("/products", &product).await.expect_status(201);
    assert_eq!(made.text_at("/name"), "Caf\u{e9} au lait");
    let path = format!("/products/{}", made.text_at("/id"));
    let same = seller.patch(&path, &json!({"name": "Caf\u{e9} au lait"})).await.expect_status(200);
    assert_eq!(same.number_at("/version"), made.number_at("/version"), "nothing has changed");
    let found = shop.anonymous().get(&format!("/products?seller={id}&search=cafe%CC%81")).await.expect_status(200);
    assert_eq!(found.number_at("/pagination/total"), 1, "{}", found.body);

    for nothing in ["\u{200b}", " \u{feff}\u{2060} ", "\u{3164}"] {
        let answer = seller.post("/products", &json!({"name": nothing, "price": usd(1)})).await;
        assert_eq!(wrong(&answer), named("name", "length"), "{nothing:?}");
    }
    let sku = uuid::Uuid::now_v7().simple().to_string().to_uppercase();
    let with_sku = |sku: &str| json!({"name": "Mug", "price": usd(500), "sku": sku});
    seller.post("/products", &with_sku(&format!("SKU-{sku}"))).await.expect_status(201);
    for alike in [format!("ＳＫＵ-{sku}"), format!("SKU\u{200b}-{sku}"), format!("SKU-{sku}\u{feff}")] {
        seller.post("/products", &with_sku(&alike)).await.expect_error(409, "sku_taken");
    }
}

#[tokio::test]
async fn an_address_and_a_password_open_the_account_from_every_keyboard() {
    let shop = &shared_shop().await;
    let anyone = shop.anonymous();
    let name = uuid::Uuid::now_v7().simple().to_string();
    let (composed, decomposed) =
        (format!("j\u{fc}rgen.{name}@example.com"), format!("ju\u{308}rgen.{name}@example.com"));
    let (password, other_form) = ("gru\u{308}ne Wiesen im Mai", "gr\u{fc}ne Wiesen im Mai");
    let account = |email: &str, password: &str| json!({"email": email, "password": password});
    let made = anyone.post("/auth/register", &account(&decomposed, password)).await.expect_status(201);
    assert_eq!(made.text_at("/user/email"), composed);
    anyone.post("/auth/register", &account(&composed, other_form)).await.expect_error(409, "email_taken");
    for email in [&composed, &decomposed] {
        for password in [password, other_form] {
            anyone.post("/auth/login", &account(email, password)).await.expect_status(200);
        }
    }
    anyone.post("/auth/login", &account(&composed, "grune Wiesen im Mai")).await.expect_error(401, "wrong_credentials");
}

#[tokio::test]
async fn a_password_that_is_tried_first_is_rejected() {
    let anyone = shared_shop().await.anonymous();
    let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
    for guessed in ["password123", "1234567890", "qwertyuiop", &email] {
        let answer = anyone.post("/auth/register", &json!({"email": email, "password": guessed})).await;
        assert_eq!(wrong(&answer), named("password", "guessed"), "{guessed}");
    }
    anyone
        .post("/auth/register", &json!({"email": email, "password": "teapot under a maple"}))
        .await
        .expect_status(201);
}

#[tokio::test]
async fn an_order_names_a_country_and_a_guest_an_address_for_mail() {
    let shop = &shared_shop().await;
    let variant = shop.product(5, 1000).await;
    let cart = shop.anonymous().post("/carts", &json!({})).await.expect_status(201).text_at("/token");
    let guest = shop.anonymous().with_cart(cart);
    let order = |country: &str, email: Option<&str>| {
        let mut to = address();
        to["country"] = json!(country);
        let mut order = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": to});
        if let Some(email) = email {
            order["email"] = json!(email);
        }
        order
    };
    let place = async |person: &Person, order: Value| person.post_once("/orders", &order).await;
    assert_eq!(wrong(&place(&guest, order("US", None)).await), named("email", "required"));
    for country in ["XX", "us", "USA", "", "ZZ"] {
        let answer = place(&guest, order(country, Some("guest@example.com"))).await;
        assert_eq!(wrong(&answer), named("shipping_address.country", "format"), "{country}");
    }
    place(&guest, order("AX", Some("guest@example.com"))).await.expect_status(201);
    place(&shop.customer().await, order("US", None)).await.expect_status(201);
}

#[tokio::test]
async fn prices_and_sums_have_bounds_beyond_those_of_their_fields() {
    let shop = &shared_shop().await;
    let (seller, _) = shop.new_seller().await;
    let product = |compare: i64| json!({"name": "Mug", "price": usd(1000), "compare_price": usd(compare)});
    assert_eq!(wrong(&seller.post("/products", &product(1000)).await), named("compare_price.amount", "range"));
    let made = seller.post("/products", &product(1200)).await.expect_status(201);
    let path = format!("/products/{}", made.text_at("/id"));
    // Whichever of the two changes.
    for change in [json!({"price": usd(1200)}), json!({"compare_price": usd(999)})] {
        assert_eq!(wrong(&seller.patch(&path, &change).await), named("compare_price.amount", "range"), "{change}");
    }
    seller.patch(&path, &json!({"price": usd(1200), "compare_price": usd(1300)})).await.expect_status(200);
    seller.patch(&path, &json!({"price": usd(5000), "compare_price": null})).await.expect_status(200);

    // 10,000 times the highest price is beyond what a JSON reader represents exactly (2^53).
    let dear = json!({"name": "Palace", "price": usd(1_000_000_000_000), "on_hand": 10_000});
    let dear = seller.post("/products", &dear).await.expect_status(201);
    let line = |quantity: i64| json!({"variant_id": dear.text_at("/variants/0/id"), "quantity": quantity});
    let buyer = shop.customer().await;
    assert_eq!(wrong(&buyer.post("/cart/items", &line(9008)).await), named("quantity", "range"));
    let cart = buyer.post("/cart/items", &line(9007)).await.expect_status(200);
    assert_eq!(cart.number_at("/totals/total/amount"), 9_007_000_000_000_000);
}

#[tokio::test]
async fn names_are_sorted_as_people_sort_them() {
    let shop = &shared_shop().await;
    let (seller, id) = shop.new_seller().await;
    for name in ["Zebra", "apple", "Äpfel", "Apple", "éclair", "Eclair", "10 mugs"] {
        seller.post("/products", &json!({"name": name, "price": usd(100)})).await.expect_status(201);
    }
    let sorted = ["10 mugs", "Äpfel", "apple", "Apple", "Eclair", "éclair", "Zebra"];
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/products?seller={id}&sort=name&limit=2{cursor}");
        let page = shop.anonymous().get(&path).await.expect_status(200);
        seen.extend(page.body["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().to_owned()));
        let Some(next) = page.body["pagination"]["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, sorted);
}

#[tokio::test]
async fn categories_lie_eight_deep_at_most() {
    let shop = &shared_shop().await;
    let client = async_nats::connect(&shop.nats).await.unwrap();
    let admin = shop.admin().await;
    let mut parent: Option<String> = None;
    for depth in 1..=9 {
        let slug = format!("deep-{depth}-{}", uuid::Uuid::now_v7().simple());
        let body = json!({"name": "Deep", "slug": slug, "description": "", "parent_id": parent});
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Authorization", format!("Bearer {}", admin.token()).as_str());
        let subject = "req.catalog.create_category";
        let reply = client.request_with_headers(subject, headers, body.to_string().into()).await.unwrap();
        let reply: Value = serde_json::from_slice(&reply.payload).unwrap();
        if depth == 9 {
            let detail = &reply["details"][0];
            assert_eq!((&detail["field"], &detail["code"]), (&json!("parent_id"), &json!("range")), "{reply}");
        } else {
            parent = Some(reply["id"].as_str().unwrap_or_else(|| panic!("{reply}")).to_owned());
        }
    }
}
