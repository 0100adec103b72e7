//! A shop whose gateways come and go on one listening socket, which this process holds as systemd would.

use std::{
    net::TcpListener,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use rustix::process::Signal;

use super::{
    Shop,
    process::{self, Processes},
    servers::send_signal,
};

/// Hands the socket over: a node looks for it behind its standard descriptors, and for its own process id beside it.
/// It comes in as standard output, which a node does not use; `exec` keeps the process id.
const HAND_OVER: &str = r#"exec 3>&1 1>/dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" "$@""#;

/// Such a shop, with one gateway at a time but for the changes. Dropped in this order: the gateway goes before what it
/// stands on.
pub struct Gateways {
    present: Gateway,
    socket: TcpListener,
    settings: Vec<(String, String)>,
    pub shop: Shop,
}

/// A gateway's process.
pub struct Gateway {
    child: Child,
    metrics: String,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        drop(self.child.wait());
    }
}

impl Gateway {
    fn start(home: &Path, settings: &[(String, String)], socket: &TcpListener) -> Self {
        let node = process::node(home, settings, &["--gateway"]);
        let mut command = Command::new("sh");
        command.arg("-c").arg(HAND_OVER).arg(node.get_program()).args(node.get_args());
        for (name, value) in node.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let handed: OwnedFd = socket.try_clone().unwrap().into();
        command.stdin(Stdio::piped()).stdout(handed).stderr(Stdio::piped());
        let (child, http, metrics) = process::start(command);
        assert_eq!(http, Some(url(socket)), "it listens on the socket it was handed");
        Self { child, metrics }
    }

    /// The metrics of its process.
    pub fn metrics(&self) -> &str {
        &self.metrics
    }

    /// Asks it to leave.
    pub fn terminate(&self) {
        send_signal(self.child.id(), Signal::TERM);
    }

    /// Waits until it has left, and gives how.
    pub async fn left(mut self) -> ExitStatus {
        tokio::task::spawn_blocking(move || self.child.wait().unwrap()).await.unwrap()
    }
}

fn url(socket: &TcpListener) -> String {
    format!("http://{}", socket.local_addr().unwrap())
}

impl Gateways {
    /// Starts one, with the given variables for every gateway.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let settings: Vec<_> = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let (sender, first) = std::sync::mpsc::channel();
        let (to, with) = (socket.try_clone().unwrap(), settings.clone());
        let shop = Shop::start_by(Vec::new(), move |home, _| {
            let servers = process::start_servers(home, &[]);
            let domains = subjects::DOMAINS.join(",");
            let (node, _, metrics) = process::start_node(home, &[], &["--domains", &domains]);
            let gateway = Gateway::start(home, &with, &to);
            let url = url(&to);
            process::wait_until_ready(&url);
            process::seed(home, &[]);
            let nats = stack::find_running(home).unwrap().nats_url();
            let all_metrics = vec![metrics.clone(), gateway.metrics.clone()];
            sender.send(gateway).unwrap();
            Processes { children: vec![servers, node], url, metrics, all_metrics, nats }
        })
        .await;
        Self { present: first.recv().unwrap(), socket, settings, shop }
    }

    /// Starts another gateway beside the present one, waits until it is ready, and gives the one that is to go.
    pub async fn succeed(&mut self) -> Gateway {
        let home: PathBuf = self.shop.stack().home;
        let (settings, socket) = (self.settings.clone(), self.socket.try_clone().unwrap());
        let fresh = tokio::task::spawn_blocking(move || Gateway::start(&home, &settings, &socket)).await.unwrap();
        std::mem::replace(&mut self.present, fresh)
    }
}
