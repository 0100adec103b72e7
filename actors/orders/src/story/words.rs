//! What is heard about an order, what is told of it, and what follows.

use subjects::{
    ItemId,
    orders::{Failure, OrderStatus},
};

use super::OrderState;

/// What is heard about an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Inventory holds every line.
    Reserved,
    /// Inventory holds no line.
    ReservationRejected(Failure),
    /// The card's issuer wants the buyer to confirm the charge.
    ActionRequired,
    /// The money came.
    Paid,
    /// The money was declined, and cannot come any more.
    PaymentFailed(Failure),
    /// The payment is closed: the money cannot come any more.
    PaymentCancelled,
    /// Money has gone back, or has come back again: where it stands after one of the payment's events.
    MoneyBack {
        /// How much of it is away.
        back: Back,
        /// The payment's version: of two, the one with the higher version is true.
        version: i64,
        /// The units that come back with it.
        returns: Returns,
    },
    /// The payment deadline is over.
    DeadlinePassed,
    /// A person calls it off.
    CancelledByPerson,
    /// A person takes it a step further.
    TakenTo(OrderStatus),
}

/// How much of an order's money has gone back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// None of it.
    None,
    /// A part.
    Part,
    /// All of it.
    All,
}

/// Units that are available again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returns {
    /// None.
    Nothing,
    /// All that the order still has.
    Everything,
    /// So many of each line, as far as the order still has them.
    Lines(Vec<(ItemId, i64)>),
}

/// What is told about an order: one event each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tell {
    /// `orders.placed`
    Placed,
    /// `orders.payment_due`
    PaymentDue,
    /// `orders.confirmed`
    Confirmed,
    /// `orders.failed`
    Failed(Failure),
    /// `orders.cancelled`, with the status it had
    Cancelled(OrderStatus),
    /// `orders.expiry_due`
    ExpiryDue,
    /// `orders.expired`
    Expired,
    /// `orders.refund_due`
    RefundDue,
    /// `orders.status_changed`
    StatusChanged,
    /// `orders.returned`
    Returned(Returns),
    /// `orders.shipped`
    Shipped,
    /// `orders.delivered`
    Delivered,
}

/// What follows from a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing: known already, or too late to matter.
    Stay,
    /// A person asks for what the order's status does not allow.
    Illegal,
    /// The order stands elsewhere, and says so.
    Go {
        /// Where it stands now.
        next: OrderState,
        /// What it tells, in this order.
        tells: Vec<Tell>,
    },
}
