//! The requests that the runtime answers in every domain: the log for consumers of its events; the stream, projections
//! and trimming for the operator; dead letters for the operator and for callers with the configured access.

use contract::{Access, ServiceError, subject};
use futures::future::{BoxFuture, FutureExt};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    api::{caller::Caller, error::InternalError, routes::RequestMeta},
    consume::{
        dead_letter::{ListRequest, RedriveRequest},
        rebuild::RebuildRequest,
    },
    log::{
        event_log::{EventsRequest, LogRequest},
        repair::republish::RepublishRequest,
        trim::{ConsumedRequest, TrimRequest},
    },
    rpc::{
        client::{Call, Client, Replied},
        responder::{Backing, IncomingRequest, Reply},
    },
};

/// The reply to a built-in request, or a service error.
pub(crate) type Outcome<T> = Result<Result<Replied<T>, ServiceError>, InternalError>;

/// A request that the runtime answers in every domain.
pub(crate) trait BuiltinRequest: Serialize + DeserializeOwned + Send + Sync + 'static {
    type Reply: Serialize + DeserializeOwned + Send;

    /// The operation for the operator and for other domains.
    const INTERNAL: &'static str;
    /// The operation for callers with the configured access.
    const GUARDED: Option<&'static str> = None;
    /// Whether consumers of the domain's events send it, by the internal operation. Only the operator sends the others,
    /// which undo, repeat or reveal the work of the domain.
    const IS_FOR_CONSUMERS: bool = false;
    const IS_COMMAND: bool = false;

    fn answer(self, cx: &BuiltinContext<'_>) -> impl Future<Output = Outcome<Self::Reply>> + Send;
}

/// What a built-in request is answered with.
pub(crate) struct BuiltinContext<'a> {
    pub domain: &'static str,
    pub client: &'a Client,
    pub backing: &'a Backing,
    pub caller: Caller,
    pub command_id: Option<Uuid>,
}

impl BuiltinContext<'_> {
    /// The reply of a first run.
    pub(crate) fn reply<T>(reply: T) -> Outcome<T> {
        Ok(Ok(Replied { reply, replayed: false }))
    }
}

/// Decodes a request, answers it and encodes the reply.
type Run = for<'a> fn(&'a BuiltinContext<'a>, &'a IncomingRequest) -> BoxFuture<'a, Result<Reply, InternalError>>;

/// A built-in request of a domain.
#[derive(Clone)]
pub(crate) struct BuiltinRoute {
    pub meta: RequestMeta,
    pub is_for_consumers: bool,
    pub run: Run,
}

impl BuiltinRoute {
    fn new<R: BuiltinRequest>(domain: &str, access: Access) -> Option<Self> {
        let is_internal = access == Access::Internal;
        let operation = if is_internal { R::INTERNAL } else { R::GUARDED? };
        let subject = subject::request(domain, operation, is_internal);
        let meta = RequestMeta { operation, subject, access, is_command: R::IS_COMMAND };
        let is_for_consumers = is_internal && R::IS_FOR_CONSUMERS;
        Some(Self { meta, is_for_consumers, run: |cx, incoming| run::<R>(cx, incoming).boxed() })
    }

    /// The routes of a domain: all for the operator, and those that `guarded` grants to other callers.
    pub(crate) fn all(domain: &str, guarded: Access) -> Vec<Self> {
        let with = |access| {
            [
                Self::new::<LogRequest>(domain, access),
                Self::new::<EventsRequest>(domain, access),
                Self::new::<ListRequest>(domain, access),
                Self::new::<RedriveRequest>(domain, access),
                Self::new::<RepublishRequest>(domain, access),
                Self::new::<RebuildRequest>(domain, access),
                Self::new::<ConsumedRequest>(domain, access),
                Self::new::<TrimRequest>(domain, access),
            ]
        };
        let granted = (guarded != Access::Internal).then(|| with(guarded));
        with(Access::Internal).into_iter().chain(granted.into_iter().flatten()).flatten().collect()
    }
}

/// The subjects of the built-in requests of a domain that consumers of its events send.
pub(crate) fn consumers_subjects(domain: &str) -> Vec<String> {
    BuiltinRoute::all(domain, Access::Internal)
        .into_iter()
        .filter(|route| route.is_for_consumers)
        .map(|route| route.meta.subject)
        .collect()
}

async fn run<R: BuiltinRequest>(cx: &BuiltinContext<'_>, incoming: &IncomingRequest) -> Result<Reply, InternalError> {
    let request: R = match incoming.decode_as() {
        Ok(request) => request,
        Err(error) => return Ok(error.of(cx.domain).into()),
    };
    match request.answer(cx).await? {
        Ok(Replied { reply, replayed }) => {
            Ok(Reply::Success { body: incoming.format.encode(&reply).map_err(InternalError::other)?, replayed })
        }
        Err(error) => Ok(error.of(cx.domain).into()),
    }
}

impl Client {
    /// Sends a built-in request to a domain: with an access token to the operation for callers, where there is one;
    /// otherwise to the internal operation.
    pub(crate) async fn ask_builtin<R: BuiltinRequest>(
        &self,
        domain: &str,
        request: &R,
        call: &Call,
    ) -> Result<Replied<R::Reply>, ServiceError> {
        let subject = match (&call.authorization, R::GUARDED) {
            (Some(_), Some(operation)) => subject::request(domain, operation, false),
            _ => subject::request(domain, R::INTERNAL, true),
        };
        let command_id = R::IS_COMMAND.then(|| call.command_id.unwrap_or_else(Uuid::now_v7));
        let answered = self.request(subject, domain, request, call, command_id).await?;
        answered.map_err(|error| ServiceError::from(*error).of(domain))
    }
}
