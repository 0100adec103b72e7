//! Consuming events: a durable pull consumer per source, shared by all nodes, without broker acks. The inbox row is the
//! acknowledgement; catch-up delivers again what a dead node had pulled.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use async_nats::jetstream::{
    self,
    consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull},
    context::ConsumerInfoErrorKind,
};
use chrono::{DateTime, Utc};
use contract::{EventHead, subject};
use futures::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    api::routes::EventRoute,
    clock::Clock,
    error::InternalError,
    lane::{EventItem, InFlightSet, LaneMessage, Lanes},
    log::{message::head_of, stream::Streams},
};

/// The most events of a domain in its lanes on this node. A node pulls no more than it has permits for.
pub(crate) const PERMITS: usize = 1024;

/// The most messages of one pull.
const PULL: usize = 256;

/// The interval at which the filters of the durable are checked. Until then catch-up delivers what they leave out.
const CHECK: Duration = Duration::from_secs(10);

/// Consecutive attempts to write the filters, before a pause.
const FILTER_WRITES: u32 = 5;

/// The pause before another attempt at a durable or a pull.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// Consumes the events of one source and hands them to the domain's lanes.
pub(crate) struct Consumer {
    pub domain: &'static str,
    pub source: &'static str,
    pub routes: Vec<EventRoute>,
    pub streams: Streams,
    pub lanes: Lanes,
    pub permits: Arc<Semaphore>,
    pub in_flight: Arc<InFlightSet>,
    /// How far this node is behind the stream, in milliseconds; 0 if unknown.
    pub lag_ms: AtomicI64,
    pub clock: Clock,
}

