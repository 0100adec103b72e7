//! Type-erased deadlines.

use std::{marker::PhantomData, sync::Arc};

use contract::Command;
use futures::future::{BoxFuture, FutureExt};
use sqlx::PgPool;
use uuid::Uuid;

use super::Erased;
use crate::{
    domain::{Domain, Due},
    failure::Breakage,
    sql::Reads,
};

/// A query for due deadlines, and the command that handles them.
#[derive(Clone)]
pub(crate) struct DeadlineRoute {
    pub operation: &'static str,
    pub source: Arc<dyn ErasedDeadline>,
}

impl DeadlineRoute {
    pub(crate) fn new<D: Due<C>, C: Command>(source: DeadlineSource<D, C>) -> Self {
        Self { operation: C::OPERATION, source: Arc::new(source) }
    }
}

pub(crate) trait ErasedDeadline: Send + Sync {
    /// Returns due commands. Their ids are derived from key and deadline, so that a restored database emits events with
    /// the same ids.
    fn due<'a>(&'a self, db: &'a PgPool, limit: i64) -> BoxFuture<'a, Result<Vec<(Uuid, Erased)>, Breakage>>;
}

pub(crate) struct DeadlineSource<D, C> {
    domain: Arc<D>,
    command: PhantomData<fn(C)>,
}

impl<D, C> DeadlineSource<D, C> {
    pub(crate) fn new(domain: Arc<D>) -> Self {
        Self { domain, command: PhantomData }
    }
}

impl<D: Domain + Due<C>, C: Command> ErasedDeadline for DeadlineSource<D, C> {
    fn due<'a>(&'a self, db: &'a PgPool, limit: i64) -> BoxFuture<'a, Result<Vec<(Uuid, Erased)>, Breakage>> {
        async move {
            let due = self.domain.due(Reads::of_pool(db), limit).await?;
            Ok(due
                .into_iter()
                .map(|(deadline, command)| {
                    let key = command.key().unwrap_or_default();
                    let id = Uuid::new_v5(&key, &deadline.timestamp_micros().to_be_bytes());
                    (id, Box::new(command) as Erased)
                })
                .collect())
        }
        .boxed()
    }
}
