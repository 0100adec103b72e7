//! A node that does not start.

use std::time::Duration;

use contract::CallError;
use runtime::{Call, NodeBuilder, NodeConfig, StreamSpec};

use crate::{
    domains::{NewListener, Speak, Speaker},
    world::World,
};

/// Domains are started one after the other: where a later one fails, the earlier ones are stopped.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_does_not_start_leaves_no_domain_running() {
    let world = World::start().await;
    let client = world.client().await;
    let url = world.stack.database_url("speaker").unwrap();
    let started = NodeBuilder::new(NodeConfig::new(world.nats()))
        .domain(Speaker, url, StreamSpec::default())
        .domain(NewListener, "not a url".to_owned(), StreamSpec::default())
        .start_without_tokens()
        .await;
    let error = started.err().expect("a domain has no database").to_string();
    assert!(error.starts_with("listener: "), "{error}");
    let call = Call { deadline: Duration::from_secs(2), ..Call::default() };
    let answer = client.send(&Speak { text: "hello".to_owned() }, &call).await;
    assert!(
        matches!(&answer, Err(CallError::ServiceError(service_error)) if service_error.code == "unavailable"),
        "{answer:?}"
    );
    world.stack.stop().await.unwrap();
}
