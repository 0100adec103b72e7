//! Tax rates, shipping zones and promotions: made and changed by admins.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Person, shared_shop};

fn usd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "USD"})
}

fn mark() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

/// A rule is created once per key, read, listed, changed in the version that was seen, and deleted.
async fn is_kept(admin: &Person, path: &str, new: &Value, changes: &Value, mismatch: &str, missing: &str) -> Value {
    let key = [("Idempotency-Key", &*mark())];
    let made = admin.request(Method::POST, path, Some(new), &key).await.expect_status(201);
    let own = format!("{path}/{}", made.text_at("/id"));
    assert_eq!(made.header("location"), Some(format!("/api/v1{own}").as_str()));
    assert_eq!((made.header("etag"), made.number_at("/version")), (Some("\"1\""), 1));
    let again = admin.request(Method::POST, path, Some(new), &key).await.expect_status(201);
    assert_eq!((again.text_at("/id"), again.header("idempotent-replayed")), (made.text_at("/id"), Some("true")));

    let read = admin.get(&own).await.expect_status(200);
    assert_eq!(read.body, made.body);
    let known = admin.request(Method::GET, &own, None, &[("If-None-Match", "\"1\"")]).await;
    assert_eq!(known.status, 304);

    let changed = admin.request(Method::PUT, &own, Some(changes), &[("If-Match", "\"1\"")]).await.expect_status(200);
    assert_eq!((changed.header("etag"), changed.number_at("/version")), (Some("\"2\""), 2));
    for (field, value) in changes.as_object().unwrap() {
        assert!(value.is_null() || changed.body[field] == *value, "{field}: {}", changed.body);
    }
    let same = admin.put(&own, changes).await.expect_status(200);
    assert_eq!(same.number_at("/version"), 2, "nothing changed");
    admin.request(Method::PUT, &own, Some(changes), &[("If-Match", "\"1\"")]).await.expect_error(412, mismatch);
    admin.request(Method::DELETE, &own, None, &[("If-Match", "\"1\"")]).await.expect_error(412, mismatch);

    let mut cursor = String::new();
    let mut listed = Vec::new();
    loop {
        let page = admin.get(&format!("{path}?limit=100{cursor}")).await.expect_status(200);
        listed.extend(page.body["data"].as_array().unwrap().clone());
        let Some(next) = page.body["pagination"]["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert!(listed.contains(&changed.body));
    let ids: Vec<_> = listed.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted(), "oldest first");

    let key = [("Idempotency-Key", &*mark()), ("If-Match", "\"2\"")];
    for _ in 0..2 {
        assert_eq!(admin.request(Method::DELETE, &own, None, &key).await.status, 204);
    }
    admin.get(&own).await.expect_error(404, missing);
    admin.put(&own, changes).await.expect_error(404, missing);
    admin.delete(&own).await.expect_error(404, missing);
    changed.body
}

#[tokio::test]
async fn rules_are_kept_by_admins_and_seen_by_no_one_else() {
    let shop = &shared_shop().await;
    let admin = shop.admin().await;
    let name = mark();
    let new = json!({"country": "IS", "state": " aa ", "name": name, "rate": 240_000, "inclusive": true});
    let changes = json!({"rate": 110_000, "state": null, "tax_category": "reduced"});
    let (mismatch, missing) = ("tax_rate_version_mismatch", "tax_rate_not_found");
    let rate = is_kept(&admin, "/admin/tax-rates", &new, &changes, mismatch, missing).await;
    assert_eq!((&rate["inclusive"], rate.get("state")), (&json!(true), None));

    let rates =
        json!([{"price": usd(500), "tiers": [{"from_weight": 2000, "price": usd(900)}], "free_above": usd(9000)}]);
    let parcel = json!({"name": "Parcel", "kind": "by_weight", "rates": rates});
    let new = json!({"name": name, "countries": ["IS", "FO", "IS"], "methods": [parcel]});
    let changes = json!({"name": "Islands", "countries": ["FO"]});
    let (mismatch, missing) = ("shipping_zone_version_mismatch", "shipping_zone_not_found");
    let zone = is_kept(&admin, "/admin/shipping-zones", &new, &changes, mismatch, missing).await;
    assert_eq!(zone["methods"][0]["rates"], rates);

    let new = json!({"name": name, "code": format!("a{name}"), "reward": {"kind": "percent", "rate": 100_000},
        "conditions": {"minimum_subtotals": [usd(1000)]}, "ends_at": "2030-01-01T00:00:00Z"});
    let changes = json!({"ends_at": null, "stacking": "exclusive", "priority": 5,
        "reward": {"kind": "buy_x_get_y", "buy": 2, "get": 1}});
    let (mismatch, missing) = ("promotion_version_mismatch", "promotion_not_found");
    let promotion = is_kept(&admin, "/admin/promotions", &new, &changes, mismatch, missing).await;
    assert_eq!(promotion["code"], format!("A{name}").to_uppercase());

    for path in ["/admin/tax-rates", "/admin/shipping-zones", "/admin/promotions"] {
        shop.anonymous().get(path).await.expect_error(401, "unauthenticated");
        shop.customer().await.get(path).await.expect_error(403, "forbidden");
        shop.seller().await.get(path).await.expect_error(403, "forbidden");
        admin.get(&format!("{path}?cursor=made-up")).await.expect_error(400, "invalid_cursor");
    }
}

#[tokio::test]
async fn a_wrong_rule_is_rejected_and_its_fields_are_named() {
    let shop = &shared_shop().await;
    let admin = shop.admin().await;
    let wrong = async |path: &str, body: Value, code: &str| {
        let error = admin.post(path, &body).await.expect_error(422, code);
        let details = error.body["details"].as_array().unwrap();
        details.iter().map(|detail| detail["field"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let body = json!({"country": "Iceland", "name": "", "rate": -1});
    assert_eq!(wrong("/admin/tax-rates", body, "invalid_tax_rate").await, ["country", "name", "rate"]);
    let body = json!({"country": "IS", "name": "VAT", "rate": 1.5});
    assert_eq!(wrong("/admin/tax-rates", body, "invalid_body").await, ["rate"]);
    let method = json!({"name": "Parcel", "kind": "flat", "rates": [{"price": usd(-1)}]});
    let body = json!({"name": "Nowhere", "countries": [], "methods": [method]});
    let fields = wrong("/admin/shipping-zones", body, "invalid_shipping_zone").await;
    assert_eq!(fields, ["countries", "methods[0].rates[0].price.amount"]);
    let body = json!({"name": "Ten", "code": "A B", "reward": {"kind": "percent", "buy": 1}});
    let fields = wrong("/admin/promotions", body, "invalid_promotion").await;
    assert_eq!(fields, ["code", "reward.rate", "reward.buy"]);
}

#[tokio::test]
async fn no_two_rates_and_no_two_codes_are_the_same() {
    let shop = &shared_shop().await;
    let admin = shop.admin().await;
    let name = mark();
    let rate = |state: Option<&str>| json!({"country": "FO", "state": state, "name": name, "rate": 1});
    let first = admin.post("/admin/tax-rates", &rate(None)).await.expect_status(201);
    admin.post("/admin/tax-rates", &rate(None)).await.expect_error(409, "tax_rate_exists");
    let second = admin.post("/admin/tax-rates", &rate(Some("a"))).await.expect_status(201);
    let second = format!("/admin/tax-rates/{}", second.text_at("/id"));
    admin.put(&second, &json!({"state": null})).await.expect_error(409, "tax_rate_exists");
    for path in [second, format!("/admin/tax-rates/{}", first.text_at("/id"))] {
        assert_eq!(admin.delete(&path).await.status, 204);
    }

    let promotion = |code: &str| json!({"name": name, "code": code, "reward": {"kind": "free_shipping"}});
    admin.post("/admin/promotions", &promotion(&name)).await.expect_status(201);
    admin.post("/admin/promotions", &promotion(&name.to_uppercase())).await.expect_error(409, "promotion_code_taken");
    let other = admin.post("/admin/promotions", &promotion(&mark())).await.expect_status(201);
    let other = format!("/admin/promotions/{}", other.text_at("/id"));
    admin.put(&other, &json!({"code": name})).await.expect_error(409, "promotion_code_taken");
    let once = admin.put(&other, &json!({"is_active": false})).await.expect_status(200);
    assert_eq!(once.body["is_active"], false);
}
