//! Carts: a guest's by its token, a customer's by the account.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Person, Shop, address, shared_shop, wait_until};

async fn guest(shop: &Shop) -> Person {
    let made = shop.anonymous().post("/carts", &json!({})).await.expect_status(201);
    assert_eq!(made.header("location"), Some("/api/v1/cart"));
    assert_eq!(made.header("cache-control"), Some("no-store"), "no cache stores a token");
    shop.anonymous().with_cart(made.text_at("/token"))
}

async fn put_in(person: &Person, variant: &str, quantity: i64) -> crate::harness::Answer {
    person.post("/cart/items", &json!({"variant_id": variant, "quantity": quantity})).await
}

#[tokio::test]
async fn a_cart_is_filled_changed_and_emptied() {
    let shop = &shared_shop().await;
    let (mug, jug) = (shop.product(10, 700).await, shop.product(3, 2500).await);
    let guest = guest(shop).await;
    let empty = guest.get("/cart").await.expect_status(200);
    assert_eq!((empty.body["items"].clone(), empty.number_at("/totals/total/amount")), (json!([]), 0));
    put_in(&guest, &mug, 2).await.expect_status(200);
    let added = put_in(&guest, &mug, 1).await.expect_status(200);
    assert_eq!((added.number_at("/items/0/quantity"), added.number_at("/totals/total/amount")), (3, 2100));
    let product = added.text_at("/items/0/product_id");
    let by_product = guest.post("/cart/items", &json!({"product_id": product, "quantity": 1})).await;
    assert_eq!(by_product.expect_status(200).number_at("/items/0/quantity"), 4);
    let full = put_in(&guest, &jug, 3).await.expect_status(200);
    assert_eq!(full.number_at("/totals/total/amount"), 4 * 700 + 3 * 2500);
    put_in(&guest, &jug, 1).await.expect_error(409, "out_of_stock");
    put_in(&guest, &jug, 0).await.expect_error(422, "invalid_item");
    put_in(&guest, &uuid::Uuid::now_v7().to_string(), 1).await.expect_error(404, "not_for_sale");

    let cart = guest.get("/cart").await.expect_status(200);
    let tag = cart.header("etag").unwrap().to_owned();
    let cached = guest.request(Method::GET, "/cart", None, &[("If-None-Match", &tag)]).await;
    assert_eq!(cached.status, 304, "{cached:?}");
    let line = format!("/cart/items/{}", cart.text_at("/items/0/id"));
    let one = json!({"quantity": 1});
    let changed = guest.request(Method::PATCH, &line, Some(&one), &[("If-Match", &tag)]).await.expect_status(200);
    assert_eq!(changed.number_at("/totals/total/amount"), 700 + 3 * 2500);
    let stale = guest.request(Method::PATCH, &line, Some(&one), &[("If-Match", &tag)]).await;
    stale.expect_error(412, "cart_version_mismatch");
    let left = guest.delete(&line).await.expect_status(200);
    assert_eq!(left.number_at("/totals/total/amount"), 3 * 2500);
    guest.delete(&line).await.expect_error(404, "item_not_found");
    assert_eq!(guest.delete("/cart").await.expect_status(200).body["items"], json!([]));
}

/// Which variant is meant decides what the buyer pays.
#[tokio::test]
async fn a_product_with_several_variants_is_not_put_in_without_one_of_them_being_chosen() {
    let shop = &shared_shop().await;
    let (seller, _) = shop.new_seller().await;
    let mark = uuid::Uuid::now_v7().simple().to_string();
    let usd = |amount: i64| json!({"amount": amount, "currency": "USD"});
    let body = json!({"name": format!("Lamp {mark}"), "price": usd(500), "variants": [
        {"sku": format!("{mark}-S"), "on_hand": 3}, {"sku": format!("{mark}-L"), "price": usd(5000), "on_hand": 3},
    ]});
    let made = seller.post("/products", &body).await.expect_status(201);
    let (product, variant) = (made.text_at("/id"), made.text_at("/variants/1/id"));
    let guest = guest(shop).await;
    let by_product = json!({"product_id": product, "quantity": 1});
    let rejected = guest.post("/cart/items", &by_product).await.expect_error(422, "variant_required");
    assert_eq!(rejected.text_at("/details/0/field"), "variant_id");
    assert_eq!(guest.get("/cart").await.expect_status(200).body["items"], json!([]));
    wait_until("inventory knows the variant", || async { put_in(&guest, &variant, 1).await.status == 200 }).await;
    assert_eq!(guest.get("/cart").await.expect_status(200).number_at("/totals/total/amount"), 5000);

    seller.patch(&format!("/products/{product}"), &json!({"is_active": false})).await.expect_status(200);
    guest.post("/cart/items", &by_product).await.expect_error(404, "not_for_sale");
}

