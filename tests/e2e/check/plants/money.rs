//! Money that was charged, booked, reported or refunded incorrectly.

use uuid::Uuid;

use super::{Order, Plants};

pub(super) async fn plant(plants: &mut Plants<'_>, spoilt: &[Order]) {
    let [too_much, charged, returned, repeated, booked, creating, refunding, ahead, disputed] = spoilt else {
        panic!("nine orders")
    };
    let by =
        |sign: char| format!("update payments set captured = captured {sign} 1 where order_id = '{}'", too_much.id);
    let order = &too_much.id;
    let named = [
        ("balance", format!("order {order}, payment "), "and owes"),
        ("provider", format!("order {order}, object "), "payments has booked"),
    ];
    plants.sql("payments", by('+'), by('-'), named).await;

    let order = &charged.id;
    let plant = format!(
        "insert into sim_intent (id, amount, currency, client_secret, order_id, order_number, status)
         values ('pi_planted', 1, 'USD', '', '{order}', '', 'succeeded')"
    );
    let named = [
        ("captures", format!("order {order}, charges at the provider"), "there are 2"),
        ("provider", format!("order {order}, object pi_planted"), "the provider charged 1"),
    ];
    plants.sql("payments", plant, "delete from sim_intent where id = 'pi_planted'", named).await;

    let to = |amount: i64| format!("update sim_intent set refunded = {amount} where order_id = '{}'", returned.id);
    let named = [("provider", format!("order {}, object ", returned.id), "refunded 1")];
    plants.sql("payments", to(1), to(0), named).await;

    emitted_twice(plants, &repeated.id).await;
    booked_twice(plants, &booked.id).await;
    waits_for_nothing(plants, creating, refunding).await;

    let to = |disputes: &str| format!("update payments set disputes = '{disputes}' where order_id = '{}'", disputed.id);
    let lost = r#"{"dp_planted": {"amount": 1, "reason": null, "state": "lost"}}"#;
    let named = [("balance", format!("order {}, payment ", disputed.id), "0 lost, its disputes say 1")];
    plants.sql("payments", to(lost), to("{}"), named).await;

    let payment = payment(plants, ahead).await;
    let by = |sign: char| format!("update payments set version = version {sign} 1 where id = '{payment}'");
    let named = [("versions", format!("payments: payment {payment}"), "its last event is")];
    plants.sql("payments", by('+'), by('-'), named).await;
}

async fn payment(plants: &Plants<'_>, order: &Order) -> String {
    plants.id("payments", format!("select id from payments where order_id = '{}'", order.id)).await
}

/// Below every cursor and older than the stream: no consumer will read it.
async fn emitted_twice(plants: &mut Plants<'_>, order: &str) {
    let id = Uuid::now_v7();
    let hash = format!("('x' || right(replace('{id}', '-', ''), 16))::bit(64)::bigint");
    let plant = format!(
        r#"insert into event_log (epoch, xid, at, digest, events) values (1, 1, now() - interval '30 days',
           jsonb_build_object('succeeded', jsonb_build_object('count', 1, 'xor', {hash})),
           '[{{"id":"{id}","name":"succeeded","entity":"{id}","version":1,"data":{{"order_id":"{order}"}}}}]')"#
    );
    let named = [("captures", format!("order {order}, events of its success"), "there are 2")];
    plants.sql("payments", plant, "delete from event_log where epoch = 1", named).await;
}

/// The table forbids a second payment of an order: its rule is away meanwhile.
async fn booked_twice(plants: &mut Plants<'_>, order: &str) {
    let id = Uuid::now_v7();
    let plant = format!(
        "alter table payments drop constraint payments_order_id_key;
         insert into payments (id, order_id, order_number, amount, currency, payment_provider, status, captured,
                               created_at, updated_at)
         select '{id}', order_id, order_number, amount, currency, 'planted', status, captured, created_at, updated_at
         from payments where order_id = '{order}'"
    );
    let undo = format!(
        "delete from payments where id = '{id}';
         alter table payments add constraint payments_order_id_key unique (order_id)"
    );
    let named = [
        ("captures", format!("order {order}, payments with money"), "there are 2"),
        // Either of the two: one is the order's.
        ("balance", format!("order {order}, payment "), "that does not exist"),
    ];
    plants.sql("payments", plant, undo, named).await;
}

async fn waits_for_nothing(plants: &mut Plants<'_>, creating: &Order, refunding: &Order) {
    let id = payment(plants, creating).await;
    let to = |creating: bool, at: &str| {
        format!("update payments set creating = {creating}, updated_at = {at} where id = '{id}'")
    };
    let key = format!("payment {id}, order {}", creating.id);
    let named = [("deadlines", key, "waits for its object to be created, and has no effect")];
    plants.sql("payments", to(true, "'2020-01-01'"), to(false, "now()"), named).await;

    let id = payment(plants, refunding).await;
    let to = |amount: i64, at: &str| {
        format!("update payments set refunding = {amount}, updated_at = {at} where id = '{id}'")
    };
    let order = &refunding.id;
    let named = [
        ("deadlines", format!("payment {id}, order {order}"), "waits for a refund, and has no effect"),
        ("balance", format!("order {order}, payment {id}"), "0 refunded and 1 on the way, its refunds say 0 and 0"),
    ];
    plants.sql("payments", to(1, "'2020-01-01'"), to(0, "now()"), named).await;
}
