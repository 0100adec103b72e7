//! Whether something can be bought: the same answer from every operation.

use reqwest::Method;
use serde_json::json;

use crate::harness::{Person, Shop, address, shared_shop, wait_until};

/// A product of a seller of its own, with units on the shelf.
struct Goods {
    seller: Person,
    seller_id: String,
    product: String,
    variant: String,
}

impl Goods {
    async fn of(shop: &Shop) -> Self {
        let (seller, seller_id) = shop.new_seller().await;
        let body = json!({"name": "Bench", "price": {"amount": 900, "currency": "USD"}, "on_hand": 50});
        let made = seller.post("/products", &body).await.expect_status(201);
        let goods = Self { seller, seller_id, product: made.text_at("/id"), variant: made.text_at("/variants/0/id") };
        wait_until("inventory knows the variant", || async { goods.is_available(shop).await }).await;
        goods
    }

    /// What inventory says, which asks catalog as carts and orders do.
    async fn is_available(&self, shop: &Shop) -> bool {
        let ask = json!({"items": [{"variant_id": self.variant, "quantity": 1}]});
        let answer = shop.anonymous().post("/inventory/availability", &ask).await.expect_status(200);
        let is_available = answer.body["data"][0]["is_available"] == true;
        assert_eq!(is_available, answer.number_at("/data/0/available") > 0, "{}", answer.body);
        is_available
    }

    /// Everyone who can be asked says the same.
    async fn expect_for_sale(&self, shop: &Shop, is_for_sale: bool) {
        let Self { product, variant, seller_id, .. } = self;
        let (anyone, customer) = (shop.anonymous(), shop.customer().await);
        wait_until(&format!("{product} is for sale: {is_for_sale}"), || async {
            self.is_available(shop).await == is_for_sale
        })
        .await;
        let total = i64::from(is_for_sale);
        let lists = ["", "&sort=price"].map(|sort| format!("/products?seller={seller_id}{sort}"));
        let (page, shown) = (format!("/products/{product}"), format!("/inventory/{variant}"));
        // What the public reads may be kept for a second.
        wait_until("the public sees the same", || async {
            let is_found = async |path| anyone.get(path).await.status == 200;
            let is_listed = async |path| anyone.get(path).await.number_at("/pagination/total") == total;
            is_found(&page).await == is_for_sale
                && is_found(&shown).await == is_for_sale
                && is_listed(&lists[0]).await
                && is_listed(&lists[1]).await
        })
        .await;
        let (found, shown) = (anyone.get(&page).await, anyone.get(&shown).await);
        let line = json!({"variant_id": variant, "quantity": 1});
        let added = customer.post("/cart/items", &line).await;
        let by_product = customer.post("/cart/items", &json!({"product_id": product, "quantity": 1})).await;
        let order = json!({"items": [line], "shipping_address": address()});
        let ordered = customer.post_once("/orders", &order).await;
        if is_for_sale {
            assert!(shown.expect_status(200).number_at("/available") > 0);
            found.expect_status(200);
            added.expect_status(200);
            by_product.expect_status(200);
            ordered.expect_status(201);
        } else {
            found.expect_error(404, "product_not_found");
            shown.expect_error(404, "variant_not_found");
            added.expect_error(404, "not_for_sale");
            by_product.expect_error(404, "not_for_sale");
            ordered.expect_error(404, "not_for_sale");
        }
    }
}

#[tokio::test]
async fn a_hidden_product_is_for_sale_nowhere() {
    let shop = &shared_shop().await;
    let goods = Goods::of(shop).await;
    let path = format!("/products/{}", goods.product);
    goods.expect_for_sale(shop, true).await;
    goods.seller.patch(&path, &json!({"is_active": false})).await.expect_status(200);
    goods.expect_for_sale(shop, false).await;
    goods.seller.patch(&path, &json!({"is_active": true})).await.expect_status(200);
    goods.expect_for_sale(shop, true).await;
}

#[tokio::test]
async fn products_of_a_seller_who_is_deactivated_or_demoted_are_for_sale_nowhere() {
    let shop = &shared_shop().await;
    let goods = Goods::of(shop).await;
    let admin = shop.admin().await;
    let version = admin.get(&format!("/products/{}", goods.product)).await.number_at("/version");
    let account = format!("/admin/users/{}", goods.seller_id);
    for (change, may_sell) in [
        (json!({"is_active": false}), false),
        (json!({"is_active": true}), true),
        (json!({"role": "customer"}), false),
        (json!({"is_active": false}), false),
        (json!({"is_active": true, "role": "seller"}), true),
        (json!({"role": "admin"}), true),
    ] {
        admin.patch(&account, &change).await.expect_status(200);
        goods.expect_for_sale(shop, may_sell).await;
        // Its staff sees it all the while, as it was.
        let found = admin.get(&format!("/products/{}", goods.product)).await.expect_status(200);
        assert_eq!((&found.body["is_active"], found.number_at("/version")), (&json!(true), version), "{change}");
        let listed = admin.get(&format!("/products?seller={}", goods.seller_id)).await.expect_status(200);
        assert_eq!(listed.number_at("/pagination/total"), 1, "{change}");
    }
}

/// One event hides them all: however many products there are, none is written and none has an event.
#[tokio::test]
async fn products_of_a_deactivated_seller_are_not_disclosed() {
    let shop = &shared_shop().await;
    let goods = Goods::of(shop).await;
    let body = json!({"name": "Stool", "price": {"amount": 900, "currency": "USD"}});
    for _ in 0..3 {
        goods.seller.post("/products", &body).await.expect_status(201);
    }
    let account = format!("/admin/users/{}", goods.seller_id);
    shop.admin().await.patch(&account, &json!({"is_active": false})).await.expect_status(200);
    goods.expect_for_sale(shop, false).await;
    let versions = format!("select max(version) from products where seller_id = '{}'", goods.seller_id);
    assert_eq!(shop.number("catalog", versions).await, 1);
}

#[tokio::test]
async fn what_a_seller_sees_of_the_stock_is_never_taken_for_what_the_public_sees() {
    let shop = &shared_shop().await;
    let goods = Goods::of(shop).await;
    let path = format!("/inventory/{}", goods.variant);
    let (own, public) = (goods.seller.get(&path).await, shop.anonymous().get(&path).await);
    assert_eq!(own.header("cache-control"), Some("no-store"), "{own:?}");
    let tag = own.header("etag").unwrap();
    assert_ne!(Some(tag), public.header("etag"));
    let other = shop.anonymous().request(Method::GET, &path, None, &[("If-None-Match", tag)]).await;
    assert_eq!(other.expect_status(200).body.get("on_hand"), None);
}
