//! The three forms in which a domain handles a command.

use std::{marker::PhantomData, sync::Arc};

use contract::{CallError, Command, Format};

use super::{Outcome, Prepped, Strategy};
use crate::{
    context::Context,
    domain::{Domain, Handle, HandleBatch, Prepare},
    failure::{Breakage, HandleError, Handled, PrepareError},
    tx::Tx,
};

macro_rules! handler {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub(crate) struct $name<D, C> {
            domain: Arc<D>,
            command: PhantomData<fn(C)>,
        }

        impl<D, C> $name<D, C> {
            pub(crate) fn new(domain: Arc<D>) -> Self {
                Self { domain, command: PhantomData }
            }
        }
    };
}

handler! {
    /// One at a time, nothing to prepare.
    SimpleHandler
}
handler! {
    /// One at a time, after `prepare`.
    PreparedHandler
}
handler! {
    /// The whole batch, after `prepare`.
    BatchedHandler
}

impl<D: Domain + Handle<C>, C: Command> Strategy for SimpleHandler<D, C> {
    type Command = C;
    type Prepared = ();
    const DOMAIN: &'static str = D::NAME;
    const PREPARES: bool = false;

    async fn prepare(&self, _cx: &Context, _command: &C) -> Result<(), PrepareError<C::Error>> {
        Ok(())
    }

    async fn run(&self, tx: &mut Tx<'_>, commands: &[&Prepped<C, ()>]) -> Result<Vec<Outcome>, Breakage> {
        let mut outcomes = Vec::with_capacity(commands.len());
        for command in commands {
            let mark = tx.mark();
            let handled = self.domain.handle(tx, command).await;
            outcomes.push(settle::<C>(tx, mark, D::NAME, handled)?);
        }
        Ok(outcomes)
    }
}

impl<D: Domain + Prepare<C>, C: Command> Strategy for PreparedHandler<D, C> {
    type Command = C;
    type Prepared = D::Prepared;
    const DOMAIN: &'static str = D::NAME;
    const PREPARES: bool = true;

    async fn prepare(&self, cx: &Context, command: &C) -> Result<D::Prepared, PrepareError<C::Error>> {
        self.domain.prepare(cx, command).await
    }

    async fn run(&self, tx: &mut Tx<'_>, commands: &[&Prepped<C, D::Prepared>]) -> Result<Vec<Outcome>, Breakage> {
        let mut outcomes = Vec::with_capacity(commands.len());
        for command in commands {
            let mark = tx.mark();
            let handled = self.domain.handle(tx, command).await;
            outcomes.push(settle::<C>(tx, mark, D::NAME, handled)?);
        }
        Ok(outcomes)
    }
}

impl<D: Domain + HandleBatch<C>, C: Command> Strategy for BatchedHandler<D, C> {
    type Command = C;
    type Prepared = D::Prepared;
    const DOMAIN: &'static str = D::NAME;
    const PREPARES: bool = true;

    async fn prepare(&self, cx: &Context, command: &C) -> Result<D::Prepared, PrepareError<C::Error>> {
        self.domain.prepare(cx, command).await
    }

    async fn run(&self, tx: &mut Tx<'_>, commands: &[&Prepped<C, D::Prepared>]) -> Result<Vec<Outcome>, Breakage> {
        let handled = self.domain.handle_batch(tx, commands).await?;
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

/// One outcome, and what the item left behind taken back where it was rejected.
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
