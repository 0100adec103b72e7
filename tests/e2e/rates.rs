//! Rate limits, the addresses by which they count, and the back-off of logins.

use std::time::Duration;

use async_nats::HeaderMap;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::{Answer, Beside, PASSWORD, Person, Shop};

/// A token comes every five seconds: none comes by accident while a test empties a bucket.
const READS: (&str, &str) = ("SOUK_RATE_READS", "12/m");
/// The tests are a proxy, by whose word they have any address.
const TRUSTED: (&str, &str) = ("SOUK_TRUSTED_PROXIES", "127.0.0.1");

const ANN: &str = "203.0.113.7";
const STRANGER: &str = "198.51.100.9";

async fn read_from(person: &Person, path: &str, address: &str) -> Answer {
    person.request(Method::GET, path, None, &[("X-Forwarded-For", address)]).await
}

/// A read that is answered without a domain once it is kept.
async fn browse_from(person: &Person, address: &str) -> Answer {
    read_from(person, "/products?limit=1", address).await
}

/// Reads until one is rejected, from the n-th address each time.
async fn read_until_rejected(person: &Person, path: &str, address: impl Fn(usize) -> String) -> Answer {
    for number in 0..100 {
        let answer = read_from(person, path, &address(number)).await;
        if answer.status != 200 {
            return answer.expect_error(429, "rate_limited");
        }
    }
    panic!("no read is rejected");
}

fn seconds(answer: &Answer, header: &str) -> u64 {
    answer.header(header).unwrap_or_else(|| panic!("no {header}: {answer:?}")).parse().unwrap()
}

#[tokio::test]
async fn an_address_beyond_its_limit_is_rejected_and_admitted_again_after_the_time_it_gets() {
    let shop = Shop::start_whole(&[READS, TRUSTED, ("SOUK_RATE_WRITES", "1/m")]).await;
    let anyone = shop.anonymous();
    let first = browse_from(&anyone, ANN).await.expect_status(200);
    let of = |answer: &Answer, name: &str| seconds(answer, &format!("ratelimit-{name}"));
    assert_eq!(["limit", "remaining", "reset"].map(|name| of(&first, name)), [12, 11, 5]);

    let rejected = read_until_rejected(&anyone, "/products?limit=1", |_| ANN.into()).await;
    assert_eq!((of(&rejected, "limit"), of(&rejected, "remaining")), (12, 0));
    assert!((50..=60).contains(&of(&rejected, "reset")), "{rejected:?}");
    let wait = seconds(&rejected, "retry-after");
    assert!((1..=5).contains(&wait), "{rejected:?}");
    assert_eq!(
        (rejected.text_at("/details/0/field"), rejected.number_at("/details/0/params/value")),
        ("retry_after".into(), i64::try_from(wait).unwrap())
    );

    // What the client writes before the proxy's entry changes nothing; another address has a limit of its own.
    browse_from(&anyone, &format!("198.51.100.1, {ANN}")).await.expect_error(429, "rate_limited");
    browse_from(&anyone, &format!("{ANN}, 203.0.113.8")).await.expect_status(200);
    for _ in 0..3 {
        let health = read_from(&anyone, "//health/live", ANN).await.expect_status(200);
        assert!(health.header("ratelimit-limit").is_none());
        let headers = [("X-Forwarded-For", ANN)];
        let webhook = anyone.request(Method::POST, "/webhooks/payments/other", Some(&json!({})), &headers).await;
        webhook.expect_error(404, "unknown_provider");
    }

    sleep(Duration::from_secs(wait + 2)).await;
    browse_from(&anyone, ANN).await.expect_status(200);
}

#[tokio::test]
async fn an_account_has_one_limit_at_all_of_its_addresses() {
    let shop = Shop::start_whole(&[READS, TRUSTED]).await;
    let (customer, other) = (shop.customer().await, shop.customer().await);
    read_until_rejected(&customer, "/orders", |number| format!("198.51.100.{number}")).await;
    read_from(&other, "/orders", "198.51.100.0").await.expect_status(200);
    // By a token that is not valid, nothing is counted but the address.
    let forged = customer.with_token("not.a.token".into());
    read_from(&forged, "/orders", ANN).await.expect_error(401, "invalid_token");
}

#[tokio::test]
async fn the_word_of_a_peer_that_is_no_trusted_proxy_is_ignored() {
    let shop = Shop::start_whole(&[READS, ("SOUK_TRUSTED_PROXIES", "10.0.0.0/8")]).await;
    read_until_rejected(&shop.anonymous(), "/products?limit=1", |number| format!("198.51.100.{number}")).await;
}

#[tokio::test]
async fn gateways_share_a_limit() {
    let settings = [READS, TRUSTED];
    let shop = Shop::start_whole(&settings).await;
    let beside = Beside::start(&shop, &settings).await;
    let (here, there) = (shop.anonymous(), beside.anonymous());
    read_until_rejected(&here, "/products?limit=1", |_| ANN.into()).await;
    // Counts are exchanged twice a second. Without that, the other gateway would admit twelve.
    sleep(Duration::from_secs(3)).await;
    let mut admitted = 0;
    while browse_from(&there, ANN).await.status == 200 {
        admitted += 1;
        assert!(admitted <= 6, "the other gateway does not know what this one admitted");
    }
    browse_from(&there, "203.0.113.8").await.expect_status(200);
}

async fn log_in_from(anyone: &Person, address: &str, email: &str, password: &str) -> Answer {
    let body = json!({"email": email, "password": password});
    anyone.request(Method::POST, "/auth/login", Some(&body), &[("X-Forwarded-For", address)]).await
}

#[tokio::test]
async fn a_strangers_failed_logins_do_not_lock_an_account_for_its_owner() {
    let shop = Shop::start_whole(&[TRUSTED]).await;
    let (anyone, email) = (shop.anonymous(), shop.register().await.text_at("/user/email"));
    // Five are free; after the eighth the next one waits for eight seconds.
    let (mut failed, mut delayed) = (0, 0);
    while failed < 8 {
        let answer = log_in_from(&anyone, STRANGER, &email, "not the password").await;
        if answer.status == 401 {
            failed += 1;
            continue;
        }
        assert!(failed >= 5, "{answer:?}");
        assert!(seconds(&answer, "retry-after") >= 1);
        answer.expect_error(429, "too_many_logins");
        delayed += 1;
        sleep(Duration::from_millis(200)).await;
    }
    assert!(delayed > 0, "failures are not delayed");
    log_in_from(&anyone, STRANGER, &email, PASSWORD).await.expect_error(429, "too_many_logins");
    log_in_from(&anyone, ANN, &email, PASSWORD).await.expect_status(200);

    // Over NATS a request may name an address, and is counted by itself if it does not.
    let nats = shop.nats_as("gateway").await;
    let body = json!({"email": email, "password": PASSWORD}).to_string();
    let mut headers = HeaderMap::new();
    headers.insert("Souk-Client-Address", STRANGER);
    let rejected = nats.request_with_headers("req.identity.login", headers, body.clone().into()).await.unwrap();
    let rejected: Value = serde_json::from_slice(&rejected.payload).unwrap();
    assert_eq!(rejected["code"], "too_many_logins", "{rejected}");
    let session = nats.request("req.identity.login", body.into()).await.unwrap();
    let session: Value = serde_json::from_slice(&session.payload).unwrap();
    assert_eq!(session["user"]["email"], email, "{session}");
}
