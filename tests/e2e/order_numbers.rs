//! An order's number stands wherever its id does.

use reqwest::Method;
use serde_json::json;

use crate::harness::{address, nats_cli::Cli, shared_shop};

#[tokio::test]
async fn an_order_is_paid_shown_and_cancelled_by_its_number() {
    let shop = &shared_shop().await;
    let variant = shop.product(5, 1200).await;
    let guest = shop.anonymous().post("/carts", &json!({})).await.expect_status(201).text_at("/token");
    let stranger = shop.customer().await;
    for buyer in [shop.customer().await, shop.anonymous().with_cart(guest)] {
        let order = buyer.order(&variant, 1, None).await.expect_status(201);
        let (id, number) = (order.text_at("/id"), order.text_at("/order_number"));
        for number in [number.clone(), number.to_lowercase()] {
            assert_eq!(buyer.get(&format!("/orders/{number}")).await.expect_status(200).text_at("/id"), id);
            buyer.get(&format!("/orders/{number}/history")).await.expect_status(200);
        }
        let stream = buyer.stream(&format!("/orders/{number}/stream"), &[]).await;
        assert_eq!(stream.status(), 200);
        drop(stream);

        let by_number = json!({ "order_number": number });
        stranger.post_once("/payments/intents", &by_number).await.expect_error(404, "order_not_found");
        let intent = buyer.post_once("/payments/intents", &by_number).await.expect_status(201);
        assert_eq!((intent.text_at("/order_id"), intent.text_at("/order_number")), (id.clone(), number.clone()));
        let by_id = buyer.post_once("/payments/intents", &json!({ "order_id": id })).await.expect_status(201);
        assert_eq!(by_id.text_at("/id"), intent.text_at("/id"), "one order has one intent");
        for wrong in [json!({}), json!({"order_id": id, "order_number": number})] {
            buyer.post_once("/payments/intents", &wrong).await.expect_error(422, "invalid_intent");
        }

        let payment = format!("/payments/order/{number}");
        assert_eq!(buyer.get(&payment).await.expect_status(200).body["id"], intent.body["id"]);
        stranger.get(&payment).await.expect_error(404, "payment_not_found");

        let cancel = format!("/orders/{number}/cancel");
        stranger.post(&cancel, &json!({})).await.expect_error(404, "order_not_found");
        let key = [("Idempotency-Key", number.as_str())];
        let cancelled = buyer.request(Method::POST, &cancel, Some(&json!({})), &key).await.expect_status(200);
        assert_eq!((cancelled.text_at("/id"), cancelled.text_at("/status")), (id, "cancelled".into()));
        let again = buyer.request(Method::POST, &cancel, Some(&json!({})), &key).await.expect_status(200);
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
    }
}

#[tokio::test]
async fn a_seller_takes_an_order_further_by_its_number() {
    let shop = &shared_shop().await;
    let variant = shop.product(5, 1200).await;
    let order = shop.customer().await.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201);
    let path = format!("/orders/{}/status", order.text_at("/order_number"));
    let seller = shop.seller().await;
    for status in ["processing", "shipped"] {
        let moved = seller.put(&path, &json!({ "status": status })).await.expect_status(200);
        assert_eq!((moved.text_at("/id"), moved.text_at("/status")), (order.text_at("/id"), status.into()));
    }
}

#[tokio::test]
async fn what_is_neither_an_id_nor_a_number_is_no_order() {
    let shop = &shared_shop().await;
    let buyer = shop.customer().await;
    let seller = shop.seller().await;
    for wrong in ["SK-260102-3F7K2Q-9ZXB1M", "no-such-order", "%C3%BC", &"x".repeat(200)] {
        buyer.get(&format!("/orders/{wrong}")).await.expect_error(404, "order_not_found");
        buyer.get(&format!("/orders/{wrong}/history")).await.expect_error(404, "order_not_found");
        buyer.get(&format!("/orders/{wrong}/stream")).await.expect_error(404, "order_not_found");
        buyer.post(&format!("/orders/{wrong}/cancel"), &json!({})).await.expect_error(404, "order_not_found");
        let status = json!({"status": "processing"});
        seller.put(&format!("/orders/{wrong}/status"), &status).await.expect_error(404, "order_not_found");
        buyer.get(&format!("/payments/order/{wrong}")).await.expect_error(404, "payment_not_found");
    }
    let unknown = json!({"order_number": "no-such-order"});
    buyer.post_once("/payments/intents", &unknown).await.expect_error(404, "order_not_found");
}

#[tokio::test]
async fn numbers_work_over_nats_too() {
    let shop = &shared_shop().await;
    let Some(cli) = Cli::of(shop).await else { return };
    let variant = shop.product(5, 1200).await;
    let buyer = shop.customer().await;
    let token = format!("Authorization:Bearer {}", buyer.token());
    let ask = async |subject: &str, body: serde_json::Value| {
        cli.json(&["req", "--raw", "-H", &token, subject, &body.to_string()]).await
    };
    let placed = ask(
        "req.orders.place",
        json!({"order": {"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": address()}}),
    )
    .await;
    let (id, number) = (&placed["id"], &placed["order_number"]);
    let intent = ask("req.payments.create_intent", json!({"intent": {"order_number": number}})).await;
    assert_eq!(&intent["order_id"], id, "{intent}");
    let payment = ask("req.payments.get_by_order", json!({ "order_id": number })).await;
    assert_eq!(payment["id"], intent["id"], "{payment}");
    let cancelled = ask("req.orders.cancel", json!({ "order_id": number })).await;
    assert_eq!((&cancelled["id"], &cancelled["status"]), (id, &json!("cancelled")), "{cancelled}");
}

#[tokio::test]
async fn orders_are_listed_newest_first_page_by_page_and_back() {
    let shop = &shared_shop().await;
    let (variant, buyer) = (shop.product(20, 100).await, shop.customer().await);
    let mut placed = Vec::new();
    for _ in 0..5 {
        placed.insert(0, buyer.order(&variant, 1, None).await.expect_status(201).text_at("/id"));
    }
    let page = async |query: &str| {
        let page = buyer.get(&format!("/orders?limit=2{query}")).await.expect_status(200);
        let data = page.body["data"].as_array().unwrap();
        let ids: Vec<String> = data.iter().map(|order| order["id"].as_str().unwrap().to_owned()).collect();
        let cursor = |name: &str| {
            page.body["pagination"][name].as_str().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default()
        };
        assert_eq!(page.number_at("/pagination/total"), 5);
        (ids, cursor("next_cursor"), cursor("prev_cursor"))
    };
    let (first, next, before) = page("").await;
    assert_eq!((first.as_slice(), before.as_str()), (&placed[..2], ""));
    let (second, next, _) = page(&next).await;
    assert_eq!(second, placed[2..4]);
    let (third, next, before) = page(&next).await;
    assert_eq!((third.as_slice(), next.as_str()), (&placed[4..], ""));
    let (second, _, before) = page(&before).await;
    assert_eq!(second, placed[2..4]);
    let (first, _, before) = page(&before).await;
    assert_eq!((first.as_slice(), before.as_str()), (&placed[..2], ""));
    buyer.get("/orders?cursor=nonsense").await.expect_error(400, "invalid_cursor");
}
