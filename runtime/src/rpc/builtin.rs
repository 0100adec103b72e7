//! The requests that the runtime answers in every domain: the log for consumers of its events; the stream, projections
//! and trimming for the operator; dead letters for the operator and for callers with the configured access. Each is
//! declared beside its reply; `../responder/builtin.rs` has the table of their answers.

use contract::{ServiceError, subject};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{
    error::InternalError,
    rpc::client::{Call, Client, Replied},
};

/// The reply to a built-in request, or a service error.
pub(crate) type Outcome<T> = Result<Result<Replied<T>, ServiceError>, InternalError>;

/// The reply of a first run.
pub(crate) fn first_reply<T>(reply: T) -> Outcome<T> {
    Ok(Ok(Replied { reply, replayed: false }))
}

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
