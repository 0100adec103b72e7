//! The forms of command handlers: with or without `prepare`, one by one or as a batch.

use std::future::Future;

use contract::{CallError, Command, Format};

use super::Outcome;
use crate::{
    context::Context,
    domain::{Commanded, Domain, Handle, HandleBatch, Prepare},
    failure::{Breakage, HandleError, Handled, PrepareError},
    tx::Tx,
};

/// The step before the lane.
pub(crate) trait Before<D: Domain, C: Command>: Send + Sync + 'static {
    type Prepared: Send + Sync + 'static;

    fn prepare(
        domain: &D,
        cx: &Context,
        command: &C,
    ) -> impl Future<Output = Result<Self::Prepared, PrepareError<C::Error>>> + Send;
}

/// No preparation.
pub(crate) enum NotPrepared {}

impl<D: Domain, C: Command> Before<D, C> for NotPrepared {
    type Prepared = ();

    async fn prepare(_domain: &D, _cx: &Context, _command: &C) -> Result<(), PrepareError<C::Error>> {
        Ok(())
    }
}

/// The handler's [`Prepare::prepare`].
pub(crate) enum Prepared {}

impl<D: Prepare<C>, C: Command> Before<D, C> for Prepared {
    type Prepared = D::Prepared;

    async fn prepare(domain: &D, cx: &Context, command: &C) -> Result<D::Prepared, PrepareError<C::Error>> {
        domain.prepare(cx, command).await
    }
}

/// How the commands of a batch are handled.
pub(crate) trait Handling<D: Domain, C: Command, P>: Send + Sync + 'static {
    fn run(
        domain: &D,
        tx: &mut Tx<'_>,
        commands: &[&Commanded<C, P>],
    ) -> impl Future<Output = Result<Vec<Outcome>, Breakage>> + Send;
}

/// One after the other, with [`Handle`].
pub(crate) enum OneByOne {}

impl<D: Handle<C, P>, C: Command, P: Send + Sync> Handling<D, C, P> for OneByOne {
    async fn run(domain: &D, tx: &mut Tx<'_>, commands: &[&Commanded<C, P>]) -> Result<Vec<Outcome>, Breakage> {
        let mut outcomes = Vec::with_capacity(commands.len());
        for command in commands {
            let mark = tx.mark();
            let handled = domain.handle(tx, command).await;
            outcomes.push(settle::<C>(tx, mark, D::NAME, handled)?);
        }
        Ok(outcomes)
    }
}

/// All with the same statements, with [`HandleBatch`].
pub(crate) enum Together {}

impl<D: HandleBatch<C, P>, C: Command, P: Send + Sync> Handling<D, C, P> for Together {
    async fn run(domain: &D, tx: &mut Tx<'_>, commands: &[&Commanded<C, P>]) -> Result<Vec<Outcome>, Breakage> {
        let handled = domain.handle_batch(tx, commands).await?;
        if handled.len() != commands.len() {
            return Err(Breakage::other("a batch handler must give one outcome per command"));
        }
        let settled = commands.iter().zip(handled).map(|(command, handled)| {
            let is_kept = matches!(handled, Ok(_) | Err(HandleError::RejectedKeepingWrites(_)));
            let outcome = outcome::<C>(D::NAME, handled)?;
            if !is_kept && tx.has_left(&command.cause) {
                return Err(Breakage::other("a command of a batch was rejected, and left an event or an effect"));
            }
            Ok(outcome)
        });
        settled.collect()
    }
}

fn outcome<C: Command>(domain: &str, handled: Handled<C::Reply, C::Error>) -> Result<Outcome, Breakage> {
    let rejected = |error| Outcome::Refused(Box::new(CallError::Refused(error).body(domain, "")));
    match handled {
        Ok(reply) => Ok(Outcome::Reply(Format::MessagePack.encode(&reply).map_err(Breakage::other)?)),
        Err(HandleError::Rejected(error) | HandleError::RejectedKeepingWrites(error)) => Ok(rejected(error)),
        Err(HandleError::Stale) => Ok(Outcome::Stale),
        Err(HandleError::Broken(breakage)) => Err(breakage),
    }
}

/// Converts one handler result. Discards the events and effects of a rejected or stale command.
fn settle<C: Command>(
    tx: &mut Tx<'_>,
    mark: (usize, usize),
    domain: &str,
    handled: Handled<C::Reply, C::Error>,
) -> Result<Outcome, Breakage> {
    let is_kept = matches!(handled, Ok(_) | Err(HandleError::RejectedKeepingWrites(_)));
    let outcome = outcome::<C>(domain, handled)?;
    if is_kept || tx.undo(mark) {
        return Ok(outcome);
    }
    match outcome {
        Outcome::Refused(body) => Ok(Outcome::RefusedAfterWrite(body)),
        _ => Err(Breakage::other("found to be stale after a write")),
    }
}
