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
    server::{
        follow::{Follow, is_terminal},
        notices::Interest,
    },
};

/// The interval of comments on an idle stream, so that proxies do not consider the connection dead.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The states of one order, until it is final.
pub(crate) struct OrderStream(BoxStream<'static, Event>);

impl OrderStream {
    /// Follows an order from the version after `seen`; `order` was read to check the caller's access.
    pub(crate) async fn open(credentials: &Credentials, order: Order, seen: i64) -> Result<Self, ApiError> {
        let permit = credentials.context.gateway.streams.clone().try_acquire_owned().map_err(|_| {
            ApiError::new(ErrorKind::Unavailable, "too_many_streams", "Too many orders are being followed. Try again.")
        })?;
        let mut follow = Follow::open(credentials.clone(), &order, seen);
        // Read after registering, so that no change is missed.
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
                // The domain may be unavailable for a moment; the stream continues.
                Err(error) if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Deadline) => {}
                // Such as an expired access token: the client reconnects with another and its last event's id.
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
        // The document describes one event of the stream.
        let mut schema = MetaSchema::new("object");
        schema.properties = vec![
            ("id", text("The order's version, for `Last-Event-ID`.")),
            ("event", text("Always `status`.")),
            ("data", text("The order, as JSON.")),
        ];
        schema.required = vec!["id", "event", "data"];
        let schema = MetaSchemaRef::Inline(Box::new(schema));
        let content = vec![MetaMediaType { content_type: "text/event-stream", schema }];
        let description = "One event per change, until the order is final";
        let response =
            MetaResponse { description, status: Some(200), status_range: None, content, headers: Vec::new() };
        MetaResponses { responses: vec![response] }
    }

    fn register(_registry: &mut Registry) {}
}
