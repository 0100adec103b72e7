//! Units that come from nowhere, go nowhere, or are reserved for no order.

use uuid::Uuid;

use super::{Order, Plants};
use crate::harness::wait_until;

pub(super) async fn plant(plants: &mut Plants<'_>, spoilt: &[Order], stuck: &Order) {
    let [counted, more, given_back, returned] = spoilt else { panic!("four orders") };
    against_the_ledger(plants, &counted.variant).await;
    against_the_rules(plants).await;
    against_the_accounts(plants).await;

    let fulfilment = format!("order {}", more.id);
    let named = [
        ("reservations", format!("variant {}", more.variant), "reserved +0, sold -1"),
        ("fulfilment", fulfilment, "it is confirmed for"),
    ];
    plants.sql("inventory", more_units(more, '+'), more_units(more, '-'), named).await;

    // The side of what is held.
    let named = [
        ("reservations", format!("variant {}", stuck.variant), "reserved -1, sold +0"),
        ("fulfilment", format!("order {}", stuck.id), "it is pending for"),
    ];
    plants.sql("inventory", more_units(stuck, '+'), more_units(stuck, '-'), named).await;

    let to = |status: &str| format!("update reservation set status = '{status}' where order_id = '{}'", given_back.id);
    let named = [
        ("reservations", format!("variant {}", given_back.variant), "sold +2"),
        ("fulfilment", format!("order {}", given_back.id), "its reservation is released"),
    ];
    plants.sql("inventory", to("released"), to("committed"), named).await;

    // A unit that has returned by orders' word, and is sold by inventory's.
    let to = |units: i64| format!("update order_items set returned = {units} where order_id = '{}'", returned.id);
    let named = [("fulfilment", format!("order {}", returned.id), "it is confirmed for")];
    plants.sql("orders", to(1), to(0), named).await;

    let stranger = Uuid::now_v7();
    let plant = format!("insert into reservation (order_id, status, updated_at) values ('{stranger}', 'held', now())");
    let undo = format!("delete from reservation where order_id = '{stranger}'");
    let named = [("fulfilment", format!("order {stranger}"), "there is no such order")];
    plants.sql("inventory", plant, undo, named).await;

    let by =
        |sign: char| format!("update reservation set version = version {sign} 1 where order_id = '{}'", given_back.id);
    let named = [("versions", format!("inventory: reservation of order {}", given_back.id), "its last event is 2")];
    plants.sql("inventory", by('+'), by('-'), named).await;
}

fn more_units(order: &Order, sign: char) -> String {
    format!("update reservation_line set quantity = quantity {sign} 1 where order_id = '{}'", order.id)
}

async fn against_the_ledger(plants: &mut Plants<'_>, variant: &str) {
    let by = |sign: char| {
        format!(
            "update stock set received = received {sign} 1, on_hand = on_hand {sign} 1 where variant_id = '{variant}'"
        )
    };
    let key = format!("variant {variant}");
    let named = [("stock", key.clone(), "on hand +1, reserved +0, received +1"), ("projections", key, "catalog shows")];
    plants.sql("inventory", by('+'), by('-'), named).await;
}

/// Catalog hides what a seller sells who may sell.
async fn against_the_accounts(plants: &mut Plants<'_>) {
    let (_, seller) = plants.shop.new_seller().await;
    let known = format!("select count(*) from sellers where id = '{seller}'");
    wait_until("catalog knows the seller", || async { plants.shop.number("catalog", known.clone()).await == 1 }).await;
    let to = |may_sell: bool| format!("update sellers set may_sell = {may_sell} where id = '{seller}'");
    let named = [("projections", format!("account {seller}"), "catalog shows that it may not sell")];
    plants.sql("catalog", to(false), to(true), named).await;
}

/// What the table itself forbids: its rules are away meanwhile.
async fn against_the_rules(plants: &mut Plants<'_>) {
    let variant = plants.shop.product(5, 1000).await;
    let named = [("stock", format!("variant {variant}"), "reserved - sold is 1, 0 are oversold")];
    let plant = format!(
        "alter table stock drop constraint nothing_vanishes;
         update stock set received = received + 1 where variant_id = '{variant}'"
    );
    let undo = format!(
        "update stock set received = received - 1 where variant_id = '{variant}';
         alter table stock add constraint nothing_vanishes check (received = on_hand + sold)"
    );
    plants.sql("inventory", plant, undo, named).await;

    let variant = plants.shop.product(1, 1000).await;
    let key = format!("variant {variant}");
    let named = [
        ("stock", key.clone(), "reserved - sold is 0, 1 are oversold"),
        ("reservations", key.clone(), "reserved +2"),
        ("projections", key, "inventory has -1"),
    ];
    let plant = format!(
        "alter table stock drop constraint never_oversold;
         update stock set reserved = 2 where variant_id = '{variant}'"
    );
    let undo = format!(
        "update stock set reserved = 0 where variant_id = '{variant}';
         alter table stock add constraint never_oversold check (on_hand >= reserved)"
    );
    plants.sql("inventory", plant, undo, named).await;
}
