//! The states of an entity as server-sent events.

use std::{marker::PhantomData, sync::Arc, time::Duration};

use contract::ErrorKind;
use futures::{Stream, StreamExt, stream::BoxStream};
use poem::{
    IntoResponse, Response,
    web::sse::{Event, SSE},
};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{
    http::{caller::Credentials, error::ApiError},
    server::{client_streams::ClientPlace, gateway::Gateway},
};

/// The interval of comments on an idle stream, so that proxies do not consider the connection dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// An entity that a stream follows, with the rights of one caller.
pub(crate) trait Followed: Send + Sized + 'static {
    type State: Serialize + Send;

    /// The name of the events.
    const EVENT: &'static str;
    /// What their id is, for the document.
    const ID: &'static str;
    /// What their data is, for the document.
    const DATA: &'static str;
    /// Of the stream, for the document.
    const DESCRIPTION: &'static str;
    /// The most streams of one client, of a kind that anyone may open.
    const MOST_OF_A_CLIENT: Option<usize> = None;

    /// What bounds the streams of this kind.
    fn places(gateway: &Gateway) -> &Arc<Semaphore>;

    fn credentials(&self) -> &Credentials;

    /// The id of the event of a state.
    fn id(state: &Self::State) -> i64;

    /// Whether the state that was read last is the last one.
    fn has_ended(&self) -> bool;

    /// The state, if the client does not have it yet.
    fn read(&mut self) -> impl Future<Output = Result<Option<Self::State>, ApiError>> + Send;

    /// Waits for a reason to read again.
    fn wait(&mut self) -> impl Future<Output = ()> + Send;
}

/// The states of one entity, until the last one.
pub(crate) struct EventStream<F> {
    events: BoxStream<'static, Event>,
    of: PhantomData<fn() -> F>,
}

impl<F: Followed> EventStream<F> {
    /// Streams what is followed. The first read happens after registering for notices, so that no change is missed.
    pub(crate) async fn open(mut followed: F) -> Result<Self, ApiError> {
        let too_many =
            || ApiError::new(ErrorKind::Unavailable, "too_many_streams", "Too many streams are open. Try again.");
        let context = &followed.credentials().context;
        let place = |most| context.gateway.open_streams.enter(context.tally.address, most).ok_or_else(too_many);
        let of_client = F::MOST_OF_A_CLIENT.map(place).transpose()?;
        let permit = F::places(&context.gateway).clone().try_acquire_owned().map_err(|_| too_many())?;
        let next = followed.read().await?;
        let events = events(Open { followed, next, _permit: permit, _of_client: of_client }).boxed();
        Ok(Self { events, of: PhantomData })
    }
}

struct Open<F: Followed> {
    followed: F,
    next: Option<F::State>,
    _permit: OwnedSemaphorePermit,
    _of_client: Option<ClientPlace>,
}

fn events<F: Followed>(open: Open<F>) -> impl Stream<Item = Event> {
    futures::stream::unfold(open, |mut open| async move {
        let credentials = open.followed.credentials().clone();
        loop {
            if let Some(state) = open.next.take() {
                return Some((event::<F>(&state)?, open));
            }
            if open.followed.has_ended() {
                return None;
            }
            tokio::select! {
                () = credentials.context.gateway.drained() => return None,
                () = credentials.revoked() => return None,
                () = open.followed.wait() => {}
            }
            match open.followed.read().await {
                Ok(newer) => open.next = newer,
                // The domain may be unavailable for a moment; the stream continues.
                Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Deadline) => {}
                // Such as an expired access token: the client reconnects with another and its last event's id.
                Err(_) => return None,
            }
        }
    })
}

fn event<F: Followed>(state: &F::State) -> Option<Event> {
    let data = serde_json::to_string(state).ok()?;
    Some(Event::message(data).event_type(F::EVENT).id(F::id(state).to_string()))
}

fn text(description: &'static str) -> MetaSchemaRef {
    let mut schema = MetaSchema::new("string");
    schema.description = Some(description);
    MetaSchemaRef::Inline(Box::new(schema))
}

fn always(name: &'static str) -> MetaSchemaRef {
    let mut schema = MetaSchema::new("string");
    schema.enum_items = vec![name.into()];
    MetaSchemaRef::Inline(Box::new(schema))
}

impl<F> IntoResponse for EventStream<F> {
    fn into_response(self) -> Response {
        SSE::new(self.events).keep_alive(HEARTBEAT).into_response()
    }
}

impl<F: Followed> ApiResponse for EventStream<F> {
    fn meta() -> MetaResponses {
        // The document describes one event of the stream.
        let mut schema = MetaSchema::new("object");
        schema.properties = vec![("id", text(F::ID)), ("event", always(F::EVENT)), ("data", text(F::DATA))];
        schema.required = vec!["id", "event", "data"];
        let schema = MetaSchemaRef::Inline(Box::new(schema));
        let content = vec![MetaMediaType { content_type: "text/event-stream", schema }];
        let response = MetaResponse {
            description: F::DESCRIPTION,
            status: Some(200),
            status_range: None,
            content,
            headers: Vec::new(),
        };
        MetaResponses { responses: vec![response] }
    }

    fn register(_registry: &mut Registry) {}
}
