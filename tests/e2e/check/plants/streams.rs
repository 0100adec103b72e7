//! Events that a stream has lost or never had, and a type that no consumer catches up with.

use async_nats::{
    HeaderMap,
    jetstream::{
        self,
        consumer::{AckPolicy, pull},
        stream::Stream,
    },
};
use futures::StreamExt;
use uuid::Uuid;

use super::{Order, Plants};
use crate::harness::Shop;

/// Puts an event into the log that the stream never had (what it loses is republished), and into the stream one that
/// no log contains, and one that is no event. The future undoes it. No domain reacts to a delivery.
pub async fn plant_in_streams(plants: &mut Plants<'_>, delivered: &Order) -> impl Future<Output = ()> + use<> {
    let operator = jetstream::new(plants.shop.nats_as("operator").await);
    let owner = jetstream::new(plants.shop.nats_as("orders").await);
    let stream = operator.get_stream("ORDERS").await.unwrap();
    let (id, entity) = (Uuid::now_v7(), Uuid::now_v7());
    let hash = id.as_u64_pair().1.cast_signed();
    let plant = format!(
        r#"insert into event_log (epoch, xid, at, digest, events) values (2, 1, now() - interval '1 minute',
           '{{"planted": {{"count": 1, "xor": {hash}}}}}',
           '[{{"id": "{id}", "name": "planted", "entity": "{entity}", "version": 1, "data": {{}}}}]')"#
    );
    let named = [("streams", format!("orders: event {id}"), "is in the log and not in the stream")];
    plants.sql("orders", plant, "delete from event_log where epoch = 2", named).await;

    let message = delivery(&stream, delivered).await;
    let headers = message.headers.clone().unwrap();
    // Under the same id the server would take it for a repeat.
    let unknown = Uuid::now_v7().to_string();
    let subject = message.subject.clone();
    let first = owner.publish_with_headers(subject.clone(), renamed(&headers, &unknown), "{}".into()).await.unwrap();
    let second = owner.publish(subject, "hello".into()).await.unwrap();
    let (first, second) = (first.await.unwrap().sequence, second.await.unwrap().sequence);
    plants.expected.push(("streams", format!("orders: event {unknown}"), "is not in the log"));
    plants.expected.push(("streams", format!("orders: message {second}"), "has no headers of an event"));

    let filtered = filter_too(plants.shop, "evt.orders.delivered.*").await;
    plants.expected.push(("inboxes", "carts on orders: cursor of delivered".into(), "there is none"));

    async move {
        for sequence in [first, second] {
            stream.delete_message(sequence).await.unwrap();
        }
        filtered.await;
    }
}

/// The message of a delivery.
async fn delivery(stream: &Stream, order: &Order) -> jetstream::Message {
    let filter_subject = "evt.orders.delivered.*".into();
    let config = pull::OrderedConfig { filter_subject, ..Default::default() };
    let mut messages = stream.create_consumer(config).await.unwrap().messages().await.unwrap();
    loop {
        let message = messages.next().await.unwrap().unwrap();
        if message.headers.as_ref().unwrap().get("ce-subject").unwrap().as_str() == order.id {
            break message;
        }
    }
}

fn renamed(headers: &HeaderMap, id: &str) -> HeaderMap {
    let mut headers = headers.clone();
    headers.insert("ce-id", id);
    headers
}

/// As if carts had begun to handle another type, and did not catch up with it. The future undoes it.
async fn filter_too(shop: &Shop, filter: &str) -> impl Future<Output = ()> + use<> {
    let consumer = jetstream::new(shop.nats_as("carts").await);
    let stream = consumer.get_stream("ORDERS").await.unwrap();
    let durable = stream.get_consumer::<pull::Config>("carts-on-orders").await.unwrap();
    let known = durable.cached_info().config.clone();
    let one = Some(known.filter_subject).filter(|filter| !filter.is_empty());
    let filters: Vec<String> = known.filter_subjects.into_iter().chain(one).collect();
    let before = pull::Config {
        durable_name: known.durable_name,
        description: known.description,
        filter_subjects: filters,
        ack_policy: AckPolicy::None,
        deliver_policy: known.deliver_policy,
        ..Default::default()
    };
    let mut after = before.clone();
    after.filter_subjects.push(filter.to_owned());
    stream.create_consumer(after).await.unwrap();
    async move {
        stream.create_consumer(before).await.unwrap();
    }
}
