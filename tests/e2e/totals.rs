//! Orders with discounts, shipping and tax. Each sum is also computed here, by hand.

use serde_json::{Value, json};

use crate::harness::{Answer, Person, address, shared_shop, wait_until};

fn usd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "USD"})
}

/// To a country that no other test ships to, so that no other order is taxed.
fn to(country: &str, state: &str) -> Value {
    let mut address = address();
    address["country"] = json!(country);
    address["state"] = json!(state);
    address
}

async fn create(admin: &Person, path: &str, body: Value) -> Answer {
    admin.post(&format!("/admin/{path}"), &body).await.expect_status(201)
}

/// A promotion for units of a variant, with a code of its own.
async fn coupon(admin: &Person, variant: &str, reward: Value) -> String {
    let code = format!("C{}", uuid::Uuid::now_v7().simple()).to_uppercase();
    let body = json!({"name": "Coupon", "code": code, "reward": reward, "conditions": {"variant_ids": [variant]}});
    create(admin, "promotions", body).await;
    code
}

async fn place(buyer: &Person, body: &Value) -> Answer {
    buyer.place(body, &uuid::Uuid::now_v7().to_string()).await
}

/// The totals in the order of their names in the answer, without the currency.
fn totals(order: &Answer) -> [i64; 5] {
    ["subtotal", "discount", "shipping", "tax", "total"].map(|name| order.number_at(&format!("/totals/{name}/amount")))
}

#[tokio::test]
async fn an_order_has_its_discount_its_shipping_and_its_tax_and_lines_are_refunded_for_what_was_paid() {
    let shop = &shared_shop().await;
    let (admin, buyer) = (shop.admin().await, shop.customer().await);
    let (mug, jug) = (shop.product(10, 999).await, shop.product(10, 500).await);
    let rate = json!({"country": "GL", "name": "VAT", "rate": 250_000});
    let rate = create(&admin, "tax-rates", rate).await;
    let local = json!({"country": "GL", "state": "Qaasuitsup", "name": "Local tax", "rate": 20_000});
    create(&admin, "tax-rates", local).await;
    let charge = json!({"country": "GL", "name": "VAT", "rate": 100_000, "tax_category": "shipping"});
    create(&admin, "tax-rates", charge).await;
    let method = json!({"name": "Boat", "kind": "flat", "rates": [{"price": usd(1500), "free_above": usd(100_000)}]});
    let zone = create(&admin, "shipping-zones", json!({"name": "Ice", "countries": ["GL"], "methods": [method]})).await;
    let coupon = coupon(&admin, &mug, json!({"kind": "percent", "rate": 100_000})).await;

    let items = json!([{"variant_id": mug, "quantity": 3}, {"variant_id": jug, "quantity": 1}]);
    let body = json!({"items": items, "shipping_address": to("GL", "qaasuitsup"), "expected_total": usd(5710),
        "shipping_method": zone.text_at("/methods/0/id"), "coupon": coupon.to_lowercase(),
        "payment": {"method": "pm_card_visa"}});
    let other = |field: &str, value: Value| {
        let mut other = body.clone();
        other[field] = value;
        other
    };
    let missing = place(&buyer, &other("shipping_method", json!(null))).await;
    missing.expect_error(422, "shipping_method_required");
    let elsewhere = place(&buyer, &other("shipping_address", address())).await;
    elsewhere.expect_error(409, "shipping_method_unavailable");
    place(&buyer, &other("coupon", json!("nothing"))).await.expect_error(422, "unknown_coupon");
    let only_jug = other("items", json!([{"variant_id": jug, "quantity": 1}]));
    place(&buyer, &only_jug).await.expect_error(409, "coupon_not_applicable");
    let changed = place(&buyer, &other("expected_total", usd(5709))).await.expect_error(409, "total_changed");
    let total = changed.body["details"].as_array().unwrap().iter().find(|one| one["field"] == "totals.total.amount");
    assert_eq!(total.unwrap()["message"], "5710");

    // 3 * 9.99 less 10 %, and 5.00: 26.97 + 5.00 = 31.97. Taxes: 25 % is 7.99, 2 % is 0.64, and 10 % of 15.00 is 1.50.
    let order = place(&buyer, &body).await.expect_status(201);
    assert_eq!(order.text_at("/status"), "confirmed");
    assert_eq!(totals(&order), [3497, 300, 1500, 1013, 5710]);
    assert_eq!(
        order.body["shipping_method"],
        json!({"id": body["shipping_method"], "name": "Boat", "price": usd(1500)})
    );
    let line = |name: &str, rate: i64, base: i64, amount: i64| {
        let (base, amount) = (usd(base), usd(amount));
        json!({"name": name, "rate": rate, "inclusive": false, "base": base, "amount": amount})
    };
    let (charge, vat) = (line("VAT", 100_000, 1500, 150), line("VAT", 250_000, 3197, 799));
    let lines = json!([charge, vat, line("Local tax", 20_000, 3197, 64)]);
    assert_eq!(order.body["tax_lines"], lines);
    let discount = json!([{"code": coupon, "amount": usd(300), "name": "Coupon", "free_shipping": false,
        "promotion_id": order.body["discounts"][0]["promotion_id"]}]);
    assert_eq!(order.body["discounts"], discount);

    // What changes later changes nothing of it.
    let path = format!("/admin/tax-rates/{}", rate.text_at("/id"));
    admin.put(&path, &json!({"rate": 0})).await.expect_status(200);
    let id = order.text_at("/id");
    let read = buyer.get(&format!("/orders/{id}")).await.expect_status(200);
    assert_eq!((totals(&read), &read.body["tax_lines"]), (totals(&order), &lines));
    let payment = buyer.get(&format!("/payments/order/{id}")).await.expect_status(200);
    assert_eq!(payment.body["amount"], usd(5710));

    // The mugs' part of the tax on goods is 863 * 2697 / 3197 = 728: they cost 34.25, and one of the three 11.41.
    let refunds = format!("/payments/{}/refunds", payment.text_at("/id"));
    let one = json!({"items": [{"line_id": order.text_at("/items/0/id"), "quantity": 1}]});
    let refund = admin.post_once(&refunds, &one).await.expect_status(201);
    assert_eq!(refund.body["amount"], usd(1141));
    let rest = admin.post_once(&refunds, &json!({})).await.expect_status(201);
    assert_eq!(rest.body["amount"], usd(5710 - 1141));
    buyer.wait_for_status(&id, "refunded").await;
}

