//! Converts typed handlers into routes that lanes can hold. The only module that erases message types.

mod command;
mod deadline;
mod effect;
mod event;
mod query;
mod registration;

pub(crate) use command::{
    Before, CommandRoute, Handling, NotPrepared, OneByOne, Outcome, Prepared, PreparedCommand, Together, TypedCommand,
};
pub(crate) use deadline::{DeadlineRoute, DeadlineSource};
pub(crate) use effect::{EffectHandler, EffectRoute, EffectRow};
pub(crate) use event::{EventHead, EventRoute};
pub(crate) use query::{QueryContext, QueryOutcome, QueryRoute};
pub(crate) use registration::{Registration, defects};

use std::sync::Arc;

use contract::{Access, Request};
use futures::future::BoxFuture;
use sqlx::PgPool;

use crate::failure::Breakage;

/// A maintenance job: deletes expired rows, at most as many as given, and returns their number.
pub(crate) type Chore = Arc<dyn Fn(PgPool, u64) -> BoxFuture<'static, Result<u64, Breakage>> + Send + Sync>;

/// Everything a domain registers.
#[derive(Default)]
pub(crate) struct Routes {
    pub queries: Vec<QueryRoute>,
    pub commands: Vec<CommandRoute>,
    pub events: Vec<EventRoute>,
    pub effects: Vec<EffectRoute>,
    pub deadlines: Vec<DeadlineRoute>,
    pub chores: Vec<Chore>,
    /// The registrations of the routes above, in order.
    pub registrations: Vec<Registration>,
}

/// A message whose type is erased.
pub(crate) type Erased = Box<dyn std::any::Any + Send + Sync>;

/// The metadata that a request's type fixes.
#[derive(Debug, Clone)]
pub(crate) struct RequestMeta {
    pub operation: &'static str,
    pub subject: String,
    pub access: Access,
    pub is_command: bool,
}

impl RequestMeta {
    fn of<R: Request>(is_command: bool) -> Self {
        Self { operation: R::OPERATION, subject: R::subject(), access: R::ACCESS, is_command }
    }
}
