//! Every message of the shop in one list, made from the message types themselves: what generated pages, golden files
//! and other checks walk through. Each domain lists its own; a message that is declared and not listed fails a test.

use contract::{Answer, Command, Event, Query, Request, subject};

use crate::{carts, catalog, identity, inventory, operations, orders, payments, pricing};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MessageKind {
    /// Returns a reply, changes nothing.
    Query,
    /// Runs once per command id, changes state.
    Command,
    /// A fact.
    Event,
}

impl MessageKind {
    /// The label.
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
    /// The kind.
    pub kind: MessageKind,
    /// The domain that owns it.
    pub domain: &'static str,
    /// The operation, or the event's name.
    pub name: &'static str,
    /// The name of its Rust type.
    pub message: &'static str,
    /// The subject; of an event, all of its partitions.
    pub subject: String,
    /// Who may call it; `None` for an event.
    pub access: Option<String>,
    /// The name of the reply type.
    pub reply: Option<&'static str>,
    /// The name of the error type.
    pub error: Option<&'static str>,
    /// Of a command: whether its answer is stored for repeats.
    pub answer: Option<Answer>,
    /// Of a command: whether it is rejected while the caller's rights cannot be confirmed.
    pub is_sensitive: bool,
    /// Of a command: the fields whose values the audit log records.
    pub recorded: &'static [&'static str],
}

/// Every message of the shop.
pub fn registry() -> Vec<MessageInfo> {
    [
        identity::messages(),
        catalog::messages(),
        inventory::messages(),
        pricing::messages(),
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
        let (is_sensitive, recorded) = (C::SENSITIVE, C::RECORDED);
        Self { is_sensitive, recorded, ..Self::request::<C>(MessageKind::Command, Some(C::ANSWER)) }
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
            recorded: &[],
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
            recorded: &[],
        }
    }
}

/// A type's name without its path.
fn type_name<T>() -> &'static str {
    let path = std::any::type_name::<T>();
    path.rsplit("::").next().unwrap_or(path)
}
