//! A shop whose identity runs on a node of its own, which can be away while everything else goes on.

use std::process::Child;

use super::{
    Shop,
    process::{self, Processes},
    wait_until,
};

/// Such a shop. Dropped in this order: the node goes before what it stands on.
pub struct Apart {
    identity: Node,
    pub shop: Shop,
}

struct Node(Option<Child>);

impl Drop for Apart {
    fn drop(&mut self) {
        self.shop.check_at_end();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            drop(child.stdin.take());
            drop(child.wait());
        }
    }
}

fn start_identity(home: &std::path::Path) -> Node {
    Node(Some(process::start_node(home, &[], &["--domains", "identity"]).0))
}

impl Apart {
    pub async fn start() -> Self {
        let (sender, node) = std::sync::mpsc::channel();
        let shop = Shop::start_by(Vec::new(), move |home, settings| {
            let servers = process::start_servers(home, settings);
            sender.send(start_identity(home)).unwrap();
            let others = subjects::DOMAINS.into_iter().filter(|domain| *domain != "identity");
            let others = others.collect::<Vec<_>>().join(",");
            let (rest, url, metrics) =
                process::start_node(home, settings, &["--domains", &others, "--gateway", "--check"]);
            let url = url.unwrap();
            process::wait_until_ready(&url);
            process::seed(home, settings);
            let nats = stack::find_running(home).unwrap().nats_url();
            let all_metrics = vec![metrics.clone()];
            Processes { children: vec![servers, rest], url, metrics, all_metrics, nats }
        })
        .await;
        Self { identity: node.recv().unwrap(), shop }
    }

    /// Ends identity's node as `kill -9` would.
    pub async fn stop_identity(&mut self) {
        let mut child = self.identity.0.take().expect("identity runs");
        child.kill().unwrap();
        tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
    }

    /// Starts it again, and waits until the gateway sees it.
    pub async fn start_identity(&mut self) {
        let home = self.shop.stack().home;
        self.identity = tokio::task::spawn_blocking(move || start_identity(&home)).await.unwrap();
        let anyone = self.shop.anonymous();
        wait_until("identity is back", || async { anyone.get("//health/ready").await.status == 200 }).await;
    }
}
