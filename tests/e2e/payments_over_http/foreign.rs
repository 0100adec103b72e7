//! The same adapter against localstripe, a third-party server.

use serde_json::json;

use super::payment;
use crate::harness::{
    programs,
    provider::{Localstripe, WEBHOOK_SECRET, free_port, shop_with_provider},
    wait_until,
};

#[tokio::test(flavor = "multi_thread")]
async fn localstripe_charges_declines_gives_back_and_its_webhooks_are_understood() {
    let Some(program) = programs::localstripe().await else { return };
    let port = free_port();
    let localstripe = Localstripe::start(&program, port).await;
    let shop = shop_with_provider(port).await;
    let (buyer, browser) = (shop.customer().await, localstripe.person());
    let variant = shop.product(10, 1500).await;

    let order = buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201).text_at("/id");
    buyer.wait_for_status(&order, "confirmed").await;
    let paid = payment(&buyer, &order).await;
    let object = paid.text_at("/provider_transaction_id");
    let intent = browser.get(&format!("//v1/payment_intents/{object}")).await.expect_status(200);
    assert_eq!((intent.text_at("/status"), intent.number_at("/amount")), ("succeeded".into(), 1500));
    assert_eq!(intent.text_at("/metadata/order_id"), order);

    let refunds = format!("/payments/{}/refunds", paid.text_at("/id"));
    let part = json!({"amount": {"amount": 400, "currency": "USD"}});
    shop.admin().await.post_once(&refunds, &part).await.expect_status(201);
    wait_until("a part is back", || async { payment(&buyer, &order).await.text_at("/status") == "partially_refunded" })
        .await;
    let made = browser.get(&format!("//v1/refunds?payment_intent={object}")).await.expect_status(200);
    assert_eq!((made.body["data"].as_array().unwrap().len(), made.number_at("/data/0/amount")), (1, 400));

    let order = buyer.order(&variant, 1, Some("pm_card_chargeCustomerFail")).await.expect_status(201).text_at("/id");
    buyer.wait_for_status(&order, "failed").await;
    let object = payment(&buyer, &order).await.text_at("/provider_transaction_id");
    let intent = browser.get(&format!("//v1/payment_intents/{object}")).await.expect_status(200);
    assert_eq!(intent.text_at("/status"), "canceled");

    // Paid in the browser: only the webhook reports it.
    let hook = json!({"url": shop.webhook_url(), "secret": WEBHOOK_SECRET});
    browser.post("//_config/webhooks/souk", &hook).await.expect_status(200);
    let body =
        json!({"items": [{"variant_id": variant, "quantity": 1}], "shipping_address": crate::harness::address()});
    let order = buyer.post_once("/orders", &body).await.expect_status(201).text_at("/id");
    buyer.post_once("/payments/intents", &json!({ "order_id": order })).await.expect_status(201);
    let object = payment(&buyer, &order).await.text_at("/provider_transaction_id");
    let path = format!("//v1/payment_intents/{object}");
    browser.post_form(&path, &[("payment_method", "pm_card_visa")]).await.expect_status(200);
    browser.post_form(&format!("{path}/confirm"), &[]).await.expect_status(200);
    buyer.wait_for_status(&order, "confirmed").await;
}
