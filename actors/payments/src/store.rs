//! All SQL of payments, except that of the simulated provider, which has tables of its own.

mod moving;
mod object_reads;
mod reading;
mod refunds;

pub(crate) use moving::{CreatedObject, Row, commit_objects, find, insert, lock, of_provider, update, with_object};
pub(crate) use object_reads::{clear_deadline, due_to_read, now, remember_notice};
pub(crate) use reading::{View, load};
pub(crate) use refunds::{
    Done, Goods, NewRefund, RefundEnd, done_refunds, end_refunds, goods_of, insert_refunds, load_refund,
    refunds_in_flight, restocked,
};
