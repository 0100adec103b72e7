//! Service discovery: the nodes of each domain, found by a NATS ping.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_nats::Client;
use futures::StreamExt;
use serde::Deserialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

/// The subject that every NATS service replies to (ADR-32).
const PING: &str = "$SRV.PING";
/// How long replies are collected.
const TIMEOUT: Duration = Duration::from_millis(200);
/// How long a result is cached.
const FRESH: Duration = Duration::from_secs(1);

/// The ids of the nodes of each domain.
pub(crate) type Nodes = BTreeMap<String, BTreeSet<String>>;

/// Discovers nodes, at most once a second regardless of the number of callers.
#[derive(Default)]
pub(crate) struct ServiceDiscovery {
    last: Mutex<Option<(Instant, Arc<Nodes>)>>,
}

#[derive(Deserialize)]
struct Pong {
    name: String,
    id: String,
}

impl ServiceDiscovery {
    /// The nodes that replied within the last second.
    pub(crate) async fn nodes(&self, connection: &Client) -> Arc<Nodes> {
        let mut last = self.last.lock().await;
        if let Some((at, discovered)) = &*last
            && at.elapsed() < FRESH
        {
            return discovered.clone();
        }
        let mut discovered = Nodes::new();
        // The result is what was collected within the timeout; sending can hang while the connection is down.
        drop(timeout(TIMEOUT, collect(connection, &mut discovered)).await);
        let discovered = Arc::new(discovered);
        *last = Some((Instant::now(), discovered.clone()));
        discovered
    }
}

async fn collect(connection: &Client, discovered: &mut Nodes) -> Option<()> {
    let inbox = connection.new_inbox();
    let mut pongs = connection.subscribe(inbox.clone()).await.ok()?;
    connection.publish_with_reply(PING, inbox, "".into()).await.ok()?;
    connection.flush().await.ok()?;
    while let Some(message) = pongs.next().await {
        if let Ok(Pong { name, id }) = serde_json::from_slice(&message.payload) {
            discovered.entry(name).or_default().insert(id);
        }
    }
    Some(())
}
