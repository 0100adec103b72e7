//! A flash sale: all buyers want the same product.

use std::{collections::HashMap, time::Duration};

use crate::harness::{Answer, Person, paid_order, shared_shop, wait_until};

/// Buys one, and comes back with the same key where the shop has too much to do, or no answer in time.
async fn insist(buyer: &Person, variant: &str) -> Answer {
    let body = paid_order(variant);
    let key = uuid::Uuid::now_v7().to_string();
    loop {
        let answer = buyer.place(&body, &key).await;
        let pause = match answer.status {
            503 => answer.header("retry-after").unwrap().parse().unwrap(),
            504 => 1,
            _ => return answer,
        };
        tokio::time::sleep(Duration::from_secs(pause)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_buyers_of_fifty_units_make_fifty_orders() {
    let shop = &shared_shop().await;
    let variant = shop.product(50, 2500).await;
    // One account is enough: an order of explicit items needs no cart of its own.
    let buyer = shop.customer().await;
    let orders = (0..300).map(|_| {
        let (buyer, variant) = (buyer.clone(), variant.clone());
        async move { insist(&buyer, &variant).await }
    });
    let mut endings: HashMap<String, usize> = HashMap::new();
    let mut open = Vec::new();
    for answer in futures::future::join_all(orders).await {
        let ending = match answer.status {
            201 if answer.text_at("/status") == "pending" => {
                open.push(answer.text_at("/id"));
                continue;
            }
            201 => answer.text_at("/status"),
            _ => answer.expect_error(409, "out_of_stock").text_at("/code"),
        };
        *endings.entry(ending).or_default() += 1;
    }
    for id in open {
        wait_until("the order is decided", || async { buyer.order_status(&id).await != "pending" }).await;
        *endings.entry(buyer.order_status(&id).await).or_default() += 1;
    }
    let rejected = endings.get("failed").unwrap_or(&0) + endings.get("out_of_stock").unwrap_or(&0);
    assert_eq!((endings.get("confirmed"), rejected), (Some(&50), 250), "{endings:?}");
    wait_until("the shelf is empty", || async { shop.stock(&variant).await.number_at("/on_hand") == 0 }).await;
    let stock = shop.stock(&variant).await;
    assert_eq!((stock.number_at("/reserved"), stock.number_at("/available")), (0, 0));
}
