//! All SQL of orders.

mod moving;
mod placing;
mod reading;
mod returning;

pub(crate) use moving::{Entry, Locked, due, insert_history, leave_carts, lock, update};
pub(crate) use placing::{checkouts, claim_carts, insert_items, insert_orders};
pub use reading::Record;
pub(crate) use reading::{Scope, find, history, id_of, load, page, payable, units_of};
pub(crate) use returning::{LineRow, Returnable, lines_of, returnable, set_returned};
