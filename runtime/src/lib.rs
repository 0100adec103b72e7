//! The actor runtime over NATS and PostgreSQL. It contains no business logic.
//!
//! A domain author writes message types, [`Domain`] with one registration line per message, one file per operation, its
//! SQL and its migration. The runtime provides retries, deduplication, transactions, subscriptions, metrics and spans.
//!
//! Its guarantees: the writes, events, effects and answer of a step are one SQL commit; a command id has one effect and
//! one answer; an (event, consumer) pair has one effect; no event of another domain is missed, whatever the broker
//! loses.

mod auth;
mod batcher;
mod builtin;
mod caller;
mod catch_up;
mod client;
mod clock;
mod command_log;
mod connect;
mod consumer;
mod context;
mod database;
mod dead_letter;
mod deadlines;
mod domain;
mod effects;
mod fail;
mod failure;
mod guard;
mod holes;
mod lane;
mod lease;
mod log;
mod machine;
mod maintenance;
mod metrics;
mod node;
mod operation;
mod publisher;
mod rebuild;
mod refill;
mod responder;
mod revocations;
mod service;
mod sql;
mod stream;
mod supervise;
mod tail;
mod trim;
mod tx;

pub(crate) use fail::fail_point;

pub use auth::{KeySource, TokenSources, Verifier};
pub use batcher::Batcher;
pub use caller::{Caller, Identity, secret_digest};
pub use client::{Call, Client, Replied};
pub use connect::{NatsConfig, NatsTls, connect};
pub use context::{Context, ServiceContext};
pub use database::migrate;
pub use dead_letter::{DeadLetter, DeadLetterKind, DeadLetters};
pub use domain::{
    Answer, AnswerBatch, Commanded, Delivered, Domain, Due, Effect, Handle, HandleBatch, Perform, Performed, Prepare,
    Project, Queried, React, Registry, Tidy,
};
pub use failure::{Answered, Breakage, HandleError, Handled, PrepareError, QueryError};
pub use machine::{Machine, Transition, Transitions};
pub use metrics::Metrics;
pub use node::{DomainHealth, Health, KeysQuery, Node, NodeBuilder, NodeConfig, RevocationsQuery, edge};
pub use revocations::{REVOCATIONS, RevocationSource};
pub use service::{Serve, Service, ServiceRegistry};
pub use sql::{Allowed, Locks, Reads, Writes};
pub use stream::StreamSpec;
pub use trim::{Consumed, Trimmed};
pub use tx::{Cause, Tx, Version};
