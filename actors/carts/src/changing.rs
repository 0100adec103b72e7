//! Changes carts, a batch of one kind of command at a time. All carts of a transaction are locked by one statement, in the
//! order of their ids, as events lock them too, so that no two transactions wait for each other.

use std::collections::{BTreeMap, BTreeSet};

use runtime::{Breakage, Commanded, Handled, Tx};
use subjects::carts::{Cart, CartsError};

use crate::{basket::Basket, owner::Owner, store};

/// The cart after a command, and how it looks.
pub(crate) type Changed = Handled<(Basket, Cart), CartsError>;

/// Locks the carts of the callers, decides command by command and writes what differs.
pub(crate) async fn change<C, P>(
    tx: &mut Tx<'_>,
    commands: &[&Commanded<C, P>],
    decide: impl Fn(&Basket, &Commanded<C, P>) -> Changed,
) -> Result<Vec<Handled<Cart, CartsError>>, Breakage> {
    let before = store::lock(tx.locks(), &owners(commands)).await?;
    change_locked(tx, before, commands, decide).await
}

/// The same, with carts that are locked.
pub(crate) async fn change_locked<C, P>(
    tx: &mut Tx<'_>,
    before: BTreeMap<Owner, Basket>,
    commands: &[&Commanded<C, P>],
    decide: impl Fn(&Basket, &Commanded<C, P>) -> Changed,
) -> Result<Vec<Handled<Cart, CartsError>>, Breakage> {
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

pub(crate) fn owners<C, P>(commands: &[&Commanded<C, P>]) -> BTreeSet<Owner> {
    commands.iter().filter_map(|command| Owner::of(&command.caller).ok()).collect()
}

async fn write(
    tx: &mut Tx<'_>,
    before: &BTreeMap<Owner, Basket>,
    after: &BTreeMap<Owner, Basket>,
) -> Result<(), Breakage> {
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
