//! Type-erased reactions to events.

use std::sync::Arc;

use contract::{DecodeError, Event, EventHead, Format};
use futures::future::{BoxFuture, FutureExt};
use uuid::Uuid;

use super::{Erased, Run, typed};
use crate::{
    api::{
        domain::{EventEnvelope, Projection, React},
        tx::{Cause, Tx},
    },
    error::InternalError,
};

/// Resets a projection.
type Forget = dyn for<'a, 'c> Fn(&'a mut Tx<'c>) -> BoxFuture<'a, Result<(), InternalError>> + Send + Sync;

/// An event that a domain reacts to.
#[derive(Clone)]
pub(crate) struct EventRoute {
    pub source: &'static str,
    pub name: &'static str,
    /// Decodes the domain's input, and the entity that selects its lane.
    pub decode: fn(&EventHead, &[u8]) -> Result<(Erased, Uuid), DecodeError>,
    /// Handles inputs of any of the domain's events.
    pub react: Run<()>,
    /// Resets the projection of the event; `None` if the event has other consequences and cannot be replayed.
    pub reset: Option<Arc<Forget>>,
}

impl EventRoute {
    pub(crate) fn new<D, E>(domain: Arc<D>) -> Self
    where
        D: React,
        E: Event,
        EventEnvelope<E>: Into<D::Input>,
    {
        let react: Run<()> = Arc::new(move |tx, batch| {
            let domain = domain.clone();
            async move { domain.react(tx, &typed(batch)?).await }.boxed()
        });
        Self { source: E::DOMAIN, name: E::NAME, decode: decode::<D, E>, react, reset: None }
    }

    pub(crate) fn with_projection<D: Projection<E>, E: Event>(self, domain: Arc<D>) -> Self {
        let reset: Arc<Forget> = Arc::new(move |tx| {
            let domain = domain.clone();
            async move { domain.reset(tx).await }.boxed()
        });
        Self { reset: Some(reset), ..self }
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
    EventEnvelope<E>: Into<D::Input>,
{
    let message: E = Format::Json.decode(payload)?;
    let entity = message.entity();
    let cause = Cause {
        id: head.id,
        name: format!("{}.{}", E::DOMAIN, E::NAME),
        request_id: head.request_id.clone(),
        traceparent: head.traceparent.clone(),
    };
    let input: D::Input = EventEnvelope { message, version: head.version, at: head.at, cause }.into();
    Ok((Box::new(input), entity))
}
