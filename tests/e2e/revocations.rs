//! Rights that were taken away: of an account, of a role, of a session.

use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use futures::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::{Answer, Apart, PASSWORD, Person, Shop, address, shared_shop, wait_until};

/// An operation of each domain that needs an access token.
const PROTECTED: [&str; 7] = [
    "req.identity.change_user",
    "req.catalog.create_product",
    "req.inventory.list_movements",
    "req.carts.get",
    "req.orders.list",
    "req.payments.refund",
    "req.operations.invariants",
];

async fn log_in(shop: &Shop, email: &str) -> Answer {
    let body = json!({"email": email, "password": PASSWORD});
    shop.anonymous().post("/auth/login", &body).await.expect_status(200)
}

/// A new account with a role: its session, its path for admins.
async fn account(shop: &Shop, role: &str) -> (Answer, String) {
    let session = shop.register().await;
    let path = format!("/admin/users/{}", session.text_at("/user/id"));
    if role != "customer" {
        shop.admin().await.patch(&path, &json!({ "role": role })).await.expect_status(200);
    }
    (log_in(shop, &session.text_at("/user/email")).await, path)
}

fn person(shop: &Shop, session: &Answer) -> Person {
    shop.anonymous().with_token(session.text_at("/access_token"))
}

async fn refund_nothing(person: &Person) -> u16 {
    person.post_once(&format!("/payments/{}/refunds", Uuid::now_v7()), &json!({})).await.status
}

async fn log_out(person: &Person) {
    person.request(Method::POST, "/auth/logout", None, &[]).await.expect_status(204);
}

/// The account whose session the next event says is over.
async fn entity_of(events: &mut async_nats::Subscriber) -> String {
    let event = tokio::time::timeout(Duration::from_secs(30), events.next()).await.expect("no event comes").unwrap();
    let event: Value = serde_json::from_slice(&event.payload).unwrap();
    event["user_id"].as_str().unwrap().to_owned()
}

/// The status that every domain answers over NATS to the holder of a token.
async fn statuses(client: &async_nats::Client, token: &str) -> Vec<u16> {
    let ask = async |subject: &'static str| {
        let mut headers = HeaderMap::new();
        headers.insert("Authorization", format!("Bearer {token}"));
        let answer = client.request_with_headers(subject, headers, "{}".into()).await.unwrap();
        let code = answer.headers.as_ref().and_then(|headers| headers.get("Nats-Service-Error-Code"));
        code.map_or(200, |code| code.as_str().parse().unwrap())
    };
    futures::future::join_all(PROTECTED.map(ask)).await
}

/// Waits until a token is rejected by every domain and by the gateway, and returns how long that took.
async fn expect_rejected_everywhere(shop: &Shop, token: &str) -> Duration {
    let (client, began) = (async_nats::connect(&shop.nats).await.unwrap(), Instant::now());
    wait_until("the token is rejected by every domain", || async {
        statuses(&client, token).await.iter().all(|status| *status == 401)
    })
    .await;
    let person = shop.anonymous().with_token(token.to_owned());
    wait_until("the gateway rejects the token", || async { person.get("/products").await.status == 401 }).await;
    person.get("/orders").await.expect_error(401, "invalid_token");
    began.elapsed()
}

async fn expect_accepted_everywhere(shop: &Shop, token: &str) {
    let client = async_nats::connect(&shop.nats).await.unwrap();
    let statuses = statuses(&client, token).await;
    assert!(statuses.iter().all(|status| *status != 401), "{statuses:?}");
    shop.anonymous().with_token(token.to_owned()).get("/products").await.expect_status(200);
}

#[tokio::test]
async fn an_admin_who_was_deactivated_can_neither_promote_nor_come_back_nor_refund() {
    let shop = &shared_shop().await;
    let (session, path) = account(shop, "admin").await;
    let former = person(shop, &session);
    let (_, friend) = account(shop, "customer").await;
    assert_eq!(refund_nothing(&former).await, 404, "an admin may refund");

    shop.admin().await.patch(&path, &json!({"is_active": false})).await.expect_status(200);
    // At once: identity looks at its own row.
    let key = [("Idempotency-Key", "promotion")];
    let promotion = json!({"role": "admin"});
    former.request(Method::PATCH, &friend, Some(&promotion), &key).await.expect_error(401, "invalid_token");
    former.patch(&path, &json!({"is_active": true})).await.expect_error(401, "invalid_token");
    wait_until("a refund is rejected", || async { refund_nothing(&former).await == 401 }).await;
    expect_rejected_everywhere(shop, former.token()).await;
    let refreshed = json!({"refresh_token": session.text_at("/refresh_token")});
    shop.anonymous().post("/auth/refresh", &refreshed).await.expect_status(401);

    // Back again, the old token stays what it was, and the rejection is not the key's answer.
    shop.admin().await.patch(&path, &json!({"is_active": true})).await.expect_status(200);
    assert_eq!(refund_nothing(&former).await, 401);
    let back = person(shop, &log_in(shop, &session.text_at("/user/email")).await);
    back.request(Method::PATCH, &friend, Some(&promotion), &key).await.expect_status(200);
}