#[tokio::test]
async fn a_key_puts_units_into_the_cart_once() {
    let shop = &shared_shop().await;
    let variant = shop.product(10, 700).await;
    let customer = shop.customer().await;
    let body = json!({"variant_id": variant, "quantity": 2});
    let key = [("Idempotency-Key", "twice")];
    customer.request(Method::POST, "/cart/items", Some(&body), &key).await.expect_status(200);
    let again = customer.request(Method::POST, "/cart/items", Some(&body), &key).await.expect_status(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(customer.get("/cart").await.number_at("/items/0/quantity"), 2);
    let other = shop.customer().await;
    assert_eq!(other.get("/cart").await.expect_status(200).body["items"], json!([]), "each customer has a cart");
    // The key belongs to its caller: the same key of another caller is another command.
    let first = other.request(Method::POST, "/cart/items", Some(&body), &key).await.expect_status(200);
    assert_eq!(first.header("idempotent-replayed"), None);
}

/// Scenario 17: the repeat comes when the order has emptied the cart.
#[tokio::test]
async fn a_guest_orders_the_cart_and_no_other_sees_the_order() {
    let shop = &shared_shop().await;
    let (mug, jug) = (shop.product(10, 700).await, shop.product(3, 2500).await);
    let buyer = guest(shop).await;
    put_in(&buyer, &mug, 2).await.expect_status(200);
    put_in(&buyer, &jug, 1).await.expect_status(200);
    let body = json!({"shipping_address": address(), "email": "guest@example.com",
        "payment": {"method": "pm_card_visa"}});
    let order = buyer.place(&body, "guest-order").await.expect_status(201);
    assert_eq!((order.text_at("/status"), order.number_at("/totals/total/amount")), ("confirmed".into(), 3900));
    let (id, number) = (order.text_at("/id"), order.text_at("/order_number"));
    assert_eq!(order.header("location"), Some(format!("/api/v1/orders/{id}").as_str()));
    wait_until("the cart is empty", || async { buyer.get("/cart").await.body["items"] == json!([]) }).await;
    let replayed = buyer.place(&body, "guest-order").await.expect_status(201);
    assert_eq!((replayed.text_at("/id"), replayed.header("idempotent-replayed")), (id.clone(), Some("true")));
    buyer.place(&body, "guest-order-2").await.expect_error(409, "cart_empty");

    let read = buyer.get(&format!("/orders/{number}")).await.expect_status(200);
    assert_eq!(read.text_at("/id"), id);
    let tag = read.header("etag").unwrap();
    let cached = buyer.request(Method::GET, &format!("/orders/{id}"), None, &[("If-None-Match", tag)]).await;
    assert_eq!(cached.status, 304, "{cached:?}");
    assert_eq!(buyer.get("/orders").await.expect_status(200).number_at("/pagination/total"), 1);
    assert_eq!(buyer.get(&format!("/payments/order/{id}")).await.expect_status(200).text_at("/status"), "succeeded");
    let stranger = guest(shop).await;
    stranger.get(&format!("/orders/{id}")).await.expect_error(404, "order_not_found");
    stranger.get(&format!("/payments/order/{id}")).await.expect_error(404, "payment_not_found");
    shop.anonymous().get(&format!("/orders/{id}")).await.expect_error(401, "unauthenticated");
    let forged = shop.anonymous().with_cart("made-up".into());
    forged.get("/cart").await.expect_error(404, "cart_not_found");
    forged.place(&body, "forged").await.expect_error(404, "cart_not_found");
}

#[tokio::test]
async fn an_older_click_that_comes_later_does_not_order_the_cart() {
    let shop = &shared_shop().await;
    let variant = shop.product(10, 700).await;
    let buyer = guest(shop).await;
    put_in(&buyer, &variant, 1).await.expect_status(200);
    let body =
        json!({"shipping_address": address(), "email": "guest@example.com", "payment": {"method": "pm_card_visa"}});
    let order = buyer.place(&body, "first-click").await.expect_status(201);
    wait_until("the cart is empty", || async { buyer.get("/cart").await.body["items"] == json!([]) }).await;
    put_in(&buyer, &variant, 2).await.expect_status(200);
    // As if the confirmed order had been made from the cart as it will be one day, and so of this version.
    let ordered_at = |version: i64| {
        format!("update cart_checkout set cart_version = {version} where order_id = '{}'", order.text_at("/id"))
    };
    shop.sql("orders", ordered_at(1_000_000)).await;
    let late = buyer.place(&body, "late-click").await.expect_error(409, "cart_in_checkout");
    assert_eq!(late.text_at("/details/0/message"), order.text_at("/id"));
    shop.sql("orders", ordered_at(0)).await;
    buyer.place(&body, "newer-click").await.expect_status(201);
}

#[tokio::test]
async fn a_guest_who_logs_in_sees_the_order_with_the_cart_token_beside_the_account() {
    let shop = &shared_shop().await;
    let variant = shop.product(10, 700).await;
    let token = shop.anonymous().post("/carts", &json!({})).await.expect_status(201).text_at("/token");
    let guest = shop.anonymous().with_cart(token.clone());
    put_in(&guest, &variant, 2).await.expect_status(200);
    let order = guest
        .post_once("/orders", &json!({"shipping_address": address(), "email": "guest@example.com"}))
        .await
        .expect_status(201);
    let id = order.text_at("/id");

    let customer = shop.customer().await;
    customer.get(&format!("/orders/{id}")).await.expect_error(404, "order_not_found");
    let both = customer.clone().with_cart(token);
    assert_eq!(both.get(&format!("/orders/{id}")).await.expect_status(200).text_at("/id"), id);
    both.get(&format!("/orders/{id}/history")).await.expect_status(200);
    both.post_once("/payments/intents", &json!({"order_id": id})).await.expect_status(201);
    both.get(&format!("/payments/order/{id}")).await.expect_status(200);

    // Where one of them must do, it is the account.
    assert_eq!(both.get("/cart").await.expect_status(200).body["items"], json!([]));
    let line = json!({"variant_id": variant, "quantity": 1});
    let key = [("Idempotency-Key", "with-and-without")];
    both.request(Method::POST, "/cart/items", Some(&line), &key).await.expect_status(200);
    let again = customer.request(Method::POST, "/cart/items", Some(&line), &key).await.expect_status(200);
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "the same command of the same caller");
    let own = both
        .post_once("/orders", &json!({"shipping_address": address(), "email": "guest@example.com"}))
        .await
        .expect_status(201)
        .text_at("/id");
    customer.get(&format!("/orders/{own}")).await.expect_status(200);
    guest.get(&format!("/orders/{own}")).await.expect_error(404, "order_not_found");

    both.post(&format!("/orders/{id}/cancel"), &json!({})).await.expect_status(200);
}

