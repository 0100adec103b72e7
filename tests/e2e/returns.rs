//! Money that goes back, and the goods that come back with it.

use serde_json::{Value, json};

use crate::harness::{Answer, Person, Shop, shared_shop, wait_until};

/// A confirmed order of so many units.
struct Sold {
    order: String,
    payment: String,
    line: String,
    variant: String,
}

impl Sold {
    async fn units(shop: &Shop, buyer: &Person, quantity: i64) -> Self {
        let variant = shop.product(9, 1000).await;
        let order = buyer.order(&variant, quantity, Some("pm_card_visa")).await.expect_status(201);
        assert_eq!(order.text_at("/status"), "confirmed", "{}", order.body);
        let id = order.text_at("/id");
        let payment = buyer.get(&format!("/payments/order/{id}")).await.expect_status(200).text_at("/id");
        expect_available(shop, &variant, 9 - quantity).await;
        Self { order: id, payment, line: order.text_at("/items/0/id"), variant }
    }

    async fn refund(&self, shop: &Shop, body: Value) -> Answer {
        shop.admin().await.post_once(&format!("/payments/{}/refunds", self.payment), &body).await
    }

    fn items(&self, quantity: i64) -> Value {
        json!([{"line_id": self.line, "quantity": quantity}])
    }

    async fn take(&self, shop: &Shop, steps: &[&str]) {
        let seller = shop.seller().await;
        for status in steps {
            let path = format!("/orders/{}/status", self.order);
            seller.put(&path, &json!({ "status": status })).await.expect_status(200);
        }
    }

    /// What the ledger says of the order, the oldest first.
    async fn movements(&self, shop: &Shop) -> Vec<(String, i64)> {
        let path = format!("/inventory/{}/movements", self.variant);
        let ledger = shop.seller().await.get(&path).await.expect_status(200);
        let of_order = ledger.body["data"].as_array().unwrap().iter().filter(|one| one["order_id"] == *self.order);
        let read = |one: &Value| (one["reason"].as_str().unwrap().to_owned(), one["on_hand_delta"].as_i64().unwrap());
        of_order.rev().map(read).collect()
    }
}

async fn expect_available(shop: &Shop, variant: &str, available: i64) {
    wait_until(&format!("{available} of {variant} are available"), || async {
        shop.stock(variant).await.number_at("/available") == available
    })
    .await;
}

fn usd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "USD"})
}

#[tokio::test]
async fn a_refund_of_everything_returns_the_units_of_an_order_that_was_not_shipped_once() {
    let shop = &shared_shop().await;
    let buyer = shop.customer().await;
    let sold = Sold::units(shop, &buyer, 3).await;
    sold.take(shop, &["processing"]).await;
    sold.refund(shop, json!({"amount": usd(500)})).await.expect_status(201);
    sold.refund(shop, json!({"restock": true})).await.expect_status(201);
    buyer.wait_for_status(&sold.order, "refunded").await;
    expect_available(shop, &sold.variant, 9).await;
    let order = buyer.get(&format!("/orders/{}", sold.order)).await.expect_status(200);
    assert_eq!(order.text_at("/payment_status"), "refunded");
    let movements = sold.movements(shop).await;
    let taken: Vec<_> = movements.iter().map(|(reason, on_hand)| (reason.as_str(), *on_hand)).collect();
    assert_eq!(taken, [("reserved", 0), ("committed", -3), ("restocked", 3)]);
    let path = format!("/orders/{}/cancel", sold.order);
    buyer.post(&path, &json!({})).await.expect_error(409, "illegal_transition");
}

#[tokio::test]
async fn a_partial_refund_moves_money_only_unless_it_names_lines() {
    let shop = &shared_shop().await;
    let buyer = shop.customer().await;
    let sold = Sold::units(shop, &buyer, 4).await;
    sold.refund(shop, json!({"amount": usd(100)})).await.expect_status(201);
    sold.refund(shop, json!({"amount": usd(100), "restock": true})).await.expect_error(422, "invalid_refund");

    let lines = sold.refund(shop, json!({"items": sold.items(1)})).await.expect_status(201);
    assert_eq!((lines.number_at("/amount/amount"), lines.body["restock"].clone()), (1000, json!(false)));
    let lines = sold.refund(shop, json!({"items": sold.items(2), "amount": usd(50), "restock": true})).await;
    assert_eq!(lines.expect_status(201).number_at("/amount/amount"), 50);
    expect_available(shop, &sold.variant, 9 - 4 + 2).await;
    assert_eq!(buyer.order_status(&sold.order).await, "confirmed");

    let too_many = json!({"items": sold.items(3), "amount": usd(50), "restock": true});
    sold.refund(shop, too_many).await.expect_error(409, "return_too_large");
    for items in [json!([]), sold.items(0), sold.items(5), json!([{"line_id": sold.order, "quantity": 1}])] {
        sold.refund(shop, json!({"items": items})).await.expect_error(422, "invalid_refund");
    }

    // The rest goes back with the cancel, and no unit twice.
    buyer.post(&format!("/orders/{}/cancel", sold.order), &json!({})).await.expect_status(200);
    expect_available(shop, &sold.variant, 9).await;
    let back: i64 = sold.movements(shop).await.iter().map(|(_, on_hand)| on_hand).sum();
    assert_eq!(back, 0);
}

#[tokio::test]
async fn goods_that_were_shipped_return_only_where_the_refund_says_so() {
    let shop = &shared_shop().await;
    let buyer = shop.customer().await;
    let (kept, returned) = (Sold::units(shop, &buyer, 3).await, Sold::units(shop, &buyer, 3).await);
    for sold in [&kept, &returned] {
        sold.take(shop, &["processing", "shipped", "delivered"]).await;
        sold.refund(shop, json!({"items": sold.items(1), "restock": true})).await.expect_status(201);
        expect_available(shop, &sold.variant, 9 - 3 + 1).await;
    }
    returned.refund(shop, json!({"restock": true})).await.expect_status(201);
    buyer.wait_for_status(&returned.order, "refunded").await;
    expect_available(shop, &returned.variant, 9).await;
    let order = buyer.get(&format!("/orders/{}", returned.order)).await.expect_status(200);
    assert_eq!(order.text_at("/fulfillment_status"), "returned");

    kept.refund(shop, json!({})).await.expect_status(201);
    buyer.wait_for_status(&kept.order, "refunded").await;
    let order = buyer.get(&format!("/orders/{}", kept.order)).await.expect_status(200);
    assert_eq!(order.text_at("/fulfillment_status"), "fulfilled");
    assert_eq!(shop.stock(&kept.variant).await.number_at("/available"), 9 - 3 + 1);
}
