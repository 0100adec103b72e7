//! Lines of a cart that cannot be bought any more, or at another price than the buyer has accepted.

use serde_json::{Value, json};

use crate::harness::{Answer, Person, Shared, address, shared_shop, wait_until};

struct Shelf {
    shop: Shared,
    seller: Person,
    buyer: Person,
}

impl Shelf {
    async fn new() -> Self {
        let shop = shared_shop().await;
        let (seller, buyer) = (shop.seller().await, shop.customer().await);
        Self { shop, seller, buyer }
    }

    /// A product in the buyer's cart; gives its variant.
    async fn in_cart(&self, price: i64, quantity: i64) -> String {
        let variant = self.shop.product(10, price).await;
        self.put_in(&variant, quantity).await;
        variant
    }

    async fn put_in(&self, variant: &str, quantity: i64) -> Answer {
        let line = json!({"variant_id": variant, "quantity": quantity});
        self.buyer.post("/cart/items", &line).await.expect_status(200)
    }

    /// Changes the product of the cart's line.
    async fn change(&self, line: usize, changes: Value) {
        let product = self.cart().await.text_at(&format!("/items/{line}/product_id"));
        self.seller.patch(&format!("/products/{product}"), &changes).await.expect_status(200);
    }

    async fn set_price(&self, line: usize, amount: i64) {
        self.change(line, json!({"price": {"amount": amount, "currency": "USD"}})).await;
    }

    async fn set_stock(&self, variant: &str, on_hand: i64) {
        let count = json!({ "on_hand": on_hand });
        self.seller.put(&format!("/inventory/{variant}"), &count).await.expect_status(200);
    }

    async fn cart(&self) -> Answer {
        self.buyer.get("/cart").await.expect_status(200)
    }
}

fn problems(cart: &Answer) -> Vec<Option<&str>> {
    cart.body["items"].as_array().unwrap().iter().map(|item| item["problem"].as_str()).collect()
}

fn total(cart: &Answer) -> i64 {
    cart.number_at("/totals/total/amount")
}

#[tokio::test]
async fn a_line_that_cannot_be_bought_says_why_and_does_not_count() {
    let shelf = Shelf::new().await;
    let scarce = shelf.in_cart(700, 3).await;
    shelf.in_cart(500, 1).await;
    shelf.in_cart(200, 2).await;
    let cart = shelf.cart().await;
    assert_eq!((problems(&cart), total(&cart)), (vec![None, None, None], 3 * 700 + 500 + 2 * 200));

    shelf.set_stock(&scarce, 2).await;
    let cart = shelf.cart().await;
    assert_eq!((problems(&cart), total(&cart)), (vec![Some("out_of_stock"), None, None], 500 + 2 * 200));
    assert_eq!((cart.number_at("/items/0/available"), cart.number_at("/items/0/line_total/amount")), (2, 3 * 700));

    shelf.change(1, json!({"is_active": false})).await;
    let cart = shelf.cart().await;
    let expected = vec![Some("out_of_stock"), Some("not_for_sale"), None];
    assert_eq!((problems(&cart), total(&cart)), (expected, 2 * 200));
    let order = json!({"shipping_address": address()});
    shelf.buyer.post_once("/orders", &order).await.expect_error(404, "not_for_sale");

    shelf.buyer.delete(&format!("/cart/items/{}", cart.text_at("/items/1/id"))).await.expect_status(200);
    let line = format!("/cart/items/{}", cart.text_at("/items/0/id"));
    let cart = shelf.buyer.patch(&line, &json!({"quantity": 2})).await.expect_status(200);
    assert_eq!((problems(&cart), total(&cart)), (vec![None, None], 2 * 700 + 2 * 200));
    shelf.buyer.post_once("/orders", &order).await.expect_status(201);
}

#[tokio::test]
async fn a_changed_price_counts_and_is_marked_until_the_buyer_changes_the_cart() {
    let shelf = Shelf::new().await;
    let mug = shelf.in_cart(700, 2).await;
    let jug = shelf.in_cart(500, 1).await;
    for (write, price) in ["add", "change", "remove"].into_iter().zip([800, 900, 1000]) {
        shelf.set_price(0, price).await;
        for _ in 0..2 {
            let cart = shelf.cart().await;
            assert_eq!(problems(&cart), [Some("price_changed"), None], "a look accepts nothing");
            assert_eq!(cart.number_at("/items/0/unit_price/amount"), price);
            assert_eq!(total(&cart), 2 * price + cart.number_at("/items/1/line_total/amount"));
        }
        let other = shelf.cart().await.text_at("/items/1/id");
        let cart = match write {
            "add" => shelf.put_in(&jug, 1).await,
            "change" => {
                let line = format!("/cart/items/{other}");
                shelf.buyer.patch(&line, &json!({"quantity": 1})).await.expect_status(200)
            }
            _ => shelf.buyer.delete(&format!("/cart/items/{other}")).await.expect_status(200),
        };
        assert!(problems(&cart).iter().all(Option::is_none), "{write}: {}", cart.body);
        let cart = shelf.cart().await;
        assert!(problems(&cart).iter().all(Option::is_none), "{write}: {}", cart.body);
        assert_eq!(cart.number_at("/items/0/unit_price/amount"), price);
    }
    assert_eq!(total(&shelf.cart().await), 2 * 1000);

    // Without stock it cannot be bought at any price.
    shelf.set_price(0, 1100).await;
    shelf.set_stock(&mug, 0).await;
    let cart = shelf.cart().await;
    assert_eq!((problems(&cart), total(&cart)), (vec![Some("out_of_stock")], 0));
    shelf.set_stock(&mug, 10).await;
    wait_until("the price is marked again", || async { problems(&shelf.cart().await) == [Some("price_changed")] })
        .await;
}
