//! Type-erased deadlines.

use std::{collections::HashSet, sync::Arc};

use contract::{Command, DecodeError};
use futures::future::{BoxFuture, FutureExt};
use sqlx::PgPool;
use uuid::Uuid;

use super::command::{DecodedCommand, decoded};
use crate::{
    api::{domain::DeadlineSource, sql::Reads},
    error::InternalError,
};

/// Returns at most so many due commands. Their ids are derived from key and deadline, so that a restored database emits
/// events with the same ids.
type FindDue =
    dyn Fn(PgPool, i64) -> BoxFuture<'static, Result<Vec<(Uuid, DecodedCommand)>, InternalError>> + Send + Sync;

/// A query for due deadlines, and the command that handles them.
#[derive(Clone)]
pub(crate) struct DeadlineRoute {
    pub operation: &'static str,
    pub due: Arc<FindDue>,
}

impl DeadlineRoute {
    pub(crate) fn new<D: DeadlineSource<C>, C: Command>(domain: Arc<D>) -> Self {
        let due = move |db: PgPool, limit| {
            let domain = domain.clone();
            async move {
                let due = domain.due(Reads::of_pool(&db), limit).await?.into_iter();
                // One command per entity: a second one in the same batch could decide before the first is written.
                let mut entities = HashSet::new();
                let due = due.filter(|(_, command)| command.key().is_none_or(|key| entities.insert(key)));
                let with_id = due.map(|(deadline, command)| {
                    let key = command.key().unwrap_or_default();
                    let id = Uuid::new_v5(&key, &deadline.timestamp_micros().to_be_bytes());
                    Ok((id, decoded(command)?))
                });
                with_id.collect::<Result<_, DecodeError>>().map_err(InternalError::other)
            }
            .boxed()
        };
        Self { operation: C::OPERATION, due: Arc::new(due) }
    }
}
