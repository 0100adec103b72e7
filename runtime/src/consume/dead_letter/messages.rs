//! Requests about dead letters, and their replies.

use chrono::{DateTime, Utc};
use contract::{
    PageRequest, Pagination, ServiceError,
    subject::{guarded, internal},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::rpc::{
    builtin::BuiltinRequest,
    client::{Call, Client, Replied},
};

/// The kind of a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterKind {
    /// An event that the domain could not handle.
    Event,
    /// A call of an external system that the domain could not complete.
    Effect,
}

/// A dead letter: an event or effect that could not be handled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The id of the event or effect.
    pub id: Uuid,
    /// Whether it is an event or an effect.
    pub kind: DeadLetterKind,
    /// The domain that emitted the event, or that owns the effect.
    pub source: String,
    /// The name of the event or effect.
    pub name: String,
    /// The entity that it concerns; absent if the event cannot be decoded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Uuid>,
    /// Why it could not be handled.
    pub reason: String,
    /// The number of attempts.
    pub attempts: i32,
    /// When it was dead-lettered, after the last attempt; for an effect that no running node registers, when it became
    /// due.
    pub dead_lettered_at: DateTime<Utc>,
}

/// A page of dead letters, the oldest first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeadLetters {
    /// The events and effects.
    pub data: Vec<DeadLetter>,
    /// The position of the page in the list.
    pub pagination: Pagination,
}

/// A request for a page of the dead letters.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ListRequest(pub PageRequest);

impl BuiltinRequest for ListRequest {
    type Reply = DeadLetters;

    const INTERNAL: &'static str = internal::DEAD_LETTERS;
    const GUARDED: Option<&'static str> = Some(guarded::LIST_DEAD_LETTERS);
}

/// A request to redrive one dead letter.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RedriveRequest {
    pub id: Uuid,
}

impl BuiltinRequest for RedriveRequest {
    type Reply = DeadLetter;

    const INTERNAL: &'static str = internal::REDRIVE;
    const GUARDED: Option<&'static str> = Some(guarded::REDRIVE_DEAD_LETTER);
    const IS_COMMAND: bool = true;
}

impl Client {
    /// Lists the dead letters of a domain. If the call has an access token, the domain checks its rights; without one,
    /// the rights of the operator's NATS user apply.
    ///
    /// # Errors
    /// A service error, if the domain rejects the request or does not answer.
    pub async fn dead_letters(
        &self,
        domain: &str,
        request: &PageRequest,
        call: &Call,
    ) -> Result<DeadLetters, ServiceError> {
        Ok(self.ask_builtin(domain, &ListRequest(request.clone()), call).await?.reply)
    }

    /// Redrives a dead letter: the event is handled, or the effect performed, once more. Returns the dead letter as it
    /// was; the list shows whether it failed again. Rights as with [`Client::dead_letters`].
    ///
    /// # Errors
    /// A service error, if there is no such dead letter, or the domain rejects the request or does not answer.
    pub async fn redrive(&self, domain: &str, id: Uuid, call: &Call) -> Result<Replied<DeadLetter>, ServiceError> {
        self.ask_builtin(domain, &RedriveRequest { id }, call).await
    }
}
