//! Reactions to events, erased.

use std::{any::Any, marker::PhantomData, sync::Arc};

use chrono::{DateTime, Utc};
use contract::{Event, Format, Position};
use futures::future::{BoxFuture, FutureExt};
use uuid::Uuid;

use super::Erased;
use crate::{
    domain::{Delivered, Domain, Project, React, ReactBatch},
    failure::Breakage,
    tx::{Cause, Tx},
};

/// What the headers of an event say.
#[derive(Debug, Clone)]
pub(crate) struct EventHead {
    pub id: Uuid,
    pub source: String,
    pub name: String,
    pub version: i64,
    pub at: DateTime<Utc>,
    pub position: Position,
    pub request_id: Option<String>,
    pub traceparent: Option<String>,
}

/// An event that a domain reacts to.
#[derive(Clone)]
pub(crate) struct EventRoute {
    pub source: &'static str,
    pub name: &'static str,
    pub handler: Arc<dyn ErasedEvent>,
    /// How to forget what was made of it, where that can be made again.
    pub projection: Option<Arc<dyn ErasedProjection>>,
}

impl EventRoute {
    pub(crate) fn new<H: ErasedEvent + Named + 'static>(handler: H) -> Self {
        Self { source: H::SOURCE, name: H::NAME, handler: Arc::new(handler), projection: None }
    }

    pub(crate) fn with_projection<D: Project<E>, E: Event>(mut self, domain: Arc<D>) -> Self {
        self.projection = Some(Arc::new(Projection { domain, event: PhantomData }));
        self
    }

    /// Whether it takes this event.
    pub(crate) fn is_of(&self, head: &EventHead) -> bool {
        (self.source, self.name) == (head.source.as_str(), head.name.as_str())
    }
}

/// What a domain keeps of an event, erased.
pub(crate) trait ErasedProjection: Send + Sync {
    fn forget<'a, 'c>(&'a self, tx: &'a mut Tx<'c>) -> BoxFuture<'a, Result<(), Breakage>>
    where
        'c: 'a;
}

struct Projection<D, E> {
    domain: Arc<D>,
    event: PhantomData<fn(E)>,
}

impl<D: Project<E>, E: Event> ErasedProjection for Projection<D, E> {
    fn forget<'a, 'c>(&'a self, tx: &'a mut Tx<'c>) -> BoxFuture<'a, Result<(), Breakage>>
    where
        'c: 'a,
    {
        self.domain.forget(tx).boxed()
    }
}

pub(crate) trait Named {
    const SOURCE: &'static str;
    const NAME: &'static str;
}

pub(crate) trait ErasedEvent: Send + Sync {
    /// The event, and the entity that names its lane.
    fn decode(&self, head: &EventHead, payload: &[u8]) -> Result<(Erased, Uuid), contract::DecodeError>;
    fn run<'a, 'c>(
        &'a self,
        tx: &'a mut Tx<'c>,
        events: &'a [&'a (dyn Any + Send + Sync)],
    ) -> BoxFuture<'a, Result<(), Breakage>>
    where
        'c: 'a;
}

pub(crate) struct OneEventHandler<D, E> {
    domain: Arc<D>,
    event: PhantomData<fn(E)>,
}

pub(crate) struct EventsHandler<D, E> {
    domain: Arc<D>,
    event: PhantomData<fn(E)>,
}

impl<D, E> OneEventHandler<D, E> {
    pub(crate) fn new(domain: Arc<D>) -> Self {
        Self { domain, event: PhantomData }
    }
}

impl<D, E> EventsHandler<D, E> {
    pub(crate) fn new(domain: Arc<D>) -> Self {
        Self { domain, event: PhantomData }
    }
}

impl<D, E: Event> Named for OneEventHandler<D, E> {
    const SOURCE: &'static str = E::DOMAIN;
    const NAME: &'static str = E::NAME;
}

impl<D, E: Event> Named for EventsHandler<D, E> {
    const SOURCE: &'static str = E::DOMAIN;
    const NAME: &'static str = E::NAME;
}

fn decode<E: Event>(head: &EventHead, payload: &[u8]) -> Result<(Erased, Uuid), contract::DecodeError> {
    let message: E = Format::Json.decode(payload)?;
    let entity = message.entity();
    let cause = Cause {
        id: head.id,
        name: format!("{}.{}", E::DOMAIN, E::NAME),
        request_id: head.request_id.clone(),
        traceparent: head.traceparent.clone(),
    };
    Ok((Box::new(Delivered { message, version: head.version, at: head.at, cause }), entity))
}

fn typed<'a, E: Event>(events: &[&'a (dyn Any + Send + Sync)]) -> Result<Vec<&'a Delivered<E>>, Breakage> {
    events
        .iter()
        .map(|event| event.downcast_ref::<Delivered<E>>())
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| Breakage::other("an event came to another event's handler"))
}

impl<D: Domain + React<E>, E: Event> ErasedEvent for OneEventHandler<D, E> {
    fn decode(&self, head: &EventHead, payload: &[u8]) -> Result<(Erased, Uuid), contract::DecodeError> {
        decode::<E>(head, payload)
    }

    fn run<'a, 'c>(
        &'a self,
        tx: &'a mut Tx<'c>,
        events: &'a [&'a (dyn Any + Send + Sync)],
    ) -> BoxFuture<'a, Result<(), Breakage>>
    where
        'c: 'a,
    {
        async move {
            for event in typed::<E>(events)? {
                self.domain.react(tx, event).await?;
            }
            Ok(())
        }
        .boxed()
    }
}

impl<D: Domain + ReactBatch<E>, E: Event> ErasedEvent for EventsHandler<D, E> {
    fn decode(&self, head: &EventHead, payload: &[u8]) -> Result<(Erased, Uuid), contract::DecodeError> {
        decode::<E>(head, payload)
    }

    fn run<'a, 'c>(
        &'a self,
        tx: &'a mut Tx<'c>,
        events: &'a [&'a (dyn Any + Send + Sync)],
    ) -> BoxFuture<'a, Result<(), Breakage>>
    where
        'c: 'a,
    {
        async move { self.domain.react_batch(tx, &typed::<E>(events)?).await }.boxed()
    }
}
