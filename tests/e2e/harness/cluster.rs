//! A shop whose domains run on two nodes, each with all of them, behind a gateway on a third: what a rolling restart
//! and the loss of a node need.

use std::{path::PathBuf, process::Child};

use rustix::process::Signal;

use super::{
    Person, Shop,
    process::{self, Processes},
    servers::send_signal,
    wait_until,
};

/// Such a shop. Dropped in this order: nodes first, then what they stand on.
pub struct Cluster {
    nodes: Vec<Node>,
    pub shop: Shop,
}

struct Node {
    child: Child,
    metrics: String,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.shop.check_at_end();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

fn start_domains(home: &std::path::Path) -> Node {
    let domains = subjects::DOMAINS.join(",");
    let (child, _, metrics) = process::start_node(home, &[], &["--domains", &domains]);
    Node { child, metrics }
}

impl Cluster {
    pub async fn start() -> Self {
        let (sender, nodes) = std::sync::mpsc::channel();
        let shop = Shop::start_by(Vec::new(), move |home, settings| {
            let servers = process::start_servers(home, settings);
            sender.send([start_domains(home), start_domains(home)]).unwrap();
            let (gateway, url, metrics) = process::start_node(home, settings, &["--gateway"]);
            let url = url.unwrap();
            process::wait_until_ready(&url);
            process::seed(home, settings);
            let nats = stack::find_running(home).unwrap().nats_url();
            let all_metrics = vec![metrics.clone()];
            Processes { children: vec![servers, gateway], url, metrics, all_metrics, nats }
        })
        .await;
        Self { nodes: nodes.recv().unwrap().into(), shop }
    }

    /// How many nodes there are.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// Sends a signal to a node of domains.
    pub fn signal(&self, node: usize, signal: Signal) {
        send_signal(self.nodes[node].child.id(), signal);
    }

    /// Waits until a node that could not be is ready again.
    pub async fn wait_until_ready(&self, node: usize) {
        let looker = Person::new(&self.nodes[node].metrics);
        wait_until("the node is ready again", || async { looker.try_get("//health/ready").await == Some(200) }).await;
    }

    /// Waits until a node has ended, then starts another one in its place and waits until that is ready.
    pub async fn replace(&mut self, node: usize) {
        let home: PathBuf = self.shop.stack().home;
        let gone = self.nodes.remove(node);
        let fresh = tokio::task::spawn_blocking(move || {
            let mut gone = gone;
            gone.child.wait().unwrap();
            start_domains(&home)
        });
        self.nodes.insert(node, fresh.await.unwrap());
    }
}
