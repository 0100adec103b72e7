//! Accounts, sessions and tokens.

use std::sync::Arc;

use contract::RevocationsPage;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, PASSWORD, Person, shared_shop};

async fn log_in(anyone: &Person, email: &str, password: &str) -> Answer {
    anyone.post("/auth/login", &json!({"email": email, "password": password})).await
}

async fn refresh(anyone: &Person, token: &str) -> Answer {
    anyone.post("/auth/refresh", &json!({ "refresh_token": token })).await
}

#[tokio::test]
async fn an_account_is_registered_once_and_opened_by_its_password_only() {
    let shop = &shared_shop().await;
    let anyone = shop.anonymous();
    let email = format!("{}@example.com", uuid::Uuid::now_v7().simple());
    let body = json!({"email": email, "password": PASSWORD, "first_name": "Ada", "username": email[..20]});
    let session = anyone.post("/auth/register", &body).await.expect_status(201);
    let id = session.text_at("/user/id");
    assert_eq!(session.header("location"), Some(format!("/api/v1/admin/users/{id}").as_str()));
    assert_eq!((session.text_at("/token_type"), session.text_at("/user/role")), ("Bearer".into(), "customer".into()));
    assert_eq!(session.text_at("/user/email"), email);
    assert!(session.number_at("/expires_in") > 0);
    assert!(!session.body.to_string().contains(PASSWORD), "a password never comes back");

    anyone.post("/auth/register", &body).await.expect_error(409, "email_taken");
    let shouted = json!({"email": email.to_uppercase(), "password": PASSWORD});
    anyone.post("/auth/register", &shouted).await.expect_error(409, "email_taken");
    let short = anyone.post("/auth/register", &json!({"email": "a@example.com", "password": "short"})).await;
    assert_eq!(short.expect_error(422, "invalid_account").text_at("/details/0/field"), "password");
    let no_address = anyone.post("/auth/register", &json!({"email": "no address", "password": PASSWORD})).await;
    assert_eq!(no_address.expect_error(422, "invalid_account").text_at("/details/0/field"), "email");

    assert_eq!(log_in(&anyone, &email, PASSWORD).await.expect_status(200).text_at("/user/id"), id);
    let wrong = log_in(&anyone, &email, "not the password").await.expect_error(401, "wrong_credentials");
    let unknown = log_in(&anyone, "unknown@example.com", PASSWORD).await.expect_error(401, "wrong_credentials");
    assert_eq!(
        wrong.body["message"], unknown.body["message"],
        "the answer does not disclose which addresses have an account"
    );
    assert!(wrong.header("www-authenticate").is_some());
}

/// Guessed passwords and tokens fill no table.
#[tokio::test]
async fn a_rejected_login_leaves_no_row() {
    let shop = &shared_shop().await;
    let anyone = shop.anonymous();
    log_in(&anyone, "unknown@example.com", PASSWORD).await.expect_error(401, "wrong_credentials");
    refresh(&anyone, "no token").await.expect_error(401, "invalid_refresh_token");
    anyone.post("/auth/register", &json!({"email": "no address", "password": PASSWORD})).await.expect_status(422);
    let rows = "select count(*) from command_log where operation in ('login', 'refresh', 'register') and status <> 0";
    assert_eq!(shop.number("identity", rows).await, 0);
}

#[tokio::test]
async fn a_refresh_token_is_spent_by_its_use_and_its_reuse_ends_the_session() {
    let shop = &shared_shop().await;
    let anyone = shop.anonymous();
    let session = shop.register().await;
    let first = session.text_at("/refresh_token");
    let second = refresh(&anyone, &first).await.expect_status(200);
    assert_eq!(second.text_at("/user/id"), session.text_at("/user/id"));
    let second = second.text_at("/refresh_token");
    assert_ne!(first, second);
    let third = refresh(&anyone, &second).await.expect_status(200);
    anyone.clone().with_token(third.text_at("/access_token")).get("/orders").await.expect_status(200);
    // A token of an old generation is reused.
    refresh(&anyone, &first).await.expect_error(401, "invalid_refresh_token");
    refresh(&anyone, &third.text_at("/refresh_token")).await.expect_error(401, "invalid_refresh_token");
    refresh(&anyone, "made up").await.expect_error(401, "invalid_refresh_token");
}

