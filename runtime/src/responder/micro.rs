//! NATS micro services (ADR-32): `nats micro ls`, `info`, `stats` and `ping` show all domains, services and endpoints.

use std::{collections::BTreeMap, time::Duration};

use async_nats::Message;
use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use serde::Serialize;
use serde_json::{Value, json};

use super::incoming::is_inbox;

/// The description of one endpoint.
#[derive(Serialize)]
pub(crate) struct EndpointInfo {
    pub name: String,
    pub subject: String,
    pub queue_group: String,
    pub metadata: BTreeMap<&'static str, String>,
}

#[derive(Default, Clone)]
struct Stats {
    requests: u64,
    errors: u64,
    last_error: String,
    nanoseconds: u64,
}

/// Service discovery for one domain or service on one node.
pub(crate) struct Micro {
    /// `domain` or `service`.
    kind: &'static str,
    name: &'static str,
    id: String,
    version: &'static str,
    started: DateTime<Utc>,
    endpoints: Vec<EndpointInfo>,
    stats: Mutex<BTreeMap<String, Stats>>,
}

impl Micro {
    pub(crate) fn new(kind: &'static str, name: &'static str, endpoints: Vec<EndpointInfo>) -> Self {
        let version = env!("CARGO_PKG_VERSION");
        let id = uuid::Uuid::now_v7().simple().to_string();
        let stats = endpoints.iter().map(|endpoint| (endpoint.subject.clone(), Stats::default())).collect();
        Self { kind, name, id, version, started: Utc::now(), endpoints, stats: Mutex::new(stats) }
    }

    /// Counts a request of a listed endpoint.
    pub(crate) fn count(&self, subject: &str, took: Duration, error: Option<&str>) {
        if let Some(entry) = self.stats.lock().get_mut(subject) {
            entry.requests += 1;
            entry.nanoseconds += u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            if let Some(error) = error {
                entry.errors += 1;
                error.clone_into(&mut entry.last_error);
            }
        }
    }

    /// Answers `$SRV.<verb>[.<name>[.<id>]]` if name and id match this instance.
    pub(crate) async fn answer(&self, connection: &async_nats::Client, message: &Message) {
        let mut tokens = message.subject.split('.').skip(1);
        let (verb, name, id) = (tokens.next(), tokens.next(), tokens.next());
        let is_meant = name.is_none_or(|name| name == self.name) && id.is_none_or(|id| id == self.id);
        let Some(reply) = message.reply.clone().filter(|reply| is_meant && is_inbox(reply)) else { return };
        let body = match verb {
            Some("PING") => self.describe("ping", json!({})),
            Some("INFO") => {
                let description = format!("The {} {} of {}", self.kind, self.name, contract::SYSTEM);
                self.describe("info", json!({ "description": description, "endpoints": self.endpoints }))
            }
            Some("STATS") => self.describe("stats", json!({ "started": self.started, "endpoints": self.stats() })),
            _ => return,
        };
        if let Err(error) = connection.publish(reply, body.to_string().into()).await {
            tracing::debug!(name = self.name, %error, "discovery reply not sent");
        }
    }

    fn describe(&self, verb: &str, more: Value) -> Value {
        let mut value = json!({
            "type": format!("io.nats.micro.v1.{verb}_response"),
            "name": self.name, "id": self.id, "version": self.version, "metadata": {},
        });
        if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
            value.extend(more);
        }
        value
    }

    fn stats(&self) -> Vec<Value> {
        let stats = self.stats.lock();
        self.endpoints
            .iter()
            .map(|endpoint| {
                let stats = stats.get(&endpoint.subject).cloned().unwrap_or_default();
                json!({
                    "name": endpoint.name, "subject": endpoint.subject, "queue_group": endpoint.queue_group,
                    "num_requests": stats.requests, "num_errors": stats.errors, "last_error": stats.last_error,
                    "processing_time": stats.nanoseconds,
                    "average_processing_time": stats.nanoseconds.checked_div(stats.requests).unwrap_or(0),
                })
            })
            .collect()
    }
}
