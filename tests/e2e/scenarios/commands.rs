//! Commands that are repeated, by any caller, at any time.

use reqwest::Method;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::harness::{PASSWORD, address, shared_shop, wait_until};

/// Scenario 16: the answer to a key belongs to who asked with it, and to what was asked.
#[tokio::test]
async fn the_key_of_another_user_opens_nothing() {
    let shop = &shared_shop().await;
    let variant = shop.product(10, 700).await;
    let (first, second) = (shop.customer().await, shop.customer().await);
    let key = uuid::Uuid::now_v7().to_string();
    let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address()});
    let one = first.place(&body, &key).await.expect_status(201);
    // The same key and the same body, and yet an order of one's own.
    let other = second.place(&body, &key).await.expect_status(201);
    assert_ne!(one.text_at("/id"), other.text_at("/id"));
    second.get(&format!("/orders/{}", one.text_at("/id"))).await.expect_error(404, "order_not_found");
    let again = first.place(&body, &key).await.expect_status(201);
    assert_eq!(again.text_at("/id"), one.text_at("/id"));
    // Another operation under the same key is another command.
    let line = json!({"variant_id": variant, "quantity": 1});
    first.request(Method::POST, "/cart/items", Some(&line), &[("Idempotency-Key", &key)]).await.expect_status(200);
    assert_eq!(first.get("/cart").await.expect_status(200).number_at("/items/0/quantity"), 1);
}

/// Scenario 21: the secret of a payment is not stored, yet its key belongs to one order.
#[tokio::test]
async fn the_key_of_an_intent_opens_no_other_order() {
    let shop = &shared_shop().await;
    let (variant, buyer) = (shop.product(10, 700).await, shop.customer().await);
    let mut orders = Vec::new();
    for _ in 0..2 {
        let body = json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address()});
        orders.push(buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id"));
    }
    let key = uuid::Uuid::now_v7().to_string();
    let open = async |order: &str| {
        let body = json!({ "order_id": order });
        buyer.request(Method::POST, "/payments/intents", Some(&body), &[("Idempotency-Key", &key)]).await
    };
    let intent = open(&orders[0]).await.expect_status(201);
    open(&orders[1]).await.expect_error(422, "command_id_reused");
    let again = open(&orders[0]).await.expect_status(201);
    assert_eq!((again.text_at("/id"), again.text_at("/order_id")), (intent.text_at("/id"), orders[0].clone()));
    let kept = "select count(*) from command_log where operation = 'create_intent' and reply is not null";
    assert_eq!(shop.number("payments", kept).await, 0);
}

/// Scenario 21: an answer that is a secret is in no table, and the command that it answers is logged all the same.
#[tokio::test]
async fn no_session_and_no_token_of_a_cart_is_kept_in_the_command_log() {
    let shop = &shared_shop().await;
    let session = shop.register().await;
    let body = json!({"email": session.text_at("/user/email"), "password": PASSWORD});
    shop.anonymous().post("/auth/login", &body).await.expect_status(200);
    let body = json!({"refresh_token": session.text_at("/refresh_token")});
    shop.anonymous().post("/auth/refresh", &body).await.expect_status(200);
    shop.anonymous().post("/carts", &json!({})).await.expect_status(201);
    for (database, operation) in
        [("identity", "register"), ("identity", "login"), ("identity", "refresh"), ("carts", "create")]
    {
        let logged = format!("select count(*) from command_log where operation = '{operation}'");
        assert!(shop.number(database, logged.clone()).await > 0, "{operation} is not logged");
        let kept = format!("{logged} and status = 0 and reply is not null");
        assert_eq!(shop.number(database, kept).await, 0, "{operation}");
    }
}

/// Scenario 22: between the check of the password and the lane the account gets another one. Its row is held meanwhile,
/// so that the login, whose password was right when it was checked, must wait for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_was_checked_against_an_older_password_opens_no_session() {
    let shop = &shared_shop().await;
    let session = shop.register().await;
    let (email, id) = (session.text_at("/user/email"), session.text_at("/user/id"));
    let mut identity = shop.superuser("identity").await;
    let held = format!("begin; select 1 from users where id = '{id}' for update");
    sqlx::raw_sql(AssertSqlSafe(held)).execute(&mut identity).await.unwrap();
    let login = {
        let (anyone, body) = (shop.anonymous(), json!({"email": email, "password": PASSWORD}));
        tokio::spawn(async move { anyone.post("/auth/login", &body).await })
    };
    let waits = "select count(*) from pg_stat_activity
        where datname = 'identity' and wait_event_type = 'Lock' and query like '%users%'";
    wait_until("the login waits for the account", || async { shop.number("identity", waits).await > 0 }).await;
    let changed = format!(
        "update users set password_hash = (select password_hash from users where email = 'seller@souk.test')
         where id = '{id}'; commit"
    );
    sqlx::raw_sql(AssertSqlSafe(changed)).execute(&mut identity).await.unwrap();
    login.await.unwrap().expect_error(401, "wrong_credentials");
    let open = format!("select count(*) from sessions where user_id = '{id}'");
    assert_eq!(shop.number("identity", open).await, 1, "only the one of the registration");
}
