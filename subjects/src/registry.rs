//! Every message of the shop in one list, made from the message types themselves: what generated pages, golden files
//! and other checks walk through. Each domain lists its own; a message that is declared and not listed fails a test.

use contract::{Answer, Command, Event, Query, Request, subject};

use crate::{carts, catalog, identity, inventory, operations, orders, payments};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageKind {
    /// Answered, changes nothing.
    Query,
    /// Answered once per command id, changes something.
    Command,
    /// A fact.
    Event,
}

impl MessageKind {
    /// In a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Command => "command",
            Self::Event => "event",
        }
    }
}

/// What the type of a message fixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageInfo {
    /// What it is.
    pub kind: MessageKind,
    /// Whose it is.
    pub domain: &'static str,
    /// The operation, or the event's name.
    pub name: &'static str,
    /// The name of its Rust type.
    pub message: &'static str,
    /// Where it is sent; of an event, all of its partitions.
    pub subject: String,
    /// Who may call it. An event is called by nobody.
    pub access: Option<String>,
    /// The name of the type that a success answers.
    pub reply: Option<&'static str>,
    /// The name of the type that a refusal answers.
    pub error: Option<&'static str>,
    /// Of a command: whether its answer is stored for those who repeat it.
    pub answer: Option<Answer>,
    /// Of a command: whether it is rejected while it cannot be told that the caller's rights still hold.
    pub is_sensitive: bool,
}

/// Every message of the shop.
pub fn registry() -> Vec<MessageInfo> {
    [
        identity::messages(),
        catalog::messages(),
        inventory::messages(),
        carts::messages(),
        orders::messages(),
        payments::messages(),
        operations::messages(),
    ]
    .concat()
}

impl MessageInfo {
    /// A query.
    pub(crate) fn query<Q: Query>() -> Self {
        Self::request::<Q>(MessageKind::Query, None)
    }

    /// A command.
    pub(crate) fn command<C: Command>() -> Self {
        Self { is_sensitive: C::SENSITIVE, ..Self::request::<C>(MessageKind::Command, Some(C::ANSWER)) }
    }

    fn request<R: Request>(kind: MessageKind, answer: Option<Answer>) -> Self {
        Self {
            kind,
            domain: R::DOMAIN,
            name: R::OPERATION,
            message: type_name::<R>(),
            subject: R::subject(),
            access: Some(R::ACCESS.describe()),
            reply: Some(type_name::<R::Reply>()),
            error: Some(type_name::<R::Error>()),
            answer,
            is_sensitive: false,
        }
    }

    /// An event.
    pub(crate) fn event<E: Event>() -> Self {
        Self {
            kind: MessageKind::Event,
            domain: E::DOMAIN,
            name: E::NAME,
            message: type_name::<E>(),
            subject: subject::event_filter(E::DOMAIN, E::NAME),
            access: None,
            reply: None,
            error: None,
            answer: None,
            is_sensitive: false,
        }
    }
}

/// A type's name without its path.
fn type_name<T>() -> &'static str {
    let path = std::any::type_name::<T>();
    path.rsplit("::").next().unwrap_or(path)
}
