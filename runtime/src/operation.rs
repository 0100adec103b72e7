//! From typed handlers to routes that the lanes can hold: the one place where message types are erased.

mod command;
mod deadline;
mod effect;
mod event;
mod query;
mod registration;

pub(crate) use command::{
    Before, CommandRoute, Handling, NotPrepared, OneByOne, Outcome, Prepared, PreparedCommand, Together, TypedCommand,
    is_reused,
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

/// Deletes some rows that nobody needs any more, so many at most; gives how many.
pub(crate) type Chore = Arc<dyn Fn(PgPool, u64) -> BoxFuture<'static, Result<u64, Breakage>> + Send + Sync>;

/// Everything a domain answers and reacts to.
#[derive(Default)]
pub(crate) struct Routes {
    pub queries: Vec<QueryRoute>,
    pub commands: Vec<CommandRoute>,
    pub events: Vec<EventRoute>,
    pub effects: Vec<EffectRoute>,
    pub deadlines: Vec<DeadlineRoute>,
    pub chores: Vec<Chore>,
    /// What the above was made of, in the order of its registration.
    pub registrations: Vec<Registration>,
}

/// A message whose type was erased.
pub(crate) type Erased = Box<dyn std::any::Any + Send + Sync>;

/// What a request's type fixes.
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