#[tokio::test]
async fn one_cart_is_in_one_checkout() {
    let shop = &shared_shop().await;
    let variant = shop.product(10, 700).await;
    let buyer = guest(shop).await;
    put_in(&buyer, &variant, 2).await.expect_status(200);
    let body = json!({"shipping_address": address(), "email": "guest@example.com"});
    let order = buyer.post_once("/orders", &body).await.expect_status(201);
    let id = order.text_at("/id");
    let second = buyer.post_once("/orders", &body).await.expect_error(409, "cart_in_checkout");
    assert_eq!(
        (second.text_at("/details/0/field"), second.text_at("/details/0/message")),
        ("order_id".into(), id.clone())
    );
    assert_eq!(second.text_at("/details/1/message"), order.text_at("/order_number"));
    buyer.post(&format!("/orders/{id}/cancel"), &json!({})).await.expect_status(200);
    assert_eq!(
        buyer.get("/cart").await.number_at("/items/0/quantity"),
        2,
        "a cancelled order leaves the cart as it was"
    );

    let declined = json!({
        "shipping_address": address(), "email": "guest@example.com",
        "payment": {"method": "pm_card_visa_chargeDeclined"},
    });
    let failed = buyer.place(&declined, "declined").await.expect_status(201);
    assert_eq!(failed.text_at("/status"), "failed", "{}", failed.body);
    assert_eq!(buyer.get("/cart").await.number_at("/items/0/quantity"), 2, "so does a failed one");
    let paid =
        json!({"shipping_address": address(), "email": "guest@example.com", "payment": {"method": "pm_card_visa"}});
    let confirmed = buyer.place(&paid, "paid").await.expect_status(201);
    assert_eq!(confirmed.text_at("/status"), "confirmed", "{}", confirmed.body);
    wait_until("the cart is empty", || async { buyer.get("/cart").await.body["items"] == json!([]) }).await;
}

#[tokio::test]
async fn a_guests_cart_that_opens_no_more_is_deleted_and_no_other() {
    let shop = &shared_shop().await;
    let variant = shop.product(10, 700).await;
    let (stale, fresh, customer) = (guest(shop).await, guest(shop).await, shop.customer().await);
    let mut carts = Vec::new();
    for (person, age) in [(&stale, "30 days 1 minute"), (&fresh, "29 days"), (&customer, "31 days")] {
        let id = put_in(person, &variant, 1).await.expect_status(200).text_at("/id");
        let older = format!("update cart set updated_at = updated_at - interval '{age}' where id = '{id}'");
        shop.sql("carts", older).await;
        carts.push(id);
    }
    let left = |table: &str, column: &str, id: &str| format!("select count(*) from {table} where {column} = '{id}'");
    let is_gone = left("cart", "id", &carts[0]);
    wait_until("the stale cart is gone", || async { shop.number("carts", is_gone.clone()).await == 0 }).await;
    assert_eq!(shop.number("carts", left("cart_item", "cart_id", &carts[0])).await, 0);
    stale.get("/cart").await.expect_error(404, "cart_not_found");
    for person in [&fresh, &customer] {
        assert_eq!(person.get("/cart").await.expect_status(200).number_at("/items/0/quantity"), 1);
    }
}
