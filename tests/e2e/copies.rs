//! What an order keeps of the moment of placing, and what the shop never stores.

use serde_json::json;

use crate::harness::{address, shared_shop, wait_until};

/// ORD-16, ORD-17.
#[tokio::test]
async fn an_order_keeps_prices_names_and_addresses_as_they_were() {
    let shop = &shared_shop().await;
    let ((seller, _), buyer) = (shop.new_seller().await, shop.customer().await);
    let body = json!({"name": "Jug", "price": {"amount": 900, "currency": "USD"}, "on_hand": 5});
    let product = seller.post("/products", &body).await.expect_status(201);
    let (path, variant) = (format!("/products/{}", product.text_at("/id")), product.text_at("/variants/0/id"));
    wait_until("inventory knows the variant", || async {
        buyer.get(&format!("/inventory/{variant}")).await.status == 200
    })
    .await;
    let mut billing = address();
    billing["city"] = json!("Bergen");
    let body = json!({
        "items": [{"variant_id": variant, "quantity": 2}], "shipping_address": address(), "billing_address": billing,
    });
    let order = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    let changes = json!({"name": "Pitcher", "price": {"amount": 1100, "currency": "USD"}});
    seller.patch(&path, &changes).await.expect_status(200);
    assert_eq!(shop.anonymous().get(&path).await.number_at("/price/amount"), 1100);

    let kept = buyer.get(&format!("/orders/{order}")).await.expect_status(200);
    assert_eq!((kept.text_at("/items/0/name"), kept.number_at("/items/0/unit_price/amount")), ("Jug".into(), 900));
    assert_eq!(kept.number_at("/totals/total/amount"), 1800);
    for (field, wanted) in [("shipping_address", address()), ("billing_address", billing)] {
        for (name, value) in wanted.as_object().unwrap() {
            assert_eq!(&kept.body[field][name], value, "{field}.{name}: {}", kept.body);
        }
    }
}

/// PAY-14: a card number has no place to be.
#[tokio::test]
async fn no_table_has_a_column_for_card_data() {
    let shop = &shared_shop().await;
    for domain in subjects::DOMAINS {
        let columns = "select count(*) from information_schema.columns where table_schema = 'public'
                       and column_name ~ '(^|_)(pan|card|cvc|cvv|iban|expiry_month)(_|$)'";
        assert_eq!(shop.number(domain, columns).await, 0, "{domain}");
    }
}