#[tokio::test]
async fn tax_that_prices_contain_is_shown_and_not_added() {
    let shop = &shared_shop().await;
    let (admin, buyer) = (shop.admin().await, shop.customer().await);
    let pen = shop.product(10, 1190).await;
    create(&admin, "tax-rates", json!({"country": "MT", "name": "VAT", "rate": 190_000, "inclusive": true})).await;
    let body = json!({"name": "Three for two", "reward": {"kind": "buy_x_get_y", "buy": 2, "get": 1},
        "conditions": {"variant_ids": [pen]}});
    create(&admin, "promotions", body).await;
    let items = json!([{"variant_id": pen, "quantity": 3}]);
    buyer.post("/cart/items", &items[0]).await.expect_status(200);
    let cart = buyer.get("/cart").await.expect_status(200);
    assert_eq!(cart.body["totals"]["tax"], json!(null), "no address is known");
    assert_eq!((cart.number_at("/totals/discount/amount"), cart.number_at("/totals/total/amount")), (1190, 2380));
    assert_eq!(cart.text_at("/discounts/0/name"), "Three for two");
    let body = json!({"items": items, "shipping_address": to("MT", ""), "payment": {"method": "pm_card_visa"}});
    let order = place(&buyer, &body).await.expect_status(201);
    assert_eq!(totals(&order), [3570, 1190, 0, 0, 2380]);
    let line = json!({"name": "VAT", "rate": 190_000, "inclusive": true, "base": usd(2000), "amount": usd(380)});
    assert_eq!(order.body["tax_lines"], json!([line]));
    let elsewhere = json!({"items": items, "shipping_address": address(), "payment": {"method": "pm_card_visa"}});
    let elsewhere = place(&buyer, &elsewhere).await.expect_status(201);
    assert_eq!((totals(&elsewhere), &elsewhere.body["tax_lines"]), ([3570, 1190, 0, 0, 2380], &json!([])));
    // The seller of the lines sees their subtotal, and nothing between the buyer and the shop.
    let path = format!("/orders/{}", order.text_at("/id"));
    let sold = shop.seller().await.get(&path).await.expect_status(200);
    assert_eq!((totals(&sold), &sold.body["discounts"]), ([3570, 0, 0, 0, 3570], &json!([])));
}

#[tokio::test]
async fn an_order_for_nothing_is_confirmed_without_a_payment() {
    let shop = &shared_shop().await;
    let (admin, buyer) = (shop.admin().await, shop.customer().await);
    let gift = shop.product(10, 700).await;
    let coupon = coupon(&admin, &gift, json!({"kind": "amount", "amounts": [usd(5000)]})).await;
    let items = json!([{"variant_id": gift, "quantity": 2}]);
    let body = json!({"items": items, "shipping_address": address(), "coupon": coupon});
    let order = place(&buyer, &body).await.expect_status(201);
    let id = order.text_at("/id");
    assert_eq!((order.text_at("/status"), totals(&order)), ("confirmed".into(), [1400, 1400, 0, 0, 0]));
    buyer.get(&format!("/payments/order/{id}")).await.expect_error(404, "payment_not_found");
    wait_until("the stock is sold", || async { shop.stock(&gift).await.number_at("/on_hand") == 8 }).await;
    buyer.post(&format!("/orders/{id}/cancel"), &json!({})).await.expect_status(200);
    wait_until("the stock is back", || async { shop.stock(&gift).await.number_at("/available") == 10 }).await;
}
