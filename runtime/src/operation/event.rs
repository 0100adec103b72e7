//! Type-erased reactions to events.

use std::{any::Any, marker::PhantomData, sync::Arc};

use chrono::{DateTime, Utc};
use contract::{DecodeError, Event, Format, Position};
use futures::future::{BoxFuture, FutureExt};
use uuid::Uuid;

use super::Erased;
use crate::{
    domain::{Delivered, Project, React},
    failure::Breakage,
    tx::{Cause, Tx},
};

/// The headers of an event, parsed.
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
    /// Decodes the domain's input, and the entity that selects its lane.
    pub decode: fn(&EventHead, &[u8]) -> Result<(Erased, Uuid), DecodeError>,
    /// Shared by all events of a domain.
    pub reactions: Arc<dyn ErasedReactions>,
    /// Resets the projection of the event; `None` if the event has other consequences and cannot be replayed.
    pub projection: Option<Arc<dyn ErasedProjection>>,
}

impl EventRoute {
    pub(crate) fn new<D, E>(domain: Arc<D>) -> Self
    where
        D: React,
        E: Event,
        Delivered<E>: Into<D::Input>,
    {
        Self {
            source: E::DOMAIN,
            name: E::NAME,
            decode: decode::<D, E>,
            reactions: Arc::new(Reactions(domain)),
            projection: None,
        }
    }

    pub(crate) fn with_projection<D: Project<E>, E: Event>(mut self, domain: Arc<D>) -> Self {
        self.projection = Some(Arc::new(Projection { domain, event: PhantomData }));
        self
    }

    /// Whether the route handles this event.
    pub(crate) fn is_of(&self, head: &EventHead) -> bool {
        (self.source, self.name) == (head.source.as_str(), head.name.as_str())
    }
}

fn decode<D, E>(head: &EventHead, payload: &[u8]) -> Result<(Erased, Uuid), DecodeError>
where
    D: React,
    E: Event,
    Delivered<E>: Into<D::Input>,
{
    let message: E = Format::Json.decode(payload)?;
    let entity = message.entity();
    let cause = Cause {
        id: head.id,
        name: format!("{}.{}", E::DOMAIN, E::NAME),
        request_id: head.request_id.clone(),
        traceparent: head.traceparent.clone(),
    };
    let input: D::Input = Delivered { message, version: head.version, at: head.at, cause }.into();
    Ok((Box::new(input), entity))
}

/// The reactions of a domain.
pub(crate) trait ErasedReactions: Send + Sync {
    fn run<'a, 'c>(
        &'a self,
        tx: &'a mut Tx<'c>,
        inputs: &'a [&'a (dyn Any + Send + Sync)],
    ) -> BoxFuture<'a, Result<(), Breakage>>
    where
        'c: 'a;
}

struct Reactions<D>(Arc<D>);

impl<D: React> ErasedReactions for Reactions<D> {
    fn run<'a, 'c>(
        &'a self,
        tx: &'a mut Tx<'c>,
        inputs: &'a [&'a (dyn Any + Send + Sync)],
    ) -> BoxFuture<'a, Result<(), Breakage>>
    where
        'c: 'a,
    {
        async move {
            let typed: Option<Vec<&D::Input>> = inputs.iter().map(|input| input.downcast_ref()).collect();
            let typed = typed.ok_or_else(|| Breakage::other("an event came to another domain's reactions"))?;
            self.0.react(tx, &typed).await
        }
        .boxed()
    }
}

/// A projection of an event.
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
