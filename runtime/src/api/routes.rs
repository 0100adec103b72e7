//! Converts typed handlers into routes that lanes can hold, which erases the types of messages.

mod command;
mod deadline;
mod effect;
mod event;
mod query;
mod registration;

pub(crate) use command::{
    CommandRoute, DecodedCommand, Outcome, PrepareCommand, PreparedCommand, one_by_one, prepared, together, unprepared,
};
pub(crate) use deadline::DeadlineRoute;
pub(crate) use effect::{EffectRoute, EffectRow};
pub(crate) use event::EventRoute;
pub(crate) use query::{QueryContext, QueryRoute};
pub(crate) use registration::{Calls, Registration, defects};

use std::{any::Any, sync::Arc, time::Duration};

use contract::{Access, Request};
use futures::future::BoxFuture;
use sqlx::PgPool;

use crate::{api::tx::Tx, error::InternalError};

/// A maintenance job: deletes expired rows, at most as many as given, and returns their number.
pub(crate) type MaintenanceJob =
    Arc<dyn Fn(PgPool, u64) -> BoxFuture<'static, Result<u64, InternalError>> + Send + Sync>;

/// Trims the history of a domain: rows older than the duration, at most as many as given. Returns their number.
pub(crate) type TrimHistory =
    Arc<dyn Fn(PgPool, Duration, u64) -> BoxFuture<'static, Result<u64, InternalError>> + Send + Sync>;

/// Everything a domain registers.
#[derive(Default)]
pub(crate) struct Routes {
    pub queries: Vec<QueryRoute>,
    pub commands: Vec<CommandRoute>,
    pub events: Vec<EventRoute>,
    pub effects: Vec<EffectRoute>,
    pub deadlines: Vec<DeadlineRoute>,
    pub maintenance_jobs: Vec<MaintenanceJob>,
    pub history: Option<TrimHistory>,
    /// The registrations of the routes above, in order.
    pub registrations: Vec<Registration>,
}

/// A message whose type is erased.
pub(crate) type Erased = Box<dyn Any + Send + Sync>;

/// The items of a batch for one handler.
pub(crate) type Batch<'a> = &'a [&'a (dyn Any + Send + Sync)];

/// Runs a handler on a batch.
pub(crate) type Run<R> =
    Arc<dyn for<'a, 'c> Fn(&'a mut Tx<'c>, Batch<'a>) -> BoxFuture<'a, Result<R, InternalError>> + Send + Sync>;

/// Restores the type of a batch's items. Items are batched by route, so that the type is always that of the handler.
fn typed<'a, T: 'static>(batch: Batch<'a>) -> Result<Vec<&'a T>, InternalError> {
    let items: Option<Vec<&T>> = batch.iter().map(|item| item.downcast_ref()).collect();
    items.ok_or_else(|| InternalError::other("an item was passed to the wrong handler"))
}

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
