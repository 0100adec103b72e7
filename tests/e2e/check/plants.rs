//! Corruption of each kind, with what must be named for it, and the way back.

use std::collections::BTreeSet;

use async_nats::jetstream;
use futures::StreamExt;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::harness::Shop;

/// An order, and the variant of its only line.
pub struct Order {
    pub id: String,
    pub variant: String,
}

/// What was planted.
pub struct Plants<'a> {
    shop: &'a Shop,
    /// Check and key of every fault that must be named; a key that ends in a space is a beginning.
    expected: Vec<(&'static str, String)>,
    undo: Vec<(&'static str, String)>,
}

impl<'a> Plants<'a> {
    pub fn new(shop: &'a Shop) -> Self {
        Self { shop, expected: Vec::new(), undo: Vec::new() }
    }

    /// Plants by SQL, as nobody but the superuser could.
    async fn sql(&mut self, database: &'static str, plant: String, undo: String, named: &[(&'static str, String)]) {
        let changed = self.run(database, &plant).await;
        assert_eq!(changed, 1, "{plant}");
        self.undo.push((database, undo));
        self.expected.extend(named.iter().cloned());
    }

    async fn run(&self, database: &str, statement: &str) -> u64 {
        let mut connection = PgConnection::connect(&self.shop.stack().superuser_url(database)).await.unwrap();
        let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}")).rows_affected()
    }

    /// Everything planted is named, and nothing else.
    pub fn expect_named(&self, found: &BTreeSet<(String, String)>, report: &Value) {
        let is = |(check, key): &(&str, String), fault: &(String, String)| {
            *check == fault.0 && if key.ends_with(' ') { fault.1.starts_with(key.as_str()) } else { *key == fault.1 }
        };
        for expected in &self.expected {
            assert!(found.iter().any(|fault| is(expected, fault)), "not named: {expected:?}\n{report:#}");
        }
        for fault in found {
            assert!(self.expected.iter().any(|expected| is(expected, fault)), "named: {fault:?}\n{report:#}");
        }
    }

    /// Takes everything back.
    pub async fn undo(&mut self) {
        for (database, statement) in std::mem::take(&mut self.undo).into_iter().rev() {
            assert_eq!(self.run(database, &statement).await, 1, "{statement}");
        }
    }
}

/// Plants in the databases. Every confirmed order is spoilt in one way.
pub async fn sql_plants(plants: &mut Plants<'_>, orders: &[Order], delivered: &Order, stuck: &str) {
    in_inventory(plants, &orders[0], &orders[1], &orders[2]).await;
    in_payments(plants, &orders[3], &orders[4], &orders[5]).await;
    in_orders(plants, &orders[6], &orders[7], delivered, stuck).await;
    in_runtime_tables(plants).await;
}

async fn in_inventory(plants: &mut Plants<'_>, found: &Order, more: &Order, given_back: &Order) {
    let by = |variant: &str, sign: char| {
        format!(
            "update stock set received = received {sign} 1, on_hand = on_hand {sign} 1 where variant_id = '{variant}'"
        )
    };
    let variant = format!("variant {}", found.variant);
    let named = [("stock", variant.clone()), ("projections", variant)];
    plants.sql("inventory", by(&found.variant, '+'), by(&found.variant, '-'), &named).await;

    let by = |order: &str, sign: char| {
        format!("update reservation_line set quantity = quantity {sign} 1 where order_id = '{order}'")
    };
    let named = [("reservations", format!("variant {}", more.variant)), ("fulfilment", format!("order {}", more.id))];
    plants.sql("inventory", by(&more.id, '+'), by(&more.id, '-'), &named).await;

    let to = |status: &str| format!("update reservation set status = '{status}' where order_id = '{}'", given_back.id);
    let (variant, order) = (format!("variant {}", given_back.variant), format!("order {}", given_back.id));
    let named = [("reservations", variant), ("fulfilment", order)];
    plants.sql("inventory", to("released"), to("committed"), &named).await;
}

async fn in_payments(plants: &mut Plants<'_>, too_much: &Order, twice: &Order, returned: &Order) {
    let by =
        |sign: char| format!("update payments set captured = captured {sign} 1 where order_id = '{}'", too_much.id);
    let order = &too_much.id;
    let named = [("balance", format!("order {order}, payment ")), ("provider", format!("order {order}, object "))];
    plants.sql("payments", by('+'), by('-'), &named).await;

    let order = &twice.id;
    let plant = format!(
        "insert into sim_intent (id, amount, currency, client_secret, order_id, order_number, status)
         values ('pi_planted', 1, 'USD', '', '{order}', '', 'succeeded')"
    );
    let named = [
        ("captures", format!("order {order}, charges at the provider")),
        ("provider", format!("order {order}, object pi_planted")),
    ];
    plants.sql("payments", plant, "delete from sim_intent where id = 'pi_planted'".into(), &named).await;

    let to = |amount: i64| format!("update sim_intent set refunded = {amount} where order_id = '{}'", returned.id);
    plants.sql("payments", to(1), to(0), &[("provider", format!("order {}, object ", returned.id))]).await;
}