#[tokio::test]
async fn a_logout_ends_its_session_and_no_other() {
    let shop = &shared_shop().await;
    let anyone = shop.anonymous();
    let here = shop.register().await;
    let there = log_in(&anyone, &here.text_at("/user/email"), PASSWORD).await.expect_status(200);
    let person = anyone.clone().with_token(here.text_at("/access_token"));
    person.request(Method::POST, "/auth/logout", None, &[]).await.expect_status(204);
    refresh(&anyone, &here.text_at("/refresh_token")).await.expect_error(401, "invalid_refresh_token");
    refresh(&anyone, &there.text_at("/refresh_token")).await.expect_status(200);
    anyone.request(Method::POST, "/auth/logout", None, &[]).await.expect_error(401, "unauthenticated");
}

#[tokio::test]
async fn access_tokens_verify_with_the_published_keys() {
    let shop = &shared_shop().await;
    let session = shop.register().await;
    let published = shop.anonymous().get("//.well-known/jwks.json").await.expect_status(200);
    let key = &published.body["keys"][0];
    for (member, value) in [("kty", "OKP"), ("crv", "Ed25519"), ("alg", "EdDSA"), ("use", "sig")] {
        assert_eq!(key[member], value, "{}", published.body);
    }
    assert!(key.get("d").is_none(), "the private half stays at home");
    let verifier = |keys: Value| {
        let keys: runtime::KeySource = Arc::new(move || {
            let keys = serde_json::from_value(keys.clone()).unwrap();
            Box::pin(async move { Ok(keys) })
        });
        let revocations: runtime::RevocationSource = Arc::new(|_| Box::pin(async { Ok(RevocationsPage::default()) }));
        runtime::Verifier::new(runtime::TokenSources { keys, revocations })
    };
    let authorization = format!("Bearer {}", session.text_at("/access_token"));
    let identity = verifier(published.body.clone()).verify(&authorization).await.unwrap();
    assert_eq!(identity.id.to_string(), session.text_at("/user/id"));
    let mut others = published.body.clone();
    let x = others["keys"][0]["x"].as_str().unwrap().chars().rev().collect::<String>();
    others["keys"][0]["x"] = json!(x);
    verifier(others).verify(&authorization).await.expect_err("another key proves nothing");
}

#[tokio::test]
async fn an_admin_gives_roles_and_switches_accounts_off() {
    let shop = &shared_shop().await;
    let (anyone, admin) = (shop.anonymous(), shop.admin().await);
    let session = shop.register().await;
    let (id, email) = (session.text_at("/user/id"), session.text_at("/user/email"));
    let path = format!("/admin/users/{id}");
    let promoted = admin.patch(&path, &json!({"role": "seller"})).await.expect_status(200);
    assert_eq!((promoted.text_at("/role"), promoted.number_at("/version")), ("seller".into(), 2));
    let tag = promoted.header("etag").unwrap().to_owned();
    let stale = [("If-Match", "\"1\"")];
    let body = json!({"is_active": false});
    admin.request(Method::PATCH, &path, Some(&body), &stale).await.expect_error(412, "user_version_mismatch");
    let fresh = [("If-Match", tag.as_str())];
    admin.request(Method::PATCH, &path, Some(&body), &fresh).await.expect_status(200);
    log_in(&anyone, &email, PASSWORD).await.expect_error(401, "account_inactive");
    let refreshed = refresh(&anyone, &session.text_at("/refresh_token")).await;
    assert_eq!(refreshed.status, 401, "{refreshed:?}");
    admin.patch(&path, &json!({"is_active": true})).await.expect_status(200);
    assert_eq!(log_in(&anyone, &email, PASSWORD).await.expect_status(200).text_at("/user/role"), "seller");

    admin.patch(&path, &json!({"role": "king"})).await.expect_error(422, "unknown_role");
    let unknown_user = format!("/admin/users/{}", uuid::Uuid::now_v7());
    admin.patch(&unknown_user, &json!({"role": "seller"})).await.expect_error(404, "user_not_found");
    let me = log_in(&anyone, "admin@souk.test", "souk-demo-password").await.text_at("/user/id");
    let myself = admin.patch(&format!("/admin/users/{me}"), &json!({"role": "customer"})).await;
    myself.expect_error(409, "cannot_change_yourself");
    let seller = shop.seller().await;
    seller.patch(&path, &json!({"role": "admin"})).await.expect_error(403, "forbidden");
    anyone.patch(&path, &json!({"role": "admin"})).await.expect_error(401, "unauthenticated");
}
