//! The message traits: a type fixes its subject, its reply and its error.

use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use crate::{Access, DomainError, subject};

/// A message with a reply: a [`Query`] or a [`Command`].
pub trait Request: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The domain that owns the operation.
    const DOMAIN: &'static str;
    /// The name of the operation, in `snake_case`, unique in its domain.
    const OPERATION: &'static str;
    /// Who may call it.
    const ACCESS: Access;
    /// The reply on success.
    type Reply: Serialize + DeserializeOwned + Send + Sync + 'static;
    /// The domain error.
    type Error: DomainError;

    /// The subject to which the owning domain subscribes.
    fn subject() -> String {
        subject::request(Self::DOMAIN, Self::OPERATION, matches!(Self::ACCESS, Access::Internal))
    }
}

/// A read. Any node of the domain answers it, from its database or from memory, without side effects.
pub trait Query: Request {}

/// A query whose requests can travel in one message: a request names a set of keys, and a reply has entries by key.
///
/// Only for queries between domains, whose callers all have the same rights.
pub trait Coalesce: Query<Error: Clone> {
    /// The most keys of a message, so that its reply fits into one. A request with more of them travels alone.
    const MAX_KEYS: usize;

    /// The number of keys.
    fn keys(&self) -> usize;

    /// A request for the keys of all.
    fn merge(queries: &[&Self]) -> Self;

    /// The reply to each query, in their order, from the reply to all.
    fn split(queries: &[&Self], reply: Self::Reply) -> Vec<Self::Reply>;
}

/// Whether the answer to a command is stored, to be replayed when the command is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Stored with the command's id: a repeat gets the same answer.
    Kept,
    /// Never stored, because it contains a secret. It must be safe to run such a command twice. Of its body only a hash
    /// of the key is stored, to detect a repeat for another entity.
    Secret,
}

/// A write. It has one effect and one answer per caller and command id, however often the caller repeats it.
pub trait Command: Request + Clone {
    /// Whether its answer may be stored.
    const ANSWER: Answer = Answer::Kept;
    /// Whether the caller's rights must be confirmed as not revoked: the command is rejected with 503 while revocations
    /// cannot be read.
    const SENSITIVE: bool = false;
    /// The fields whose values the audit log records, by name: `role`, or `changes.role` of a field in an object. Of
    /// the others it records the name only, because they may be personal data.
    const RECORDED: &'static [&'static str] = &[];

    /// The entity that the command changes, which selects its lane; `None` if the command creates it. Never a secret.
    fn key(&self) -> Option<Uuid>;
}

/// A durable fact. The payload contains ids and business facts, but no personal data.
pub trait Event: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The domain that emits the event.
    const DOMAIN: &'static str;
    /// The event's name in its domain, in `snake_case`.
    const NAME: &'static str;

    /// The entity that changed. Its version counts its events.
    fn entity(&self) -> Uuid;

    /// The value of the `ce-type` header.
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

/// Declares a command:
/// `command!(AddThing, "things", "add", Access::Public => Thing, ThingsError, key = |c| Some(c.id))`.
#[macro_export]
macro_rules! command {
    ($message:ty, $domain:expr, $operation:literal, $access:expr => $reply:ty, $error:ty, key = $key:expr
        $(, answer = $answer:expr)? $(, sensitive = $sensitive:expr)? $(, recorded = $recorded:expr)?) => {
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
            $(const RECORDED: &'static [&'static str] = &$recorded;)?
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
