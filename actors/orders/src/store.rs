//! All SQL of orders.

mod moving;
mod placing;
mod reading;
mod returning;

use runtime::Breakage;

pub(crate) use moving::{Entry, Locked, due, insert_history, leave_carts, lock, update};
pub(crate) use placing::{CartClaim, NewItem, NewRow, checkouts, claim_carts, insert_items, insert_orders};
pub use reading::Record;
pub(crate) use reading::{Scope, find, history, id_of, load, page, payable_facts, units_of};
pub(crate) use returning::{LineRow, Returnable, lines_of, returnable, set_returned};

/// Parses a stored name.
fn word<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Breakage> {
    text.parse().map_err(Breakage::other)
}
