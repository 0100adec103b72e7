//! Type-erased effects.

use std::{any::Any, marker::PhantomData, sync::Arc};

use futures::future::{BoxFuture, FutureExt};
use uuid::Uuid;

use super::Erased;
use crate::{
    context::Context,
    domain::{Effect, Perform, Performed},
    failure::Breakage,
    tx::{Cause, Tx},
};

/// An effect that a domain performs.
#[derive(Clone)]
pub(crate) struct EffectRoute {
    pub name: &'static str,
    pub handler: Arc<dyn ErasedEffect>,
}

impl EffectRoute {
    pub(crate) fn new<D: Perform<F>, F: Effect>(handler: EffectHandler<D, F>) -> Self {
        Self { name: F::NAME, handler: Arc::new(handler) }
    }
}

/// A row of the effects table.
#[derive(Debug, Clone)]
pub(crate) struct EffectRow {
    pub id: Uuid,
    pub name: String,
    pub entity: Uuid,
    pub cause: Cause,
    pub body: String,
    pub attempts: i32,
}

pub(crate) trait ErasedEffect: Send + Sync {
    /// Calls the external system. Returns the effect result, which the lane passes to `finish`.
    fn perform<'a>(&'a self, cx: &'a Context, row: &'a EffectRow) -> BoxFuture<'a, Result<Erased, Breakage>>;
    fn finish<'a, 'c>(
        &'a self,
        tx: &'a mut Tx<'c>,
        performed: &'a [&'a (dyn Any + Send + Sync)],
    ) -> BoxFuture<'a, Result<(), Breakage>>
    where
        'c: 'a;
}

pub(crate) struct EffectHandler<D, F> {
    domain: Arc<D>,
    effect: PhantomData<fn(F)>,
}

impl<D, F> EffectHandler<D, F> {
    pub(crate) fn new(domain: Arc<D>) -> Self {
        Self { domain, effect: PhantomData }
    }
}

impl<D: Perform<F>, F: Effect> ErasedEffect for EffectHandler<D, F> {
    fn perform<'a>(&'a self, cx: &'a Context, row: &'a EffectRow) -> BoxFuture<'a, Result<Erased, Breakage>> {
        async move {
            let effect: F = serde_json::from_str(&row.body).map_err(Breakage::other)?;
            let outcome = self.domain.perform(cx, row.id, &effect).await?;
            let (id, entity) = (row.id, row.entity);
            let cause = Cause { id, ..row.cause.clone() };
            Ok(Box::new(Performed { effect, outcome, id, entity, cause }) as Erased)
        }
        .boxed()
    }

    fn finish<'a, 'c>(
        &'a self,
        tx: &'a mut Tx<'c>,
        performed: &'a [&'a (dyn Any + Send + Sync)],
    ) -> BoxFuture<'a, Result<(), Breakage>>
    where
        'c: 'a,
    {
        async move {
            let typed = performed
                .iter()
                .map(|one| one.downcast_ref::<Performed<F, D::Outcome>>())
                .collect::<Option<Vec<_>>>()
                .ok_or_else(|| Breakage::other("an effect came to another effect's handler"))?;
            self.domain.finish(tx, &typed).await
        }
        .boxed()
    }
}
