//! The domain of docs/adding-a-domain.md, run for real: its own database, its own NATS user, its own stream.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod domain;

use std::time::Duration;

use contract::CallError;
use domain::{Add, Bookmarks, BookmarksError, CountSite, SiteCount};
use runtime::{Call, Client, Domain, NatsConfig, Node, NodeBuilder, NodeConfig, StreamSpec};
use stack::{Stack, StackConfig};
use uuid::Uuid;

struct World {
    stack: Stack,
    node: Node,
    client: Client,
    home: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let home = tempfile::tempdir().unwrap();
        let config = StackConfig::on_free_ports(home.path(), &[Bookmarks::NAME]);
        let stack = Stack::start(config, |_| {}).await.unwrap();
        let url = stack.database_url(Bookmarks::NAME).unwrap();
        runtime::migrate(&url, Bookmarks::migrations()).await.unwrap();
        let nats = NatsConfig::new(stack.nats_url(), stack.nats_keys());
        let node = NodeBuilder::new(NodeConfig::new(nats.clone()))
            .domain(Bookmarks, url, StreamSpec::default())
            .start_without_tokens()
            .await
            .unwrap();
        let connection = runtime::connect(&nats, "gateway", "test").await.unwrap();
        let client = Client::new(connection).await.unwrap();
        Self { stack, node, client, home }
    }

    async fn stop(self) {
        self.node.drain().await;
        self.stack.stop().await.unwrap();
        drop(self.home);
    }

    async fn wait_for_count(&self, site: &str, expected: i64) {
        let query = CountSite { name: site.to_owned() };
        let reached = async {
            loop {
                let answer = self.client.ask(&query, &Call::default()).await.unwrap();
                assert!(answer.bookmarks <= expected, "an event had its effect twice: {answer:?}");
                if answer == (SiteCount { bookmarks: expected }) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), reached).await.expect("the count was never reached");
    }
}

fn call(id: Uuid) -> Call {
    Call { command_id: Some(id), ..Call::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_domain_of_the_documentation_works() {
    let world = World::start().await;
    let client = &world.client;
    let add = |url: &str| Add { url: url.to_owned() };

    let id = Uuid::now_v7();
    let first = client.send(&add("https://nats.io/docs"), &call(id)).await.unwrap();
    let again = client.send(&add("https://nats.io/docs"), &call(id)).await.unwrap();
    assert_eq!(first.reply, again.reply, "the same id has one answer");
    assert!(!first.replayed && again.replayed);

    let other_body = client.send(&add("https://nats.io/blog"), &call(id)).await;
    assert!(matches!(other_body, Err(CallError::ServiceError(error)) if error.code == "command_id_reused"));
    let rejected = client.send(&add("ftp://nats.io"), &Call::default()).await;
    assert!(matches!(rejected, Err(CallError::Rejected(BookmarksError::NotAUrl))));

    // Rejected after a write, in a batch with others: only its rejection stays.
    let crowd = (0..200).map(|n| {
        let url = if n % 10 == 0 { "https://nats.io/docs".to_owned() } else { format!("https://nats.io/{n}") };
        let client = client.clone();
        async move { client.send(&Add { url }, &Call::default()).await }
    });
    let answers = futures::future::join_all(crowd).await;
    let domain_errors =
        answers.iter().filter(|a| matches!(a, Err(CallError::Rejected(BookmarksError::Exists)))).count();
    assert_eq!((answers.iter().filter(|a| a.is_ok()).count(), domain_errors), (180, 20));
    world.wait_for_count("nats.io", 181).await;
    world.stop().await;
}
