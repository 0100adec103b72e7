//! The messages of nats-server, from its monitoring.

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::TIMEOUT;
use crate::arguments::Arguments;
use crate::http::{Client, Target};

/// Messages between nats-server and its clients; publishing to a stream, pulls and confirmations are among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Messages {
    /// From clients.
    pub received: u64,
    /// To clients.
    pub sent: u64,
}

impl Messages {
    /// A lower count means that the server was restarted: all that it counted is new.
    pub(super) fn since(self, before: Self) -> Self {
        let since = |before, now| if now < before { now } else { now - before };
        Self { received: since(before.received, self.received), sent: since(before.sent, self.sent) }
    }
}

/// The monitoring that the command line names, or that of the running local stack.
pub(super) fn monitor(arguments: &Arguments) -> anyhow::Result<Target> {
    if let Some(monitor) = &arguments.nats_monitor {
        return Ok(monitor.clone());
    }
    let port = stack::find_running(&arguments.home)?.nats_monitor_port;
    let port = port.context("the shop was started without SOUK_STACK_STATISTICS=true")?;
    format!("http://127.0.0.1:{port}").parse().map_err(anyhow::Error::msg)
}

pub(super) async fn read(monitor: &Target) -> anyhow::Result<Messages> {
    let answer = Client::new(monitor.resolve().await?, TIMEOUT).get("/varz").await;
    let answer = answer.with_context(|| format!("nats-server's monitoring at {monitor}"))?;
    anyhow::ensure!(answer.status.is_success(), "nats-server's monitoring at {monitor}: {}", answer.status);
    parse(&answer.body)
}

fn parse(varz: &[u8]) -> anyhow::Result<Messages> {
    #[derive(Deserialize)]
    struct Varz {
        in_msgs: u64,
        out_msgs: u64,
    }
    let varz: Varz = serde_json::from_slice(varz).context("nats-server's monitoring has another format")?;
    Ok(Messages { received: varz.in_msgs, sent: varz.out_msgs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_monitoring_counts_both_directions() {
        let varz = br#"{"server_id":"N","in_msgs":12,"out_msgs":34,"in_bytes":1}"#;
        assert_eq!(parse(varz).expect("parses"), Messages { received: 12, sent: 34 });
        assert!(parse(b"{}").is_err());
    }
}
