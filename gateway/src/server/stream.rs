//! An order's states as server-sent events.

use std::time::Duration;

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
use subjects::orders::Order;
use tokio::sync::OwnedSemaphorePermit;

use crate::{
    http::{caller::Credentials, error::ApiError},
    server::follow::{Follow, Interest, is_terminal},
};

/// So often a comment is sent where nothing else is, so that nobody in between takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The states of one order, until its story ends.
pub(crate) struct OrderStream(BoxStream<'static, Event>);

impl OrderStream {
    /// Follows an order behind the version `seen`; `order` is what was read when the caller's access was checked.
    pub(crate) async fn open(credentials: &Credentials, order: Order, seen: i64) -> Result<Self, ApiError> {
        let permit = credentials.context.gateway.streams.clone().try_acquire_owned().map_err(|_| {
            ApiError::new(ErrorKind::Unavailable, "too_many_streams", "Too many orders are followed now. Try again.")
        })?;
        let mut follow = Follow::open(credentials.clone(), &order, seen).await;
        // Only what is read behind the subscription can miss nothing.
        let first = follow.read().await?;
        let ended = is_terminal(first.as_ref().map_or(order.status, |newer| newer.status));
        Ok(Self(events(Open { follow, next: first, ended, _permit: permit }).boxed()))
    }
}

struct Open {
    follow: Follow,
    next: Option<Order>,
    ended: bool,
    _permit: OwnedSemaphorePermit,
}

fn events(open: Open) -> impl Stream<Item = Event> {
    futures::stream::unfold(open, |mut open| async move {
        let credentials = open.follow.credentials();
        loop {
            if let Some(order) = open.next.take() {
                open.ended = is_terminal(order.status);
                return Some((event(&order)?, open));
            }
            if open.ended {
                return None;
            }
            tokio::select! {
                () = credentials.context.gateway.drained() => return None,
                () = credentials.revoked() => return None,
                () = open.follow.rest(Interest::Change) => {}
            }
            match open.follow.read().await {
                Ok(newer) => open.next = newer,
                // The node that answers may be gone for a moment; whoever follows needs not notice.
                Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Deadline) => {}
                // The access token has ended, say: the client comes back with another and its last event's id.
                Err(_) => return None,
            }
        }
    })
}

fn event(order: &Order) -> Option<Event> {
    let data = serde_json::to_string(order).ok()?;
    Some(Event::message(data).event_type("status").id(order.version.to_string()))
}

fn text(description: &'static str) -> MetaSchemaRef {
    let mut schema = MetaSchema::new("string");
    schema.description = Some(description);
    MetaSchemaRef::Inline(Box::new(schema))
}

impl IntoResponse for OrderStream {
    fn into_response(self) -> Response {
        SSE::new(self.0).keep_alive(HEARTBEAT).into_response()
    }
}

impl ApiResponse for OrderStream {
    fn meta() -> MetaResponses {
        // Of a stream the document describes one event.
        let mut schema = MetaSchema::new("object");
        schema.properties = vec![
            ("id", text("The order's version; goes into `Last-Event-ID`.")),
            ("event", text("Always `status`.")),
            ("data", text("The order, as JSON.")),
        ];
        schema.required = vec!["id", "event", "data"];
        let schema = MetaSchemaRef::Inline(Box::new(schema));
        let content = vec![MetaMediaType { content_type: "text/event-stream", schema }];
        let description = "One event per change, until the order's story ends";
        let response =
            MetaResponse { description, status: Some(200), status_range: None, content, headers: Vec::new() };
        MetaResponses { responses: vec![response] }
    }

    fn register(_registry: &mut Registry) {}
}