#[tokio::test]
async fn an_admin_who_was_demoted_has_the_rights_of_the_new_role_and_no_others() {
    let shop = &shared_shop().await;
    let (session, path) = account(shop, "admin").await;
    let former = person(shop, &session);
    let (_, friend) = account(shop, "customer").await;
    shop.admin().await.patch(&path, &json!({"role": "customer"})).await.expect_status(200);
    former.patch(&friend, &json!({"role": "admin"})).await.expect_error(401, "invalid_token");
    former.patch(&path, &json!({"role": "admin"})).await.expect_error(401, "invalid_token");
    wait_until("a refund is rejected", || async { refund_nothing(&former).await == 401 }).await;

    let body = json!({"refresh_token": session.text_at("/refresh_token")});
    let refreshed = shop.anonymous().post("/auth/refresh", &body).await.expect_status(200);
    assert_eq!(refreshed.text_at("/user/role"), "customer");
    let customer = person(shop, &refreshed);
    customer.get("/orders").await.expect_status(200);
    customer.patch(&friend, &json!({"role": "admin"})).await.expect_error(403, "forbidden");
    assert_eq!(refund_nothing(&customer).await, 403);
}

#[tokio::test]
async fn two_admins_who_switch_each_other_off_do_not_both_succeed() {
    let shop = &shared_shop().await;
    let ((one, first), (other, second)) = (account(shop, "admin").await, account(shop, "admin").await);
    let off = json!({"is_active": false});
    let (one, other) = (person(shop, &one), person(shop, &other));
    let (mut left, mut right) = futures::future::join(one.patch(&second, &off), other.patch(&first, &off)).await;
    if left.status != 200 {
        std::mem::swap(&mut left, &mut right);
    }
    left.expect_status(200);
    right.expect_error(401, "invalid_token");
}

#[tokio::test]
async fn a_customer_who_was_deactivated_cannot_order_and_orders_placed_before_go_on() {
    let shop = &shared_shop().await;
    let variant = shop.product(5, 1000).await;
    let (session, path) = account(shop, "customer").await;
    let buyer = person(shop, &session);
    let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address(),
        "payment": {"method": "pm_card_visa"}});
    let placed = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    let admin = shop.admin().await;
    admin.patch(&path, &json!({"is_active": false})).await.expect_status(200);
    wait_until("the token is rejected", || async { buyer.get("/orders").await.status == 401 }).await;
    buyer.post_once("/orders", &body).await.expect_error(401, "invalid_token");
    admin.wait_for_status(&placed, "confirmed").await;
}

#[tokio::test]
async fn a_token_is_rejected_by_every_domain_after_its_logout_and_no_other_session_is() {
    let shop = &shared_shop().await;
    let session = shop.register().await;
    let elsewhere = log_in(shop, &session.text_at("/user/email")).await;
    let here = person(shop, &session);
    expect_accepted_everywhere(shop, here.token()).await;
    let client = async_nats::connect(&shop.nats).await.unwrap();
    let mut events = client.subscribe("evt.identity.session_revoked.*").await.unwrap();
    client.flush().await.unwrap();
    log_out(&here).await;
    let took = expect_rejected_everywhere(shop, here.token()).await;
    // Two seconds are promised; this machine may be busy.
    assert!(took < Duration::from_secs(10), "{took:?}");
    expect_accepted_everywhere(shop, &elsewhere.text_at("/access_token")).await;
    // Others may log out meanwhile.
    while entity_of(&mut events).await != session.text_at("/user/id") {}
}

#[tokio::test]
async fn a_stolen_refresh_token_ends_the_access_tokens_of_its_session() {
    let shop = &shared_shop().await;
    let refresh = async |token: String| shop.anonymous().post("/auth/refresh", &json!({"refresh_token": token})).await;
    let first = shop.register().await;
    let second = refresh(first.text_at("/refresh_token")).await.expect_status(200);
    let third = refresh(second.text_at("/refresh_token")).await.expect_status(200);
    let client = async_nats::connect(&shop.nats).await.unwrap();
    let mut events = client.subscribe("evt.identity.session_revoked.*").await.unwrap();
    client.flush().await.unwrap();
    refresh(first.text_at("/refresh_token")).await.expect_error(401, "invalid_refresh_token");
    // Others may log out meanwhile.
    while entity_of(&mut events).await != first.text_at("/user/id") {}
    for session in [first, second, third] {
        expect_rejected_everywhere(shop, &session.text_at("/access_token")).await;
    }
}

