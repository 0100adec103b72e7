//! Type-erased effects.

use std::sync::Arc;

use futures::future::{BoxFuture, FutureExt};
use uuid::Uuid;

use super::{Erased, Run, typed};
use crate::{
    api::{
        context::Context,
        domain::{Effect, EffectHandler, EffectResult},
        tx::Cause,
    },
    error::InternalError,
};

/// Calls the external system. Returns the effect result, which the lane passes to `finish`.
type PerformEffect =
    dyn for<'a> Fn(&'a Context, &'a EffectRow) -> BoxFuture<'a, Result<Erased, InternalError>> + Send + Sync;

/// An effect that a domain performs.
#[derive(Clone)]
pub(crate) struct EffectRoute {
    pub name: &'static str,
    pub perform: Arc<PerformEffect>,
    pub finish: Run<()>,
}

impl EffectRoute {
    pub(crate) fn new<D: EffectHandler<F>, F: Effect>(domain: Arc<D>) -> Self {
        let performer = domain.clone();
        let finish: Run<()> = Arc::new(move |tx, batch| {
            let domain = domain.clone();
            async move { domain.finish(tx, &typed(batch)?).await }.boxed()
        });
        Self { name: F::NAME, perform: performing(performer), finish }
    }
}

fn performing<D: EffectHandler<F>, F: Effect>(domain: Arc<D>) -> Arc<PerformEffect> {
    Arc::new(move |cx, row| {
        let domain = domain.clone();
        async move {
            let effect: F = serde_json::from_str(&row.body).map_err(InternalError::other)?;
            let outcome = domain.perform(cx, row.id, &effect).await?;
            let cause = Cause { id: row.id, ..row.cause.clone() };
            Ok(Box::new(EffectResult { effect, outcome, id: row.id, entity: row.entity, cause }) as Erased)
        }
        .boxed()
    })
}

/// An effect that was left, and the row of the effects table that stores it.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct EffectRow {
    pub id: Uuid,
    pub name: String,
    pub entity: Uuid,
    #[sqlx(json)]
    pub cause: Cause,
    pub body: String,
    pub attempts: i32,
}
