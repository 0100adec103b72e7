//! Orders that went where no order goes, and events that say so or are missing.

use uuid::Uuid;

use super::{Order, Plants};

/// The order is never expired: payments seems to be asked already.
pub(super) async fn stick(plants: &mut Plants<'_>, stuck: &Order) {
    let to = |time: &str| format!("update orders set expiry_requested_at = {time} where id = '{}'", stuck.id);
    let named = [("deadlines", format!("order {}", stuck.id), "payments was requested to close it")];
    plants.sql("orders", to("'2020-01-01'"), to("null"), named).await;
}

pub(super) async fn plant(plants: &mut Plants<'_>, spoilt: &[Order], delivered: &Order) {
    let [leaping, ahead, limping, bare, unpublished] = spoilt else { panic!("five orders") };
    in_histories(plants, leaping, ahead).await;

    // One step of an order, or all of them, become those of an order that was never placed.
    for (order, steps, missing, last) in [
        (limping, "version = 2", (", version 3", "the step before it is 1"), 2),
        (bare, "true", ("", "it has no history"), 3),
    ] {
        let (id, stranger) = (&order.id, Uuid::now_v7());
        let plant = format!("update order_history set order_id = '{stranger}' where order_id = '{id}' and {steps}");
        let undo = format!("update order_history set order_id = '{id}' where order_id = '{stranger}'");
        let named = [
            ("status_edges", format!("order {id}{}", missing.0), missing.1),
            ("status_edges", format!("order {stranger}, version {last}"), "there is no such order"),
        ];
        plants.sql("orders", plant, undo, named).await;
    }
    in_the_log(plants, unpublished, delivered).await;
}

async fn in_histories(plants: &mut Plants<'_>, leaping: &Order, ahead: &Order) {
    let to = |status: &str| {
        format!("update order_history set status = '{status}' where order_id = '{}' and version = 2", leaping.id)
    };
    let at = |version: i64, words| ("status_edges", format!("order {}, version {version}", leaping.id), words);
    let named = [at(2, "pending became shipped"), at(3, "shipped became confirmed")];
    plants.sql("orders", to("shipped"), to("pending"), named).await;

    let by = |sign: char| format!("update orders set version = version {sign} 1 where id = '{}'", ahead.id);
    let named = [
        ("status_edges", format!("order {}, version 3", ahead.id), "it is confirmed at version 4"),
        ("versions", format!("orders: order {}", ahead.id), "it is at version 4, and its last event is 3"),
    ];
    plants.sql("orders", by('+'), by('-'), named).await;

    let query = format!("select product_id from variants where id = '{}'", ahead.variant);
    let product = plants.id("catalog", query).await;
    let by = |sign: char| format!("update products set version = version {sign} 1 where id = '{product}'");
    let named = [("versions", format!("catalog: product {product}"), "it is at version 2, and its last event is 1")];
    plants.sql("catalog", by('+'), by('-'), named).await;
}

async fn in_the_log(plants: &mut Plants<'_>, unpublished: &Order, delivered: &Order) {
    // An event becomes another order's: a gap here, and there a first version that is not 1.
    let (order, stranger) = (&unpublished.id, Uuid::now_v7());
    let of = |from: &str, to: &str| {
        let event = |order: &str| format!(r#""entity":"{order}","version":2,"#);
        let (from, to) = (event(from), event(to));
        format!(
            "update event_log set events = replace(events::text, '{from}', '{to}')::json
             where events::text like '%{from}%'"
        )
    };
    let (plant, undo) = (of(order, &stranger.to_string()), of(&stranger.to_string(), order));
    let named = [
        ("versions", format!("orders: events of {order}"), "2 events with 2 versions from 1 to 3"),
        ("versions", format!("orders: events of {stranger}"), "1 events with 1 versions from 2 to 2"),
    ];
    plants.sql("orders", plant, undo, named).await;

    // A version that is emitted twice, below every cursor and older than the stream: no consumer will read it.
    let (order, id) = (&delivered.id, Uuid::now_v7());
    let plant = format!(
        r#"insert into event_log (epoch, xid, at, digest, events) values (1, 1, now() - interval '30 days', '{{}}',
           '[{{"id":"{id}","name":"delivered","entity":"{order}","version":1,"data":{{}}}}]')"#
    );
    let named = [
        ("versions", format!("orders: events of {order}"), "7 events with 6 versions from 1 to 6"),
        ("digests", "orders: commit 1.1".into(), "its digest is not"),
    ];
    plants.sql("orders", plant, "delete from event_log where epoch = 1", named).await;

    // One of the log, and one that the log does not know.
    for (xid, words) in [(1, "it waits to be published"), (2, "and is not in the log")] {
        let plant = format!("insert into outbox (epoch, xid, lease_until) values (1, {xid}, '2100-01-01')");
        let undo = format!("delete from outbox where epoch = 1 and xid = {xid}");
        plants.sql("orders", plant, undo, [("outbox", format!("orders: commit 1.{xid}"), words)]).await;
    }
}
