//! The actor runtime over NATS and PostgreSQL. It contains no business logic.
//!
//! A domain author writes message types, [`Domain`] with one registration line per message, one file per operation, its
//! SQL and its migration. The runtime provides retries, deduplication, transactions, subscriptions, metrics and spans.
//!
//! Its guarantees: the writes, events, effects and answer of a step are one SQL commit; a command id has one effect and
//! one answer; an (event, consumer) pair has one effect; no event of another domain is missed, whatever the broker
//! loses.
//!
//! To read first: `api/domain.rs` (what a domain is), `lane/batch.rs` (the transaction of a batch, and its commit),
//! `log/publisher.rs` (events to the stream), `consume/catch_up.rs` (events that the stream has lost). Subjects are
//! declared beside the message types, by the macros of `runtime/contract/src/message.rs`; their format is in
//! `runtime/contract/src/subject.rs`.

mod api;
mod batcher;
mod breaker;
mod clock;
mod consume;
mod database;
mod error;
mod fail;
mod guard;
mod jobs;
mod lane;
mod log;
mod node;
mod responder;
mod rpc;

pub use fail::fail_point;

pub use api::audit::AuditedField;
pub use api::caller::{Caller, secret_digest};
pub use api::context::{Context, ServiceContext};
pub use api::domain::{
    Answer, AnswerBatch, CommandEnvelope, DeadlineSource, Domain, Effect, EffectHandler, EffectResult, EventEnvelope,
    Handle, HandleBatch, History, Prepare, Projection, QueryEnvelope, React, Registry, Retention,
};
pub use api::machine::{Machine, Transition, Transitions};
pub use api::service::{Serve, Service, ServiceRegistry};
pub use api::sql::{Allowed, LastWrite, LastWrites, Locks, Reads, Writes};
pub use api::tx::{Cause, Tx, Version};
pub use batcher::Batcher;
pub use breaker::CircuitBreaker;
pub use consume::dead_letter::{DeadLetter, DeadLetterKind, DeadLetters};
pub use database::{MigrationError, migrate};
pub use error::{HandleError, HandlerResult, InternalError, PrepareError, QueryError, QueryResult};
pub use lane::audit::{AuditEntry, AuditFilter, AuditPage};
pub use log::stream::StreamSpec;
pub use log::trim::{Consumed, Trimmed};
pub use node::metrics::{METRICS, MetricInfo, MetricKind, Metrics};
pub use node::{DomainHealth, Health, KeysQuery, Node, NodeBuilder, NodeConfig, RevocationsQuery, Uses, edge};
pub use rpc::auth::{Identity, KeySource, TokenSources, Verifier};
pub use rpc::client::{Call, Client, Replied};
pub use rpc::connect::{NatsConfig, NatsTls, connect};
pub use rpc::revocations::{REVOCATIONS, RevocationSource};
