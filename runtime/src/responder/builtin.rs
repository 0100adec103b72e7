//! Answers the requests of the runtime itself.

use contract::{Access, Position, ServiceError, UnknownFields, subject};
use futures::future::{BoxFuture, FutureExt};
use uuid::Uuid;

use super::{Backing, IncomingRequest, Reply};
use crate::{
    api::{caller::Caller, routes::RequestMeta},
    consume::{
        catch_up::cursors::recently_used,
        dead_letter::{DeadLetterRows, ListRequest, RedriveRequest},
        rebuild::{self, RebuildRequest},
    },
    error::InternalError,
    lane::audit::{self, ListAuditRequest},
    log::{
        event_log::{self, EventsRequest, LogRequest},
        repair::republish::{self, RepublishRequest},
        trim::{self, ConsumedRequest, TrimRequest},
    },
    rpc::{
        builtin::{BuiltinRequest, Outcome, first_reply},
        client::{Client, Replied},
    },
};

/// What a built-in request is answered with.
pub(super) struct BuiltinContext<'a> {
    pub domain: &'static str,
    pub client: &'a Client,
    pub backing: &'a Backing,
    pub caller: Caller,
    pub command_id: Option<Uuid>,
}

impl BuiltinContext<'_> {
    fn dead_letters(&self) -> DeadLetterRows<'_> {
        DeadLetterRows { lanes: &self.backing.lanes, events: &self.backing.events }
    }
}

/// Answers a decoded request.
type Answer<R> = for<'a> fn(R, &'a BuiltinContext<'a>) -> BoxFuture<'a, Outcome<<R as BuiltinRequest>::Reply>>;

/// Decodes a request, answers it and encodes the reply.
type Run = dyn for<'a> Fn(&'a BuiltinContext<'a>, &'a IncomingRequest) -> BoxFuture<'a, RunResult> + Send + Sync;

type RunResult = Result<Result<Reply, ServiceError>, InternalError>;

/// A built-in request of a domain.
pub(crate) struct BuiltinRoute {
    pub meta: RequestMeta,
    is_for_consumers: bool,
    pub(super) run: Box<Run>,
}

impl BuiltinRoute {
    fn new<R: BuiltinRequest>(domain: &str, access: Access, answer: Answer<R>) -> Option<Self> {
        let is_internal = access == Access::Internal;
        let operation = if is_internal { R::INTERNAL } else { R::GUARDED? };
        let subject = subject::request(domain, operation, is_internal);
        let meta = RequestMeta { operation, subject, access, is_command: R::IS_COMMAND };
        let is_for_consumers = is_internal && R::IS_FOR_CONSUMERS;
        Some(Self { meta, is_for_consumers, run: Box::new(move |cx, incoming| run(answer, cx, incoming).boxed()) })
    }

    /// The routes of a domain: all for the operator, and those that `guarded` grants to other callers.
    pub(crate) fn all(domain: &str, guarded: Access) -> Vec<Self> {
        let granted = (guarded != Access::Internal).then(|| Self::with(domain, guarded));
        Self::with(domain, Access::Internal).into_iter().chain(granted.into_iter().flatten()).flatten().collect()
    }

    fn with(domain: &str, access: Access) -> [Option<Self>; 9] {
        [
            Self::new::<LogRequest>(domain, access, |request, cx| {
                async move { first_reply(event_log::page(&cx.backing.db.lanes, &request).await?) }.boxed()
            }),
            Self::new::<EventsRequest>(domain, access, |request, cx| {
                async move { first_reply(request.answer(&cx.backing.db.lanes).await?) }.boxed()
            }),
            Self::new::<ListRequest>(domain, access, |request, cx| {
                async move { cx.dead_letters().list(&request).await }.boxed()
            }),
            Self::new::<RedriveRequest>(domain, access, |request, cx| {
                async move { cx.dead_letters().redrive(request, &cx.caller, cx.command_id).await }.boxed()
            }),
            Self::new::<ListAuditRequest>(domain, access, |request, cx| {
                async move { audit::list(cx.domain, &cx.backing.db.reads, &request).await }.boxed()
            }),
            Self::new::<RepublishRequest>(domain, access, |_, cx| {
                async { first_reply(republish::begin(&cx.backing.db.lanes, Position::START).await?) }.boxed()
            }),
            Self::new::<RebuildRequest>(domain, access, |request, cx| {
                let Backing { db, events, .. } = cx.backing;
                async move { rebuild::begin(cx.domain, &db.lanes, events, cx.client, &request.source).await }.boxed()
            }),
            Self::new::<ConsumedRequest>(domain, access, |request, cx| {
                let Backing { db, events, .. } = cx.backing;
                async move {
                    let used = recently_used(&db.lanes, &request.source).await?;
                    first_reply(trim::consumed(cx.domain, &db.lanes, events, &request.source, used).await?)
                }
                .boxed()
            }),
            Self::new::<TrimRequest>(domain, access, |request, cx| {
                async move {
                    let Backing { db, streams, history, .. } = cx.backing;
                    trim::run(&db.lanes, streams, history.as_ref(), &request).await
                }
                .boxed()
            }),
        ]
    }
}

/// The subjects of the built-in requests of a domain that consumers of its events send.
pub(crate) fn consumers_subjects(domain: &str) -> Vec<String> {
    let routes = BuiltinRoute::all(domain, Access::Internal).into_iter();
    routes.filter(|route| route.is_for_consumers).map(|route| route.meta.subject).collect()
}

async fn run<R: BuiltinRequest>(answer: Answer<R>, cx: &BuiltinContext<'_>, incoming: &IncomingRequest) -> RunResult {
    let decoded = incoming.decode(|format, body| format.decode_request(body, UnknownFields::Ignore));
    let request: R = match decoded {
        Ok(request) => request,
        Err(error) => return Ok(Err(error)),
    };
    match answer(request, cx).await? {
        Ok(Replied { reply, replayed }) => {
            let body = incoming.format.encode(&reply).map_err(InternalError::other)?;
            Ok(Ok(Reply::Success { body, replayed }))
        }
        Err(error) => Ok(Err(error)),
    }
}
