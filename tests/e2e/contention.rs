//! Requests that come at the same time: each is answered as if it had come alone.

use std::time::Duration;

use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Cluster, Person, Shop, address, paid_order, shared_shop};

/// Sends requests at once, each under a key of its own; all must have this status. The gateway may say that there is
/// more work than this machine does in time: then the request is repeated after `Retry-After`. No other error is let
/// pass.
async fn at_once(person: &Person, method: Method, requests: Vec<(String, Value)>, status: u16) -> Vec<Answer> {
    let send = async |(path, body): (String, Value)| {
        let key = uuid::Uuid::now_v7().to_string();
        let headers = [("Idempotency-Key", key.as_str())];
        loop {
            let answer = person.request(method.clone(), &path, Some(&body), &headers).await;
            if answer.body["code"] != "overloaded" {
                return answer.expect_status(status);
            }
            let seconds = answer.header("retry-after").unwrap().parse().unwrap();
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
    };
    join_all(requests.into_iter().map(send)).await
}

fn totals_add_up(cart: &Answer) {
    let items = cart.body["items"].as_array().unwrap();
    let sum: i64 = items.iter().map(|item| item["line_total"]["amount"].as_i64().unwrap()).sum();
    assert_eq!(cart.number_at("/totals/total/amount"), sum, "{}", cart.body);
    assert!(items.iter().all(|item| item.get("problem").is_none()), "{}", cart.body);
}

async fn one_cart(shop: &Shop) {
    let variants = shop.variants(50, 300).await;
    let guest = shop.anonymous().post("/carts", &json!({})).await.expect_status(201).text_at("/token");
    for buyer in [shop.customer().await, shop.anonymous().with_cart(guest)] {
        let add = |variant: &String| ("/cart/items".to_owned(), json!({"variant_id": variant, "quantity": 1}));
        let added = at_once(&buyer, Method::POST, variants.iter().map(add).collect(), 200).await;
        for (cart, variant) in added.iter().zip(&variants) {
            let items = cart.body["items"].as_array().unwrap();
            assert!(items.iter().any(|item| item["variant_id"] == **variant), "{}", cart.body);
            totals_add_up(cart);
        }
        let cart = buyer.get("/cart").await.expect_status(200);
        assert_eq!((cart.body["items"].as_array().unwrap().len(), cart.number_at("/version")), (50, 50));
        assert_eq!(cart.number_at("/totals/total/amount"), 50 * 300);

        let path = |place: usize| format!("/cart/items/{}", cart.text_at(&format!("/items/{place}/id")));
        let change = |place| (path(place), json!({"quantity": 3}));
        let remove = |place| (path(place), json!({}));
        let more = |place| {
            let variant = cart.text_at(&format!("/items/{place}/variant_id"));
            ("/cart/items".to_owned(), json!({"variant_id": variant, "quantity": 1}))
        };
        let (changed, removed, added) = tokio::join!(
            at_once(&buyer, Method::PATCH, (0..10).map(change).collect(), 200),
            at_once(&buyer, Method::DELETE, (10..20).map(remove).collect(), 200),
            at_once(&buyer, Method::POST, (20..30).map(more).collect(), 200),
        );
        for cart in changed.iter().chain(&removed).chain(&added) {
            totals_add_up(cart);
        }
        let cart = buyer.get("/cart").await.expect_status(200);
        assert_eq!(cart.body["items"].as_array().unwrap().len(), 40);
        assert_eq!(cart.number_at("/totals/total/amount"), (10 * 3 + 30 + 10) * 300);
    }
}

async fn many_carts_and_one_of_everything_else(shop: &Shop) {
    let variant = shop.product(1000, 300).await;
    let buyers = join_all((0..12).map(|_| shop.customer())).await;
    let line = json!({"variant_id": variant, "quantity": 1});
    join_all(buyers.iter().map(async |buyer| buyer.post("/cart/items", &line).await.expect_status(200))).await;
    let order = json!({"shipping_address": address()});
    let place = async |buyer: &Person| buyer.post_once("/orders", &order).await.expect_status(201).text_at("/id");
    let orders = join_all(buyers.iter().map(place)).await;

    let count = |on_hand: i64| (format!("/inventory/{variant}"), json!({ "on_hand": on_hand }));
    at_once(&shop.seller().await, Method::PUT, (900..912).map(count).collect(), 200).await;

    let (buyer, order) = (&buyers[0], &orders[0]);
    let open = |_| ("/payments/intents".to_owned(), json!({ "order_id": order }));
    let intents = at_once(buyer, Method::POST, (0..6).map(open).collect(), 201).await;
    assert!(intents.iter().all(|intent| intent.body["id"] == intents[0].body["id"]), "one order has one intent");

    let paid = buyer.place(&paid_order(&variant), &uuid::Uuid::now_v7().to_string()).await.expect_status(201);
    let payment = buyer.get(&format!("/payments/order/{}", paid.text_at("/id"))).await.expect_status(200);
    let amount = json!({"amount": {"amount": 50, "currency": "USD"}});
    let refund = |_| (format!("/payments/{}/refunds", payment.text_at("/id")), amount.clone());
    at_once(&shop.admin().await, Method::POST, (0..6).map(refund).collect(), 201).await;

    let name = format!("Thing {}", uuid::Uuid::now_v7().simple());
    let product = json!({"name": name, "price": {"amount": 300, "currency": "USD"}});
    let make = |_| ("/products".to_owned(), product.clone());
    at_once(&shop.seller().await, Method::POST, (0..6).map(make).collect(), 201).await;
}

#[tokio::test]
async fn requests_on_one_cart_do_not_get_in_each_others_way() {
    one_cart(&*shared_shop().await).await;
}

#[tokio::test]
async fn requests_on_other_things_do_not_get_in_each_others_way() {
    many_carts_and_one_of_everything_else(&*shared_shop().await).await;
}

#[tokio::test]
async fn on_two_nodes_requests_do_not_get_in_each_others_way_either() {
    let cluster = Cluster::start().await;
    // The first writes to these carts: nothing has made the gateway lower its concurrency limit yet.
    let (buyer, variants) = (cluster.shop.customer().await, cluster.shop.variants(50, 300).await);
    let add = async |variant| buyer.post("/cart/items", &json!({"variant_id": variant, "quantity": 1})).await;
    for answer in join_all(variants.iter().map(add)).await {
        answer.expect_status(200);
    }
    assert_eq!(buyer.get("/cart").await.expect_status(200).number_at("/totals/total/amount"), 50 * 300);
    one_cart(&cluster.shop).await;
    many_carts_and_one_of_everything_else(&cluster.shop).await;
}
