//! What a domain shows of another one is wrong, and is made anew from the other's log while the shop goes on.

use serde_json::json;

use crate::harness::{Buying, Shop, wait_until};

/// Catalog shows wrong numbers, of which some would never be mended by later events: they claim to be newer than
/// anything inventory has emitted.
#[tokio::test(flavor = "multi_thread")]
async fn what_catalog_shows_of_the_stock_is_made_anew_amid_orders_and_counts() {
    let shop = Shop::start(&[]).await;
    let seller = shop.seller().await;
    let mut counted = Vec::new();
    for number in 0..6 {
        let variant = shop.product(10 + number, 1000).await;
        seller.put(&format!("/inventory/{variant}"), &json!({"on_hand": 20 + number})).await.expect_status(200);
        counted.push(variant);
    }
    let shown = |variant: &str| format!("select available from variant_stock where variant_id = '{variant}'");
    for (variant, number) in counted.iter().zip(20..) {
        wait_until("catalog shows the count", || async { shop.number("catalog", shown(variant)).await == number })
            .await;
    }
    let spoil = format!(
        "update variant_stock set available = 7777 where variant_id = '{}';
         update variant_stock set available = -3, version = 1000000 where variant_id = '{}';
         update variant_stock set version = 1000000 where variant_id in ('{}', '{}');
         delete from variant_stock where variant_id = '{}';
         insert into variant_stock values (gen_random_uuid(), 5, 5, now())",
        counted[0], counted[1], counted[2], counted[3], counted[4]
    );
    shop.sql("catalog", spoil).await;
    // The damage is there, and no later event mends it.
    seller.put(&format!("/inventory/{}", counted[3]), &json!({"on_hand": 50})).await.expect_status(200);
    let named = shop.check().await.violations();
    for variant in &counted[..5] {
        assert!(named.contains(&("projections".to_owned(), format!("variant {variant}"))), "{variant}: {named:?}");
    }

    let buying = Buying::begin(&shop, 4, 1000).await;
    for round in 0..3 {
        buying.progress(10).await;
        let (ok, said) = shop.souk(&["replay", "inventory", "--into", "catalog"]).await;
        assert!(ok && said.contains("catalog has reset stock_changed of inventory"), "{said}");
        let path = format!("/inventory/{}", counted[5]);
        seller.put(&path, &json!({"on_hand": 60 + round})).await.expect_status(200);
    }
    buying.progress(10).await;
    println!("{:?}", buying.reconcile(&shop).await);
    for (variant, number) in counted.iter().zip([20, 21, 22, 50, 24, 62]) {
        wait_until("catalog shows what there is", || async { shop.number("catalog", shown(variant)).await == number })
            .await;
        assert_eq!(shop.stock(variant).await.number_at("/available"), number);
    }
    // Every row was emitted again, and none is left that inventory does not have.
    wait_until("all is emitted again", || async {
        shop.number("catalog", "select count(*) from variant_stock where version not between 1 and 999999").await == 0
    })
    .await;
}

/// Catalog believes that a seller who was deactivated may sell, as of a version that no later event exceeds.
#[tokio::test]
async fn the_sellers_are_rebuilt_from_the_log() {
    let shop = Shop::start(&[]).await;
    let (seller, id) = shop.new_seller().await;
    let body = json!({"name": "Bench", "price": {"amount": 900, "currency": "USD"}});
    let product = seller.post("/products", &body).await.expect_status(201).text_at("/id");
    let account = format!("/admin/users/{id}");
    shop.admin().await.patch(&account, &json!({"is_active": false})).await.expect_status(200);
    let path = format!("/products/{product}");
    let is_shown = async || shop.anonymous().get(&path).await.status == 200;
    wait_until("it is hidden", || async { !is_shown().await }).await;
    shop.sql("catalog", format!("update sellers set may_sell = true, version = 1000000 where id = '{id}'")).await;
    assert!(is_shown().await);
    let (ok, said) = shop.souk(&["replay", "identity", "--into", "catalog"]).await;
    assert!(ok && said.contains("catalog has reset"), "{said}");
    wait_until("it is hidden again", || async { !is_shown().await }).await;
}

/// An order that is paid twice would be wrong: a domain that acts on events does not receive them again.
#[tokio::test]
async fn a_domain_that_acts_on_events_does_not_get_them_again() {
    let shop = Shop::start(&[]).await;
    let (variant, buyer) = (shop.product(5, 1000).await, shop.customer().await);
    buyer.order(&variant, 1, Some("pm_card_visa")).await.expect_status(201);
    for (source, consumer) in [
        ("inventory", "orders"),
        ("payments", "orders"),
        ("orders", "payments"),
        ("orders", "inventory"),
        ("catalog", "inventory"),
        ("orders", "carts"),
    ] {
        let cursors = format!("select count(*) from cursor where source = '{source}'");
        wait_until("its cursors stand", || async { shop.number(consumer, cursors.clone()).await > 0 }).await;
        let (ok, said) = shop.souk(&["replay", source, "--into", consumer]).await;
        let reason = format!("{consumer} emits events or effects for events of {source}");
        assert!(!ok && said.contains("not_a_projection") && said.contains(&reason), "{said}");
        assert!(shop.number(consumer, cursors).await > 0, "{consumer} has forgotten {source}");
    }
    let (ok, said) = shop.souk(&["replay", "payments", "--into", "catalog"]).await;
    assert!(!ok && said.contains("catalog does not consume events of payments"), "{said}");
}
