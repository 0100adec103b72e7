//! Objects whose making goes wrong at the provider: selected by the amount, because no method is known then.

use serde_json::json;

use super::{insist, market, payment};

/// An order of this price is confirmed; gives how many objects were made for it.
async fn objects_made(price: i64) -> i64 {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let body = market.wish(price, Some("pm_card_visa")).await;
    let order = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    market.ends_confirmed_at(price, &buyer, &order).await;
    market.objects(&order, "any").await
}

#[tokio::test]
async fn however_the_making_of_an_object_goes_its_order_is_charged_once() {
    let prices = [
        // Answered late, not at all, with a failure that is stored, and by a proxy: it is found.
        4_000_001, 4_000_002, 4_000_003, 4_000_005,
        // Not made behind a failure that is stored: another key makes it.
        4_000_004,
    ];
    let made = futures::future::join_all(prices.map(objects_made)).await;
    assert_eq!(made, [1; 5]);
}

#[tokio::test]
async fn an_intent_behind_a_stored_failure_is_opened_when_it_is_requested_again() {
    let market = market().await;
    let buyer = market.shop.customer().await;
    let body = market.wish(4_000_003, None).await;
    let order = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    let intent = insist(&buyer, "/payments/intents", &json!({ "order_id": order }), "an-intent").await;
    let intent = intent.expect_status(201);
    assert_eq!((market.objects(&order, "any").await, market.charges(&order).await), (1, 0));
    assert_eq!(payment(&buyer, &order).await.text_at("/id"), intent.text_at("/id"));
}
