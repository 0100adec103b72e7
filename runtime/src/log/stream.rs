//! Streams: one per domain, which creates it from a specification and never deletes it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_nats::jetstream::{
    self, ErrorCode,
    context::{GetStreamError, GetStreamErrorKind},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};
use contract::{Position, subject};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::sync::Mutex;

use crate::log::repair::{checkpoints, gaps, republish};

/// The specification of a domain's stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamSpec {
    /// The stream deletes events older than this; the log keeps them.
    pub max_age_hours: u64,
    /// The maximum size of the stream in bytes; the oldest events are deleted first.
    pub max_bytes: i64,
    /// The number of servers that hold a copy: 1 on a single server, 3 in a cluster.
    pub replicas: usize,
    /// How long the server remembers message ids. Without effect on events: they are published without a message id,
    /// and consumers deduplicate by `ce-id`.
    pub duplicate_window_seconds: u64,
}

impl Default for StreamSpec {
    fn default() -> Self {
        Self { max_age_hours: 7 * 24, max_bytes: 1 << 30, replicas: 1, duplicate_window_seconds: 120 }
    }
}

impl StreamSpec {
    /// The stream configuration for the server.
    pub fn config(&self, domain: &str) -> Config {
        Config {
            name: subject::stream(domain),
            description: Some(format!("Events of {domain}. The truth is its event log; this brings them soon.")),
            subjects: vec![subject::events_of(domain)],
            // Not a work queue, which deletes a message once it is consumed: every domain may consume these events.
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            discard: DiscardPolicy::Old,
            max_age: Duration::from_secs(self.max_age_hours * 3600),
            max_bytes: self.max_bytes,
            num_replicas: self.replicas,
            duplicate_window: Duration::from_secs(self.duplicate_window_seconds),
            ..Config::default()
        }
    }
}

/// Access of a domain to the streams, on its connection for events.
#[derive(Clone)]
pub(crate) struct Streams {
    pub domain: &'static str,
    pub connection: async_nats::Client,
    pub jetstream: jetstream::Context,
    spec: Arc<StreamSpec>,
    /// The time of the last check of the domain's own stream. Throttles checks: many publishes may miss it at once.
    ensured: Arc<Mutex<Option<Instant>>>,
}

impl Streams {
    pub(crate) fn new(domain: &'static str, connection: async_nats::Client, spec: StreamSpec) -> Self {
        let jetstream = jetstream::ContextBuilder::new()
            .timeout(Duration::from_secs(3))
            .ack_timeout(Duration::from_secs(2))
            .max_ack_inflight(8192)
            .backpressure_on_inflight(true)
            .build(connection.clone());
        Self { domain, connection, jetstream, spec: Arc::new(spec), ensured: Arc::default() }
    }

    /// The maximum age of the events in the stream.
    pub(crate) fn max_age(&self) -> Duration {
        Duration::from_secs(self.spec.max_age_hours * 3600)
    }

    /// Creates the domain's own stream if it is missing, and starts a republish from the log if the stream is missing
    /// or has lost messages. The republish is recorded before the stream is created: if the node stops in between,
    /// another node creates the stream. At worst a complete stream is republished.
    pub(crate) async fn ensure_own(&self, log: &PgPool) {
        let mut ensured = self.ensured.lock().await;
        if ensured.is_some_and(|at| at.elapsed() < Duration::from_millis(500)) {
            return;
        }
        *ensured = Some(Instant::now());
        let (domain, stream) = (self.domain, subject::stream(self.domain));
        match self.jetstream.get_stream(&stream).await {
            Ok(stream) => {
                let verified = async {
                    gaps::verify(log, &stream).await?;
                    checkpoints::verify(log, &stream).await
                };
                if let Err(internal_error) = verified.await {
                    tracing::warn!(domain, error = %internal_error, "stream could not be verified");
                }
                return;
            }
            Err(error) if is_missing(&error) => {}
            // A server that does not answer is no evidence of a missing stream.
            Err(error) => {
                tracing::debug!(domain, stream, %error, "stream could not be read");
                return;
            }
        }
        let begun = async {
            republish::begin(log, Position::START).await?;
            checkpoints::delete_above(log, 0).await
        };
        if let Err(internal_error) = begun.await {
            tracing::warn!(domain, stream, error = %internal_error, "stream missing, republish could not be recorded");
            return;
        }
        crate::fail_point("republish.after_begin");
        match self.jetstream.create_stream(self.spec.config(domain)).await {
            Ok(_) => tracing::info!(domain, stream, "missing stream created"),
            Err(error) => tracing::warn!(domain, stream, %error, "stream could not be created"),
        }
    }
}

/// Whether the server reports that the stream does not exist, as opposed to not answering.
fn is_missing(error: &GetStreamError) -> bool {
    match error.kind() {
        GetStreamErrorKind::JetStream(error) => error.error_code() == ErrorCode::STREAM_NOT_FOUND,
        _ => false,
    }
}