async fn in_orders(plants: &mut Plants<'_>, leaping: &Order, ahead: &Order, delivered: &Order, stuck: &str) {
    let to = |status: &str| {
        format!("update order_history set status = '{status}' where order_id = '{}' and version = 2", leaping.id)
    };
    let at = |version: i64| ("status_edges", format!("order {}, version {version}", leaping.id));
    plants.sql("orders", to("shipped"), to("pending"), &[at(2), at(3)]).await;

    let by = |sign: char| format!("update orders set version = version {sign} 1 where id = '{}'", ahead.id);
    let (history, version) = (format!("order {}, version 3", ahead.id), format!("orders: order {}", ahead.id));
    plants.sql("orders", by('+'), by('-'), &[("status_edges", history), ("versions", version)]).await;

    // Below every cursor and older than the stream: nobody will look at it.
    let (order, id) = (&delivered.id, Uuid::now_v7());
    let plant = format!(
        r#"insert into event_log (era, xid, at, digest, events) values (1, 1, now() - interval '30 days', '{{}}',
           '[{{"id":"{id}","name":"delivered","entity":"{order}","version":1,"data":{{}}}}]')"#
    );
    let named = [("versions", format!("orders: events of {order}")), ("digests", "orders: commit 1.1".into())];
    plants.sql("orders", plant, "delete from event_log where era = 1".into(), &named).await;
    let plant = "insert into outbox (era, xid, lease_until) values (1, 1, '2100-01-01')";
    let named = [("outbox", "orders: commit 1.1".into())];
    plants.sql("orders", plant.into(), "delete from outbox where era = 1".into(), &named).await;

    let to = |time: &str| format!("update orders set expiry_requested_at = {time} where id = '{stuck}'");
    plants.sql("orders", to("'2020-01-01'"), to("null"), &[("deadlines", format!("order {stuck}"))]).await;
}

/// What every domain has, planted in one that has little to do.
async fn in_runtime_tables(plants: &mut Plants<'_>) {
    // As if catalog handled what it does not.
    let plant = "insert into cursor (source, name, era, xid) values ('inventory', 'committed', 0, 0)";
    let undo = "delete from cursor where name = 'committed'";
    let named = [("inboxes", "catalog on inventory: event ".into())];
    plants.sql("catalog", plant.into(), undo.into(), &named).await;

    let plant = "insert into cursor (source, name, era, xid)
                 select 'orders', 'planted', max(era), 1000000000000 from cursor";
    let named = [("inboxes", "carts on orders: cursor of planted".into())];
    plants.sql("carts", plant.into(), "delete from cursor where name = 'planted'".into(), &named).await;

    let id = Uuid::now_v7();
    let plant = format!(
        "insert into inbox (source, event_id, name, era, xid, mark) values ('orders', '{id}', 'unheard', 1, 7, 0)"
    );
    let named = [("inboxes", format!("carts on orders: event {id}"))];
    plants.sql("carts", plant, format!("delete from inbox where event_id = '{id}'"), &named).await;

    let plant = format!(
        "insert into dead_letter (source, event_id, name, head, payload, reason, attempts)
         values ('orders', '{id}', 'confirmed', '{{}}', '', 'planted', 5)"
    );
    let named = [("dead_letters", format!("carts: event {id}"))];
    plants.sql("carts", plant, format!("delete from dead_letter where event_id = '{id}'"), &named).await;

    for (check, parked) in [("dead_letters", "now()"), ("deadlines", "null")] {
        let id = Uuid::now_v7();
        let plant = format!(
            "insert into effect (id, name, entity, cause, body, lease_until, next_at, parked_at)
             values ('{id}', 'planted', '{id}', '{{}}', '', '2020-01-01', '2020-01-01', {parked})"
        );
        let named = [(check, format!("carts: effect {id}"))];
        plants.sql("carts", plant, format!("delete from effect where id = '{id}'"), &named).await;
    }
}

/// Takes an event out of the stream, and puts one in that no log knows, and one that is no event. The future undoes it.
/// Nobody reacts to a delivery, so nobody is led astray.
pub async fn plant_in_streams(plants: &mut Plants<'_>, delivered: &Order) -> impl Future<Output = ()> + use<> {
    let operator = jetstream::new(plants.shop.nats_as("operator").await);
    // Only the owner states facts, and only the operator takes one back.
    let owner = jetstream::new(plants.shop.nats_as("orders").await);
    let stream = operator.get_stream("ORDERS").await.unwrap();
    let config = jetstream::consumer::pull::OrderedConfig {
        filter_subject: "evt.orders.delivered.*".into(),
        ..Default::default()
    };
    let mut messages = stream.create_consumer(config).await.unwrap().messages().await.unwrap();
    let lost = loop {
        let message = messages.next().await.unwrap().unwrap();
        if message.headers.as_ref().unwrap().get("ce-subject").unwrap().as_str() == delivered.id {
            break message;
        }
    };
    let (sequence, mut headers) = (lost.info().unwrap().stream_sequence, lost.headers.clone().unwrap());
    let id = headers.get("ce-id").unwrap().to_string();
    stream.delete_message(sequence).await.unwrap();
    plants.expected.push(("streams", format!("orders: event {id}")));

    // Under the same id the server would take it for a repeat.
    let (mut unknown, unknown_id) = (headers.clone(), Uuid::now_v7().to_string());
    unknown.insert("Nats-Msg-Id", unknown_id.as_str());
    unknown.insert("ce-id", unknown_id.as_str());
    let subject = lost.subject.clone();
    let first = owner.publish_with_headers(subject.clone(), unknown, "{}".into()).await.unwrap().await.unwrap();
    plants.expected.push(("streams", format!("orders: event {unknown_id}")));
    let second = owner.publish(subject.clone(), "hello".into()).await.unwrap().await.unwrap();
    plants.expected.push(("streams", format!("orders: message {}", second.sequence)));

    let payload = lost.payload.clone();
    async move {
        for sequence in [first.sequence, second.sequence] {
            stream.delete_message(sequence).await.unwrap();
        }
        headers.insert("Nats-Msg-Id", Uuid::now_v7().to_string());
        owner.publish_with_headers(subject, headers, payload).await.unwrap().await.unwrap();
    }
}