impl Consumer {
    /// Pulls until it is stopped. Every failure is retried: the stream may disappear and come back.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let consumer = match self.durable().await {
                Ok(consumer) => consumer,
                Err(error) => {
                    tracing::debug!(
                        domain = self.domain,
                        source = self.source,
                        %error,
                        "durable consumer not available yet"
                    );
                    stop.run_until_cancelled(tokio::time::sleep(RETRY_PAUSE)).await;
                    continue;
                }
            };
            let mut checked = Instant::now();
            while !stop.is_cancelled() {
                if let Err(error) = self.pull(&consumer, stop).await {
                    // An unknown lag counts as none: a stream that is gone must not delay the repair.
                    self.lag_ms.store(0, Ordering::Relaxed);
                    tracing::debug!(domain = self.domain, source = self.source, %error, "pull failed");
                    stop.run_until_cancelled(tokio::time::sleep(RETRY_PAUSE)).await;
                    break;
                }
                if checked.elapsed() >= CHECK {
                    checked = Instant::now();
                    // If the check fails, the known durable can still be pulled from.
                    if let Err(error) = self.durable().await {
                        tracing::debug!(
                            domain = self.domain,
                            source = self.source,
                            %error,
                            "filters of the durable consumer not verified"
                        );
                    }
                }
            }
        }
    }

    /// Returns the durable, with filters for all types that are handled here. Creates it if it is missing.
    ///
    /// Filters are only ever added: another node may handle other types. The server has no compare-and-set for them, so
    /// two nodes that add filters at the same time may overwrite each other's. Each node reads them again, at once and
    /// then every [`CHECK`], until it finds its own.
    async fn durable(&self) -> Result<PullConsumer, InternalError> {
        let stream =
            self.streams.jetstream.get_stream(subject::stream(self.source)).await.map_err(InternalError::other)?;
        for _ in 0..FILTER_WRITES {
            if let Some(consumer) = self.add_filters(&stream).await? {
                return Ok(consumer);
            }
        }
        Err(InternalError::other("the filters of the durable consumer keep being overwritten"))
    }

    /// Adds missing filters. Returns the durable only if none was missing.
    async fn add_filters(&self, stream: &jetstream::stream::Stream) -> Result<Option<PullConsumer>, InternalError> {
        let name = subject::durable(self.domain, self.source);
        let mut filters: BTreeSet<String> =
            self.routes.iter().map(|route| subject::event_filter(route.source, route.name)).collect();
        // A new durable starts one minute back, to cover what was published between the creation of the stream and its
        // own. Catch-up delivers older events from the log. The start of a durable cannot be changed later.
        let mut deliver_policy = DeliverPolicy::ByStartTime { start_time: a_minute_before(self.clock.now()) };
        let existing = match stream.get_consumer::<pull::Config>(&name).await {
            Ok(existing) => Some(existing),
            Err(error) if is_missing(&*error) => None,
            // Writing now would drop the filters of other nodes.
            Err(error) => return Err(InternalError::other(error)),
        };
        if let Some(existing) = existing {
            let config = &existing.cached_info().config;
            let one = Some(&config.filter_subject).filter(|filter| !filter.is_empty());
            let known: BTreeSet<String> = config.filter_subjects.iter().chain(one).cloned().collect();
            if filters.is_subset(&known) {
                return Ok(Some(existing));
            }
            filters.extend(known);
            deliver_policy = config.deliver_policy;
        }
        let config = pull::Config {
            durable_name: Some(name),
            description: Some(format!("{} handles events of {}; its inbox is the ack", self.domain, self.source)),
            filter_subjects: filters.into_iter().collect(),
            ack_policy: AckPolicy::None,
            deliver_policy,
            ..pull::Config::default()
        };
        stream.create_consumer(config).await.map_err(InternalError::other)?;
        Ok(None)
    }

    async fn pull(&self, consumer: &PullConsumer, stop: &CancellationToken) -> Result<(), InternalError> {
        let mut permits = tokio::select! {
            permit = self.permits.clone().acquire_owned() => vec![permit.map_err(InternalError::other)?],
            () = stop.cancelled() => return Ok(()),
        };
        while permits.len() < PULL
            && let Ok(permit) = self.permits.clone().try_acquire_owned()
        {
            permits.push(permit);
        }
        let wanted = permits.len();
        let batch = consumer.batch().max_messages(wanted).expires(Duration::from_secs(2)).messages();
        let mut messages = batch.await.map_err(InternalError::other)?;
        let mut last = None;
        loop {
            // During a shutdown the pull still hands on what has arrived: no other node would receive it soon.
            let message = match tokio::time::timeout(Duration::from_secs(4), messages.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => return Err(InternalError::other(error)),
                Ok(None) => break,
                Err(_) => return Err(InternalError::other("the server sent neither a message nor a status in time")),
            };
            if let Some(permit) = permits.pop() {
                last = self.deliver(&message, permit).or(last);
            }
        }
        // A full pull means that more messages are available: the lag is then the age of the last one.
        let lag =
            if permits.is_empty() { last.map_or(0, |at| (self.clock.now() - at).num_milliseconds().max(0)) } else { 0 };
        self.lag_ms.store(lag, Ordering::Relaxed);
        metrics::gauge!("consumer_lag_seconds", "domain" => self.domain, "source" => self.source)
            .set(lag as f64 / 1000.0);
        Ok(())
    }

    /// Hands a message to its lane and returns the time of its event. A message without the headers of an event is
    /// skipped.
    fn deliver(&self, message: &jetstream::Message, permit: OwnedSemaphorePermit) -> Option<DateTime<Utc>> {
        let Some(head) = message.headers.as_ref().and_then(head_of) else {
            tracing::warn!(domain = self.domain, subject = %message.subject, "message without event headers skipped");
            return None;
        };
        let at = head.at;
        let epoch = head.position.epoch;
        metrics::counter!("events_delivered_total", "domain" => self.domain, "source" => self.source).increment(1);
        self.dispatch(head, message.payload.clone(), epoch, false, Some(permit));
        Some(at)
    }

    /// Hands an event from the stream or from catch-up to its lane. An event of an unknown type is skipped.
    pub(crate) fn dispatch(
        &self,
        head: EventHead,
        payload: bytes::Bytes,
        known_in_epoch: i64,
        is_repeat: bool,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let Some(route) = self.routes.iter().find(|route| route.name == head.name) else {
            tracing::debug!(
                domain = self.domain,
                source = self.source,
                name = head.name,
                "event of an unregistered type skipped"
            );
            return;
        };
        let item = EventItem {
            is_repeat,
            _in_flight: Some(self.in_flight.enter(head.id)),
            _permit: permit,
            ..EventItem::of(route, head, payload, known_in_epoch)
        };
        self.lanes.cast(item.entity, LaneMessage::Event(Box::new(item)));
    }
}

fn is_missing(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    error
        .downcast_ref::<jetstream::context::ConsumerInfoError>()
        .is_some_and(|error| error.kind() == ConsumerInfoErrorKind::NotFound)
}

/// In the type that the client library uses.
fn a_minute_before(now: DateTime<Utc>) -> time::OffsetDateTime {
    let then = std::time::SystemTime::from(now) - Duration::from_secs(60);
    time::OffsetDateTime::from(then)
}
