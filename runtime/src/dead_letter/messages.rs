//! What is asked about what is parked, and answered.

use chrono::{DateTime, Utc};
use contract::{
    Fault, PageRequest, Pagination,
    subject::{self, guarded, internal},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::client::{Call, Client, Replied};

/// What it is that was parked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeadLetterKind {
    /// An event that the domain could not handle.
    #[default]
    Event,
    /// A call of the outside world that the domain could not get through.
    Effect,
}

/// A parked event or effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The event, or the effect.
    pub id: Uuid,
    /// Which of them it is. Answers that were kept before effects were listed do not say.
    #[serde(default)]
    pub kind: DeadLetterKind,
    /// Whose it is: an effect is its domain's own.
    pub source: String,
    /// Its name there.
    pub name: String,
    /// The thing it is about; absent where an event cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entity: Option<Uuid>,
    /// Why it could not be done.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i32,
    /// When it was parked, after the last try; of an effect that no running node registers, since when it is due.
    pub parked_at: DateTime<Utc>,
}

/// A page of what is parked, the longest parked first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct DeadLetters {
    /// The events and effects.
    pub data: Vec<DeadLetter>,
    /// Where the page stands.
    pub pagination: Pagination,
}

/// Asks for one to be tried again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RedriveRequest {
    pub id: Uuid,
}

impl Client {
    /// What a domain has parked. With an access token in the call the domain checks that; without one the operator
    /// asks, by the rights of its NATS user.
    ///
    /// # Errors
    /// A fault, where the domain refuses or does not answer.
    pub async fn dead_letters(&self, domain: &str, request: &PageRequest, call: &Call) -> Result<DeadLetters, Fault> {
        let subject = match call.authorization {
            Some(_) => subject::request(domain, guarded::LIST_DEAD_LETTERS, false),
            None => subject::request(domain, internal::DEAD_LETTERS, true),
        };
        Ok(self.ask_common(subject, domain, request, call, None).await?.reply)
    }

    /// Has a parked event handled, or a parked effect performed, once more, and tells what it was; whoever looks at the
    /// list again sees whether it was parked once more. Rights as with [`Client::dead_letters`].
    ///
    /// # Errors
    /// A fault, where it is not parked, or the domain refuses or does not answer.
    pub async fn redrive(&self, domain: &str, id: Uuid, call: &Call) -> Result<Replied<DeadLetter>, Fault> {
        let subject = match call.authorization {
            Some(_) => subject::request(domain, guarded::REDRIVE_DEAD_LETTER, false),
            None => subject::request(domain, internal::REDRIVE, true),
        };
        let command = call.command_id.unwrap_or_else(Uuid::now_v7);
        self.ask_common(subject, domain, &RedriveRequest { id }, call, Some(command)).await
    }
}
