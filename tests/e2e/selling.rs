//! What the sellers of an order's lines may do.

use serde_json::{Value, json};

use crate::harness::{Person, Shop, address, shared_shop, wait_until};

/// A new seller with a product; gives its variant too.
async fn seller_with_a_product(shop: &Shop) -> (Person, String) {
    let (seller, _) = shop.new_seller().await;
    let name = format!("Thing {}", uuid::Uuid::now_v7().simple());
    let body = json!({"name": name, "price": {"amount": 900, "currency": "USD"}, "on_hand": 10});
    let variant = seller.post("/products", &body).await.expect_status(201).text_at("/variants/0/id");
    wait_until("inventory knows the variant", || async {
        shop.anonymous().get(&format!("/inventory/{variant}")).await.status == 200
    })
    .await;
    (seller, variant)
}

/// An order of one unit of each, paid at once; gives its id.
async fn bought(buyer: &Person, variants: &[&String]) -> String {
    let items: Vec<Value> = variants.iter().map(|variant| json!({"variant_id": variant, "quantity": 1})).collect();
    let body = json!({"items": items, "shipping_address": address(), "payment": {"method": "pm_card_visa"}});
    let order = buyer.place(&body, &uuid::Uuid::now_v7().to_string()).await.expect_status(201);
    assert_eq!(order.text_at("/status"), "confirmed", "{}", order.body);
    order.text_at("/id")
}

#[tokio::test]
async fn a_seller_of_every_line_cancels_the_order() {
    let shop = &shared_shop().await;
    let (seller, variant) = seller_with_a_product(shop).await;
    let buyer = shop.customer().await;
    let id = bought(&buyer, &[&variant]).await;
    seller.get(&format!("/orders/{id}")).await.expect_status(200);
    seller.get(&format!("/orders/{id}/history")).await.expect_status(200);
    assert_eq!(seller.stream(&format!("/orders/{id}/stream"), &[]).await.status(), 200);
    let reason = json!({"reason": "It broke on the shelf."});
    let cancelled = seller.post(&format!("/orders/{id}/cancel"), &reason).await.expect_status(200);
    assert_eq!(cancelled.text_at("/status"), "cancelled");
    wait_until("the money went back", || async {
        buyer.get(&format!("/orders/{id}")).await.expect_status(200).text_at("/payment_status") == "refunded"
    })
    .await;
    wait_until("the stock came back", || async { shop.stock(&variant).await.number_at("/available") == 10 }).await;
}

#[tokio::test]
async fn a_seller_of_some_lines_neither_cancels_the_order_nor_takes_it_further() {
    let shop = &shared_shop().await;
    let (seller, variant) = seller_with_a_product(shop).await;
    let (other, another) = seller_with_a_product(shop).await;
    let (stranger, _) = shop.new_seller().await;
    let buyer = shop.customer().await;
    let id = bought(&buyer, &[&variant, &another]).await;
    let (cancel, status) = (format!("/orders/{id}/cancel"), format!("/orders/{id}/status"));
    let further = json!({"status": "processing"});
    for one in [&seller, &other] {
        one.get(&format!("/orders/{id}")).await.expect_status(200);
        one.post(&cancel, &json!({})).await.expect_error(403, "not_your_order");
        one.put(&status, &further).await.expect_error(403, "not_your_order");
    }
    stranger.post(&cancel, &json!({})).await.expect_error(404, "order_not_found");
    stranger.put(&status, &further).await.expect_error(404, "order_not_found");
    buyer.post(&cancel, &json!({})).await.expect_status(200);
}

#[tokio::test]
async fn a_seller_who_buys_from_another_cancels_as_the_buyer() {
    let shop = &shared_shop().await;
    let (seller, own) = seller_with_a_product(shop).await;
    let (_, anothers) = seller_with_a_product(shop).await;
    let id = bought(&seller, &[&own, &anothers]).await;
    seller
        .put(&format!("/orders/{id}/status"), &json!({"status": "processing"}))
        .await
        .expect_error(403, "not_your_order");
    seller.post(&format!("/orders/{id}/cancel"), &json!({})).await.expect_status(200);
}
