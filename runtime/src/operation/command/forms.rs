//! The forms of command handlers: with or without `prepare`, one by one or as a batch.

use std::sync::Arc;

use contract::{CallError, Command, ErrorBody, Format};
use futures::future::FutureExt;

use super::{Outcome, PrepareCommand, PreparedCommand};
use crate::{
    context::Context,
    domain::{Commanded, Handle, HandleBatch, Prepare},
    failure::{Breakage, HandleError, Handled, PrepareError},
    operation::{Erased, Run, batch_handler, typed},
    tx::{Cause, Tx},
};

/// Without preparation.
pub(crate) fn unprepared<C: Command>() -> Arc<PrepareCommand> {
    Arc::new(|cx, message, cause| async move { envelope::<C, ()>(cx, message, (), cause) }.boxed())
}

/// With the domain's [`Prepare::prepare`].
pub(crate) fn prepared<D: Prepare<C>, C: Command>(domain: Arc<D>) -> Arc<PrepareCommand> {
    Arc::new(move |cx, message, cause| {
        let domain = domain.clone();
        async move {
            let command = message.downcast_ref().ok_or_else(|| Breakage::other(ANOTHERS))?;
            match domain.prepare(cx, command).await {
                Ok(prepared) => envelope::<C, _>(cx, message, prepared, cause),
                Err(PrepareError::Rejected(error)) => Ok(PreparedCommand::ForLane(Err(rejection::<C>(error)))),
                Err(PrepareError::RejectedUnrecorded(error)) => Ok(PreparedCommand::TurnedAway(rejection::<C>(error))),
                Err(PrepareError::Broken(breakage)) => Err(breakage),
            }
        }
        .boxed()
    })
}

const ANOTHERS: &str = "a command came to another command's handler";

/// The item for the lane. It owns a copy: the caller keeps the message for a second prepare.
fn envelope<C: Command, P: Send + Sync + 'static>(
    cx: &Context,
    message: &Erased,
    prepared: P,
    cause: Cause,
) -> Result<PreparedCommand, Breakage> {
    let message: C = message.downcast_ref::<C>().ok_or_else(|| Breakage::other(ANOTHERS))?.clone();
    let item = Commanded { message, prepared, caller: cx.caller.clone(), capability: cx.capability, cause };
    Ok(PreparedCommand::ForLane(Ok(Box::new(item))))
}

/// One after the other, with [`Handle`].
pub(crate) fn one_by_one<D, C, P>(domain: Arc<D>) -> Run<Vec<Outcome>>
where
    D: Handle<C, P>,
    C: Command,
    P: Send + Sync + 'static,
{
    batch_handler(move |tx, batch| {
        let domain = domain.clone();
        async move {
            let mut outcomes = Vec::with_capacity(batch.len());
            for command in typed::<Commanded<C, P>>(batch)? {
                let mark = tx.mark();
                let handled = domain.handle(tx, command).await;
                outcomes.push(settle::<C>(tx, mark, handled)?);
            }
            Ok(outcomes)
        }
        .boxed()
    })
}

/// All with the same statements, with [`HandleBatch`].
pub(crate) fn together<D, C, P>(domain: Arc<D>) -> Run<Vec<Outcome>>
where
    D: HandleBatch<C, P>,
    C: Command,
    P: Send + Sync + 'static,
{
    batch_handler(move |tx, batch| {
        let domain = domain.clone();
        async move {
            let commands = typed::<Commanded<C, P>>(batch)?;
            let handled = domain.handle_batch(tx, &commands).await?;
            if handled.len() != commands.len() {
                return Err(Breakage::other("a batch handler must give one outcome per command"));
            }
            let settled = commands.iter().zip(handled).map(|(command, handled)| {
                let is_kept = is_kept(&handled);
                let outcome = outcome::<C>(handled)?;
                if !is_kept && tx.has_left(&command.cause) {
                    return Err(Breakage::other("a command of a batch was rejected, and left an event or an effect"));
                }
                Ok(outcome)
            });
            settled.collect()
        }
        .boxed()
    })
}

/// Whether what the command has written, emitted and left is committed.
fn is_kept<T, E>(handled: &Handled<T, E>) -> bool {
    matches!(handled, Ok(_) | Err(HandleError::RejectedKeepingWrites(_)))
}

fn rejection<C: Command>(error: C::Error) -> Box<ErrorBody> {
    Box::new(CallError::Refused(error).body(C::DOMAIN, ""))
}

fn outcome<C: Command>(handled: Handled<C::Reply, C::Error>) -> Result<Outcome, Breakage> {
    match handled {
        Ok(reply) => Ok(Outcome::Reply(Format::MessagePack.encode(&reply).map_err(Breakage::other)?)),
        Err(HandleError::Rejected(error) | HandleError::RejectedKeepingWrites(error)) => {
            Ok(Outcome::Refused(rejection::<C>(error)))
        }
        Err(HandleError::Stale) => Ok(Outcome::Stale),
        Err(HandleError::Broken(breakage)) => Err(breakage),
    }
}

/// Converts one handler result. Discards the events and effects of a rejected or stale command.
fn settle<C: Command>(
    tx: &mut Tx<'_>,
    mark: (usize, usize),
    handled: Handled<C::Reply, C::Error>,
) -> Result<Outcome, Breakage> {
    let is_kept = is_kept(&handled);
    let outcome = outcome::<C>(handled)?;
    if is_kept || tx.undo(mark) {
        return Ok(outcome);
    }
    match outcome {
        Outcome::Refused(body) => Ok(Outcome::RefusedAfterWrite(body)),
        _ => Err(Breakage::other("found to be stale after a write")),
    }
}
