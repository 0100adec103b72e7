//! Which nodes answer for which domain, asked of the nodes themselves.

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

/// What every service of NATS answers (ADR-32).
const PING: &str = "$SRV.PING";
/// How long answers are collected.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long a census stands.
const FRESH: Duration = Duration::from_secs(1);

/// The ids of the nodes of each domain.
pub(crate) type Census = BTreeMap<String, BTreeSet<String>>;

/// Counts nodes, at most once a second, however many ask.
#[derive(Default)]
pub(crate) struct Probe {
    last: Mutex<Option<(Instant, Arc<Census>)>>,
}

#[derive(Deserialize)]
struct Pong {
    name: String,
    id: String,
}

impl Probe {
    /// The nodes that answered within the last second.
    pub(crate) async fn census(&self, connection: &Client) -> Arc<Census> {
        let mut last = self.last.lock().await;
        if let Some((at, census)) = &*last
            && at.elapsed() < FRESH
        {
            return census.clone();
        }
        let mut census = Census::new();
        // Whatever was collected when the time is over is the answer; sending can hang while the connection is down.
        drop(timeout(PATIENCE, collect(connection, &mut census)).await);
        let census = Arc::new(census);
        *last = Some((Instant::now(), census.clone()));
        census
    }
}

async fn collect(connection: &Client, census: &mut Census) -> Option<()> {
    let inbox = connection.new_inbox();
    let mut pongs = connection.subscribe(inbox.clone()).await.ok()?;
    connection.publish_with_reply(PING, inbox, "".into()).await.ok()?;
    connection.flush().await.ok()?;
    while let Some(message) = pongs.next().await {
        if let Ok(Pong { name, id }) = serde_json::from_slice(&message.payload) {
            census.entry(name).or_default().insert(id);
        }
    }
    Some(())
}
