//! Whatever dies: every accepted order reaches its right ending, nothing is sold twice.

use crate::harness::{Buying, Shop, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn killing_the_whole_shop_amid_orders_loses_none_and_doubles_none() {
    let mut shop = Shop::start(&[]).await;
    let buying = Buying::begin(&shop, 6, 40).await;
    for _ in 0..2 {
        buying.progress(30).await;
        shop.kill();
        shop.start_again().await;
    }
    buying.progress(30).await;
    buying.reconcile(&shop).await;
}

/// Scenario 6: the stream is gone, and its owner makes it again.
#[tokio::test(flavor = "multi_thread")]
async fn deleting_streams_amid_orders_changes_no_ending() {
    let shop = Shop::start(&[]).await;
    let buying = Buying::begin(&shop, 4, 60).await;
    let operator = async_nats::jetstream::new(shop.nats_as("operator").await);
    for stream in ["ORDERS", "INVENTORY", "ORDERS"] {
        buying.progress(15).await;
        wait_until("the stream is there", || async { operator.get_stream(stream).await.is_ok() }).await;
        operator.delete_stream(stream).await.unwrap();
    }
    buying.progress(15).await;
    buying.reconcile(&shop).await;
    for stream in ["ORDERS", "INVENTORY"] {
        wait_until("the stream is there again", || async { operator.get_stream(stream).await.is_ok() }).await;
    }
    // Filled again from the logs, too.
}
