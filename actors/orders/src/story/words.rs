//! What is heard about an order, what is told of it, and what follows.

use subjects::orders::{Failure, OrderStatus};

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
    /// Money went back.
    Refunded {
        /// All of it.
        is_full: bool,
    },
    /// The payment deadline is over.
    DeadlinePassed,
    /// A person calls it off.
    CancelledByPerson,
    /// A person takes it a step further.
    TakenTo(OrderStatus),
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
