//! The contents of a stream, by the headers of its messages only, and its consumers.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use async_nats::{
    HeaderMap, HeaderName, HeaderValue,
    jetstream::{
        consumer::{DeliverPolicy, pull::OrderedConfig},
        context::GetStreamErrorKind,
        stream::Stream,
    },
};
use chrono::{DateTime, Utc};
use contract::{EventHead, Position, subject};
use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

use crate::Sources;

/// How long the server may send nothing while a stream is read.
const SILENCE: Duration = Duration::from_secs(10);

/// The contents of a stream.
pub(crate) struct Held {
    /// Its events, by id.
    pub events: HashMap<Uuid, Place>,
    /// The sequence numbers of messages that are not events of this system.
    pub strangers: Vec<u64>,
    /// The maximum age of events, if limited.
    pub max_age: Option<Duration>,
    /// The time of the oldest message, if the stream is more than 90 % full: older events may have been removed early.
    pub full_since: Option<DateTime<Utc>>,
}

/// The position of an event in the stream, and in the log of its domain.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub sequence: u64,
    pub position: Position,
}

/// Reads the whole stream of a domain, or returns `None` if it does not exist.
pub(crate) async fn read(sources: &Sources, domain: &str) -> Result<Option<Held>> {
    let name = subject::stream(domain);
    let Some(stream) = find(sources, &name).await? else { return Ok(None) };
    let (config, state) = (&stream.cached_info().config, &stream.cached_info().state);
    let is_full =
        config.max_bytes > 0 && i64::try_from(state.bytes).is_ok_and(|bytes| bytes > config.max_bytes / 10 * 9);
    let mut held = Held {
        events: HashMap::with_capacity(usize::try_from(state.messages).unwrap_or(0)),
        strangers: Vec::new(),
        max_age: (!config.max_age.is_zero()).then_some(config.max_age),
        full_since: is_full.then(|| DateTime::from_timestamp(state.first_timestamp.unix_timestamp(), 0)).flatten(),
    };
    if state.messages == 0 {
        return Ok(Some(held));
    }
    let last = state.last_sequence;
    let config = OrderedConfig { deliver_policy: DeliverPolicy::All, headers_only: true, ..OrderedConfig::default() };
    let consumer = stream.create_consumer(config).await.with_context(|| format!("reading the stream {name}"))?;
    let mut messages = consumer.messages().await.with_context(|| format!("reading the stream {name}"))?;
    loop {
        let message = match tokio::time::timeout(SILENCE, messages.next()).await {
            Ok(Some(message)) => message.with_context(|| format!("reading the stream {name}"))?,
            Ok(None) => break,
            Err(_) => bail!("the stream {name} could not be read to its end in time"),
        };
        let info = message.info().map_err(|error| anyhow::anyhow!("a message of {name}: {error}"))?;
        let (sequence, is_last) = (info.stream_sequence, info.pending == 0 || info.stream_sequence >= last);
        match message.headers.as_ref().and_then(identify) {
            Some((id, position)) => drop(held.events.insert(id, Place { sequence, position })),
            None => held.strangers.push(sequence),
        }
        if is_last {
            break;
        }
    }
    Ok(Some(held))
}

/// The event types of a domain that are handled, by consumer, from the filters of the durables.
pub(crate) async fn handled(sources: &Sources, domain: &str) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let name = subject::stream(domain);
    let Some(stream) = find(sources, &name).await? else { return Ok(BTreeMap::new()) };
    let (mut handled, mut consumers) = (BTreeMap::<_, BTreeSet<_>>::new(), stream.consumers());
    while let Some(info) = consumers.try_next().await.with_context(|| format!("the consumers of {name}"))? {
        let Some(consumer) = info.name.strip_suffix(&subject::durable("", domain)) else { continue };
        let filters = info.config.filter_subjects.iter().chain([&info.config.filter_subject]);
        let types = filters.filter_map(|filter| type_of(domain, filter).map(str::to_owned));
        handled.entry(consumer.to_owned()).or_default().extend(types);
    }
    Ok(handled)
}

/// The event type that a filter selects.
fn type_of<'a>(domain: &str, filter: &'a str) -> Option<&'a str> {
    filter.split('.').nth(2).filter(|name| subject::event_filter(domain, name) == filter)
}

async fn find(sources: &Sources, name: &str) -> Result<Option<Stream>> {
    match sources.streams().get_stream(name).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) if matches!(error.kind(), GetStreamErrorKind::JetStream(_)) => Ok(None),
        Err(error) => Err(error).context(format!("the stream {name}")),
    }
}

fn identify(headers: &HeaderMap) -> Option<(Uuid, Position)> {
    let get = |name| headers.get(HeaderName::from_static(name)).map(HeaderValue::as_str);
    let head = EventHead::read(get)?;
    Some((head.id, head.position))
}
