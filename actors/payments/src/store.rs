//! All SQL of payments: moving them on, their refunds, reading them. What the simulated provider remembers is its own.

mod looking;
mod moving;
mod reading;
mod refunds;

use runtime::Breakage;

pub(crate) use looking::{due_to_read, forget_deadline, now, remember_notice};
pub(crate) use moving::{Row, find, insert, lock, of_provider, update, with_object};
pub(crate) use reading::{View, load};
pub(crate) use refunds::{
    Done, Goods, NewRefund, RefundEnd, done_refunds, end_refunds, goods_of, insert_refunds, load_refund, restocked,
};

/// A word of the database as the type it stands for.
fn word<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, Breakage> {
    text.parse().map_err(Breakage::other)
}
