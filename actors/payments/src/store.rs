//! All SQL of payments, except that of the simulated provider, which has tables of its own.

mod looking;
mod moving;
mod reading;
mod refunds;

pub(crate) use looking::{due_to_read, forget_deadline, now, remember_notice};
pub(crate) use moving::{Row, find, insert, lock, of_provider, update, with_object};
pub(crate) use reading::{View, load};
pub(crate) use refunds::{
    Done, Goods, NewRefund, RefundEnd, done_refunds, end_refunds, goods_of, insert_refunds, load_refund, restocked,
};