#[tokio::test]
async fn a_wait_of_a_revoked_caller_ends() {
    let shop = &shared_shop().await;
    let variant = shop.product(5, 1000).await;
    let buyer = shop.customer().await;
    let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address()});
    let (key, began) = (Uuid::now_v7().to_string(), Instant::now());
    let headers = [("Idempotency-Key", key.as_str()), ("Prefer", "wait=30")];
    // Unpaid, it stays pending: only the logout ends the wait.
    let waiting = buyer.request(Method::POST, "/orders", Some(&body), &headers);
    let stopping = async {
        wait_until("the order is placed", || async {
            buyer.get("/orders").await.expect_status(200).number_at("/pagination/total") == 1
        })
        .await;
        log_out(&buyer).await;
    };
    let (answer, ()) = futures::future::join(waiting, stopping).await;
    assert_eq!(answer.expect_status(201).text_at("/status"), "pending");
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
}

/// A node that has no room for a revocation asks identity about the token.
#[tokio::test]
async fn a_full_list_still_rejects_what_is_revoked_and_accepts_what_is_not() {
    let shop = Shop::start(&[("SOUK_REVOCATIONS", "1")]).await;
    let mut revoked = Vec::new();
    for _ in 0..4 {
        let person = shop.customer().await;
        log_out(&person).await;
        revoked.push(person);
    }
    for person in &revoked {
        expect_rejected_everywhere(&shop, person.token()).await;
    }
    assert!(shop.metric("revocations", &["reader=\"node\""]).await > 0.5);
    let present = shop.customer().await;
    expect_accepted_everywhere(&shop, present.token()).await;
    // Sensitive writes too: identity has answered for this very token.
    let variant = shop.product(5, 1000).await;
    let counted = shop.seller().await.put(&format!("/inventory/{variant}"), &json!({"on_hand": 7})).await;
    counted.expect_status(200);
}

/// Without identity for more than ten seconds it is unknown whether rights still hold.
#[tokio::test(flavor = "multi_thread")]
async fn without_identity_what_is_sensitive_is_rejected_after_ten_seconds_and_everything_else_goes_on() {
    let mut apart = Apart::start().await;
    let (buyer, seller, admin) = (apart.shop.customer().await, apart.shop.seller().await, apart.shop.admin().await);
    let body = json!({"name": "Stool", "price": {"amount": 900, "currency": "USD"}, "on_hand": 9});
    let product = seller.post("/products", &body).await.expect_status(201);
    let (product, variant) = (product.text_at("/id"), product.text_at("/variants/0/id"));
    let stock = format!("/inventory/{variant}");
    wait_until("inventory knows the variant", || async { buyer.get(&stock).await.status == 200 }).await;
    let order = buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201).text_at("/id");
    let payment = buyer.get(&format!("/payments/order/{order}")).await.expect_status(200).text_at("/id");
    seller.put(&stock, &json!({"on_hand": 8})).await.expect_status(200);

    apart.stop_identity().await;
    let away = Instant::now();
    seller.put(&stock, &json!({"on_hand": 7})).await.expect_status(200);
    wait_until("stock cannot be set any more", || async {
        seller.put(&stock, &json!({"on_hand": 7})).await.status == 503
    })
    .await;
    assert!(away.elapsed() > Duration::from_secs(8), "{:?}", away.elapsed());
    let price = json!({"price": {"amount": 1, "currency": "USD"}});
    seller.patch(&format!("/products/{product}"), &price).await.expect_error(503, "unavailable");
    seller.post("/products", &body).await.expect_error(503, "unavailable");
    let refund = admin.post_once(&format!("/payments/{payment}/refunds"), &json!({})).await;
    refund.expect_error(503, "unavailable").header("retry-after").expect("when to come back");
    let role = json!({"role": "admin"});
    admin.patch(&format!("/admin/users/{}", Uuid::now_v7()), &role).await.expect_error(503, "unavailable");
    // Everything else goes on.
    let order = buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201);
    assert_eq!(order.text_at("/status"), "confirmed");
    buyer.get("/cart").await.expect_status(200);
    admin.get("/orders").await.expect_status(200);

    apart.start_identity().await;
    wait_until("stock can be set again", || async { seller.put(&stock, &json!({"on_hand": 7})).await.status == 200 })
        .await;
    admin.post_once(&format!("/payments/{payment}/refunds"), &json!({})).await.expect_status(201);
}
