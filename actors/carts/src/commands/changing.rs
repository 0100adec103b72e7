//! Changes carts, one batch of one command type at a time. One statement locks all carts of a transaction in the order
//! of their ids, and event handlers use the same order, so that transactions do not deadlock.

use std::collections::{BTreeMap, BTreeSet};

use runtime::{CommandEnvelope, HandlerResult, InternalError, Tx};
use subjects::carts::{Cart, CartsError};

use crate::{basket::Basket, owner::Owner, store};

/// The cart after a command, stored and as shown.
pub(crate) type Changed = HandlerResult<(Basket, Cart), CartsError>;

/// Locks the carts of the callers, applies the commands in order and writes the differences.
pub(crate) async fn change<C, P>(
    tx: &mut Tx<'_>,
    commands: &[&CommandEnvelope<C, P>],
    decide: impl Fn(&Basket, &CommandEnvelope<C, P>) -> Changed,
) -> Result<Vec<HandlerResult<Cart, CartsError>>, InternalError> {
    let before = store::lock(tx.locks(), &owners(commands)).await?;
    change_locked(tx, before, commands, decide).await
}

/// As [`change`], for carts that are already locked.
pub(crate) async fn change_locked<C, P>(
    tx: &mut Tx<'_>,
    before: BTreeMap<Owner, Basket>,
    commands: &[&CommandEnvelope<C, P>],
    decide: impl Fn(&Basket, &CommandEnvelope<C, P>) -> Changed,
) -> Result<Vec<HandlerResult<Cart, CartsError>>, InternalError> {
    let mut after = before.clone();
    let outcomes = commands
        .iter()
        .map(|command| {
            let owner = Owner::of(&command.caller)?;
            let basket = Basket::of(after.get(&owner).cloned(), owner)?;
            let (changed, shown) = decide(&basket, command)?;
            after.insert(owner, changed);
            Ok(shown)
        })
        .collect();
    write(tx, &before, &after).await?;
    Ok(outcomes)
}

pub(crate) fn owners<C, P>(commands: &[&CommandEnvelope<C, P>]) -> BTreeSet<Owner> {
    commands.iter().filter_map(|command| Owner::of(&command.caller).ok()).collect()
}

async fn write(
    tx: &mut Tx<'_>,
    before: &BTreeMap<Owner, Basket>,
    after: &BTreeMap<Owner, Basket>,
) -> Result<(), InternalError> {
    let pairs = after.iter().filter_map(|(owner, cart)| Some((cart, before.get(owner)?)));
    let changed: Vec<_> = pairs.filter(|(cart, before)| cart.version > before.version).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let now = tx.now();
    let gone: Vec<_> = changed.iter().flat_map(|(cart, before)| cart.lines_gone_since(before)).collect();
    store::delete_lines(tx.writes(), &gone).await?;
    let lines: Vec<_> = changed.iter().flat_map(|(cart, before)| cart.changes_since(before)).collect();
    store::put_lines(tx.writes(), &lines, now).await?;
    let carts: Vec<_> = changed.iter().map(|(cart, _)| *cart).collect();
    store::update_carts(tx.writes(), &carts, now).await
}
