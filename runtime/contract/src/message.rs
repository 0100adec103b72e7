//! The message traits: a type fixes its subject, its reply and its error.

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{Access, Refusal, subject};

/// A message that is answered: a [`Query`] or a [`Command`].
pub trait Request: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The domain that owns the operation.
    const DOMAIN: &'static str;
    /// The operation, in `snake_case`, unique in its domain.
    const OPERATION: &'static str;
    /// Who may call it.
    const ACCESS: Access;
    /// What a success answers.
    type Reply: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What a refusal answers.
    type Error: Refusal;

    /// The subject on which the owning domain listens.
    fn subject() -> String {
        subject::request(Self::DOMAIN, Self::OPERATION, matches!(Self::ACCESS, Access::Internal))
    }
}

/// A read: any node answers it, from a pool or from memory, and nothing changes.
pub trait Query: Request {}

/// Whether the answer to a command is stored for those who repeat it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Stored with the command's id: a repeat gets the same answer.
    Kept,
    /// Never stored, because it holds a secret. Such a command must bear being run twice. Of its body only the key leaves a
    /// trace, by which a repeat for another entity is told.
    Secret,
}

/// A write: it has one effect and one answer per command id, whoever repeats it.
pub trait Command: Request + Clone {
    /// Whether its answer may be stored.
    const ANSWER: Answer = Answer::Kept;
    /// Whether it must not run on rights that may have been revoked: rejected with 503 while revocations cannot be read.
    const SENSITIVE: bool = false;

    /// The entity the command touches, which names its lane; `None` where the command creates one. Never a secret.
    fn key(&self) -> Option<Uuid>;
}

/// A durable fact. The payload holds ids and facts of the trade, no personal data.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The domain whose fact it is.
    const DOMAIN: &'static str;
    /// The event's name in its domain, in `snake_case`.
    const NAME: &'static str;

    /// The entity that changed; versions count per entity.
    fn entity(&self) -> Uuid;

    /// The type as the `ce-type` header names it.
    fn event_type() -> String {
        format!("{}.{}.{}", crate::SYSTEM, Self::DOMAIN, Self::NAME)
    }
}

/// Declares a query: `query!(GetThing, "things", "get", Access::Public => Thing, ThingsError)`.
#[macro_export]
macro_rules! query {
    ($message:ty, $domain:expr, $operation:literal, $access:expr => $reply:ty, $error:ty) => {
        impl $crate::Request for $message {
            const DOMAIN: &'static str = $domain;
            const OPERATION: &'static str = $operation;
            const ACCESS: $crate::Access = $access;
            type Reply = $reply;
            type Error = $error;
        }
        impl $crate::Query for $message {}
    };
}

/// Declares a command: `command!(AddThing, "things", "add", Access::Public => Thing, ThingsError, key = |c| Some(c.id))`.
#[macro_export]
macro_rules! command {
    ($message:ty, $domain:expr, $operation:literal, $access:expr => $reply:ty, $error:ty, key = $key:expr
        $(, answer = $answer:expr)? $(, sensitive = $sensitive:expr)?) => {
        impl $crate::Request for $message {
            const DOMAIN: &'static str = $domain;
            const OPERATION: &'static str = $operation;
            const ACCESS: $crate::Access = $access;
            type Reply = $reply;
            type Error = $error;
        }
        impl $crate::Command for $message {
            $(const ANSWER: $crate::Answer = $answer;)?
            $(const SENSITIVE: bool = $sensitive;)?
            fn key(&self) -> Option<::uuid::Uuid> { let of: fn(&Self) -> Option<::uuid::Uuid> = $key; of(self) }
        }
    };
}

/// Declares an event: `event!(ThingAdded, "things", "added", entity = |e| e.id)`.
#[macro_export]
macro_rules! event {
    ($message:ty, $domain:expr, $name:literal, entity = $entity:expr) => {
        impl $crate::Event for $message {
            const DOMAIN: &'static str = $domain;
            const NAME: &'static str = $name;
            fn entity(&self) -> ::uuid::Uuid {
                let of: fn(&Self) -> ::uuid::Uuid = $entity;
                of(self)
            }
        }
    };
}
