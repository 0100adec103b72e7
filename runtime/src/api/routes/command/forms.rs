//! The forms of command handlers: with or without `prepare`, one by one or as a batch.

use std::sync::Arc;

use contract::{CallError, Command, ErrorBody, Format};
use futures::future::FutureExt;

use super::{ANOTHERS, Outcome, PrepareCommand, PreparedCommand};
use crate::{
    api::{
        context::Context,
        domain::{CommandEnvelope, Handle, HandleBatch, Prepare},
        routes::{Erased, Run, typed},
        tx::{Cause, Tx},
    },
    error::{HandleError, HandlerResult, InternalError, PrepareError},
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
            let command = message.downcast_ref().ok_or_else(|| InternalError::other(ANOTHERS))?;
            match domain.prepare(cx, command).await {
                Ok(prepared) => envelope::<C, _>(cx, message, prepared, cause),
                Err(PrepareError::Rejected(error)) => Ok(PreparedCommand::ForLane(Err(rejection::<C>(error)))),
                Err(PrepareError::RejectedUnrecorded(error)) => {
                    Ok(PreparedCommand::RejectedUnrecorded(rejection::<C>(error)))
                }
                Err(PrepareError::Broken(internal_error)) => Err(internal_error),
            }
        }
        .boxed()
    })
}

/// The item for the lane. It owns a copy: the caller keeps the message for a second prepare.
fn envelope<C: Command, P: Send + Sync + 'static>(
    cx: &Context,
    message: &Erased,
    prepared: P,
    cause: Cause,
) -> Result<PreparedCommand, InternalError> {
    let message: C = message.downcast_ref::<C>().ok_or_else(|| InternalError::other(ANOTHERS))?.clone();
    let item = CommandEnvelope { message, prepared, caller: cx.caller.clone(), capability: cx.capability, cause };
    Ok(PreparedCommand::ForLane(Ok(Box::new(item))))
}

/// One after the other, with [`Handle`].
pub(crate) fn one_by_one<D, C, P>(domain: Arc<D>) -> Run<Vec<Outcome>>
where
    D: Handle<C, P>,
    C: Command,
    P: Send + Sync + 'static,
{
    Arc::new(move |tx, batch| {
        let domain = domain.clone();
        async move {
            let mut outcomes = Vec::with_capacity(batch.len());
            for command in typed::<CommandEnvelope<C, P>>(batch)? {
                tx.flush().await?;
                let mark = tx.mark();
                let result = domain.handle(tx, command).await;
                outcomes.push(settle::<C>(tx, mark, result)?);
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
    Arc::new(move |tx, batch| {
        let domain = domain.clone();
        async move {
            let commands = typed::<CommandEnvelope<C, P>>(batch)?;
            let result = domain.handle_batch(tx, &commands).await?;
            if result.len() != commands.len() {
                return Err(InternalError::other("a batch handler must give one outcome per command"));
            }
            let settled = commands.iter().zip(result).map(|(command, result)| {
                let is_kept = is_kept(&result);
                let outcome = outcome::<C>(result)?;
                if !is_kept && tx.has_left(&command.cause) {
                    return Err(InternalError::other("a rejected command of a batch emitted an event or an effect"));
                }
                Ok(outcome)
            });
            settled.collect()
        }
        .boxed()
    })
}

/// Whether what the command has written, emitted and left is committed.
fn is_kept<T, E>(result: &HandlerResult<T, E>) -> bool {
    matches!(result, Ok(_) | Err(HandleError::RejectedKeepingWrites(_)))
}

fn rejection<C: Command>(error: C::Error) -> Box<ErrorBody> {
    Box::new(CallError::Rejected(error).body(C::DOMAIN, ""))
}

fn outcome<C: Command>(result: HandlerResult<C::Reply, C::Error>) -> Result<Outcome, InternalError> {
    match result {
        Ok(reply) => Ok(Outcome::Reply(Format::MessagePack.encode(&reply).map_err(InternalError::other)?)),
        Err(HandleError::Rejected(error) | HandleError::RejectedKeepingWrites(error)) => {
            Ok(Outcome::Rejected(rejection::<C>(error)))
        }
        Err(HandleError::Stale) => Ok(Outcome::Stale),
        Err(HandleError::Broken(internal_error)) => Err(internal_error),
    }
}

/// Converts one handler result. Discards the events and effects of a rejected or stale command.
fn settle<C: Command>(
    tx: &mut Tx<'_>,
    mark: (usize, usize),
    result: HandlerResult<C::Reply, C::Error>,
) -> Result<Outcome, InternalError> {
    let is_kept = is_kept(&result);
    let outcome = outcome::<C>(result)?;
    if is_kept || tx.undo(mark) {
        return Ok(outcome);
    }
    match outcome {
        Outcome::Rejected(body) => Ok(Outcome::RejectedAfterWrite(body)),
        _ => Err(InternalError::other("a command was reported stale after a write")),
    }
}
