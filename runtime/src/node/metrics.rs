//! The Prometheus exporter, and the declarations of the runtime's metrics. Histograms have buckets, so that they can be
//! added across nodes.

use metrics::Unit;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds, from a memory look-up to a deadline.
const SECONDS: [f64; 15] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Items of a batch.
const SIZES: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// The declaration of a metric. The name says its unit: seconds if it ends in `_seconds`, otherwise a count.
#[derive(Debug, Clone, Copy)]
pub struct MetricInfo {
    /// The kind.
    pub kind: MetricKind,
    /// The name, after the conventions of Prometheus.
    pub name: &'static str,
    /// The labels, separated by commas.
    pub labels: &'static str,
    /// What it measures.
    pub description: &'static str,
}

/// The kind of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Only rises; ends in `_total`.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Counts values by size.
    Histogram,
}

/// Declares metrics: `metrics!(counter "name" {label} "description"; ...)`.
#[macro_export]
macro_rules! metrics {
    ($($kind:ident $name:literal { $($label:ident),* } $description:literal;)+) => {
        &[$($crate::MetricInfo {
            kind: $crate::metrics!(@$kind),
            name: $name,
            labels: $crate::metrics!(@labels $($label),*),
            description: $description,
        }),+]
    };
    (@counter) => { $crate::MetricKind::Counter };
    (@gauge) => { $crate::MetricKind::Gauge };
    (@histogram) => { $crate::MetricKind::Histogram };
    (@labels) => { "" };
    (@labels $first:ident $(, $more:ident)*) => { concat!(stringify!($first) $(, ",", stringify!($more))*) };
}

/// The metrics of the runtime.
pub const METRICS: &[MetricInfo] = metrics! {
    counter "requests_total" {subject, outcome} "Requests over NATS; the outcome is ok or an error code.";
    histogram "request_duration_seconds" {subject} "Time from the arrival of a request to its reply.";
    counter "request_retries_total" {domain} "Attempts of requests to a domain that were repeated.";
    counter "retry_budget_exhausted_total" {domain}
        "Attempts of requests to a domain that were not repeated because too many others were.";
    gauge "circuit_breakers_open" {callee}
        "Callers in this process whose calls of a domain or an external system fail at once, but for one a second.";
    counter "circuit_breaker_rejections_total" {callee} "Calls that failed at once because a circuit breaker was open.";
    counter "requests_with_foreign_reply_total" {domain} "Requests whose reply subject is not an inbox; not answered.";
    counter "admission_rejected_total" {domain, kind} "Requests rejected with 503 because too many were running.";
    counter "rejections_dropped_total" {domain}
        "Rejected requests without a reply: too many waited for one, or their deadline had passed.";
    histogram "lane_batch_size" {domain, kind} "Items of a committed batch.";
    histogram "lane_batch_duration_seconds" {domain, kind} "Time from the start of a batch to its commit.";
    gauge "lane_queue_depth" {domain} "Items in the lanes, waiting or running.";
    counter "lane_batch_errors_total" {domain, retry_class} "Batches that failed and were retried, halved or given up.";
    histogram "query_batch_size" {operation}
        "Queries that were answered with one statement, or with `ask` in the operation asked in one message.";
    counter "events_published_total" {domain} "Events that the stream confirmed.";
    counter "publish_retries_total" {domain} "Events that were sent again because the stream did not confirm them.";
    counter "publisher_overflow_total" {domain} "Commits left to the sweep because the publisher's queue was full.";
    gauge "outbox_unconfirmed" {domain} "Commits that the stream has not confirmed, up to 10,000; one node reports.";
    gauge "outbox_oldest_seconds" {domain} "Age of the oldest unconfirmed commit; one node reports.";
    counter "outbox_swept_total" {domain} "Commits that the sweep published because nothing had confirmed them.";
    counter "stream_republished_commits_total" {domain} "Commits republished into a stream that had lost messages.";
    counter "events_delivered_total" {domain, source} "Events that a stream delivered.";
    gauge "consumer_lag_seconds" {domain, source} "Age of the last event of a full pull; 0 if the consumer keeps up.";
    counter "catch_up_events_total" {domain, source} "Events that the stream did not deliver and catch-up did.";
    counter "catch_up_stopped_total" {domain} "Catch-ups stopped because the owner's log was trimmed above the cursor.";
    counter "events_of_older_epochs_total" {} "Events dropped because a restore has ended their history.";
    gauge "dead_letters" {domain} "Dead-lettered events, up to 10,000; one node reports.";
    counter "dead_letters_total" {domain, source} "Events that were dead-lettered.";
    gauge "effects_waiting" {domain} "Effects that wait or run, up to 10,000; one node reports.";
    gauge "effects_failing" {domain} "Effects with more than ten attempts; one node reports.";
    gauge "effects_dead_lettered" {domain} "Dead-lettered effects; one node reports.";
    counter "effects_dead_lettered_total" {domain} "Effects that were dead-lettered.";
    gauge "effects_unregistered" {domain} "Effects due for a minute that no running node registers; one node reports.";
    histogram "effect_duration_seconds" {domain, effect, outcome} "Time of a call of an external system.";
    counter "deadlines_acted_on_total" {domain} "Deadlines that were handled.";
    counter "actor_restarts_total" {actor} "Restarts of actors that died.";
    counter "nats_disconnects_total" {} "Lost connections to NATS.";
    counter "nats_server_errors_total" {} "Errors reported by NATS, such as a denied permission.";
    counter "nats_slow_consumer_total" {} "Subscriptions that dropped messages.";
    gauge "revocations" {reader} "Revoked tokens and accounts that are known.";
    gauge "revocations_age_seconds" {reader} "Age of the last poll of the revocations.";
};

/// Renders the metrics of this process.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the recorder of this process, and describes the runtime's metrics and `others`.
    ///
    /// # Errors
    /// If one is installed already.
    pub fn install(others: &[MetricInfo]) -> Result<Self, BuildError> {
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_size".into()), &SIZES)?
            .install_recorder()?;
        METRICS.iter().chain(others).for_each(MetricInfo::describe);
        let upkeep = handle.clone();
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(std::time::Duration::from_secs(5));
            loop {
                tick.tick().await;
                upkeep.run_upkeep();
            }
        });
        Ok(Self(handle))
    }

    /// Renders the metrics in the Prometheus text format.
    pub fn render(&self) -> String {
        self.0.render()
    }
}

impl MetricInfo {
    fn describe(&self) {
        let unit = if self.name.ends_with("_seconds") { Unit::Seconds } else { Unit::Count };
        match self.kind {
            MetricKind::Counter => metrics::describe_counter!(self.name, unit, self.description),
            MetricKind::Gauge => metrics::describe_gauge!(self.name, unit, self.description),
            MetricKind::Histogram => metrics::describe_histogram!(self.name, unit, self.description),
        }
    }
}
