//! The inputs and emitted events of an order.

use subjects::{
    ItemId,
    orders::{Failure, OrderStatus},
};

/// An input of the order's state machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// Inventory has reserved every line.
    Reserved,
    /// Inventory could not reserve every line, so it reserved none.
    ReservationRejected(Failure),
    /// The card's issuer requires the buyer to confirm the charge.
    ActionRequired,
    /// The payment was captured.
    Paid,
    /// The payment was declined and is closed.
    PaymentFailed(Failure),
    /// The payment was closed without a capture.
    PaymentCancelled,
    /// A refund succeeded or failed, or a dispute was lost: how much of the money is returned after that event.
    MoneyBack {
        /// How much of the captured amount is returned.
        back: Back,
        /// The payment's version: the event with the highest version holds.
        version: i64,
        /// The units to restock with it.
        returns: Returns,
    },
    /// The payment deadline has passed.
    DeadlinePassed,
    /// The buyer, the seller or an admin cancels the order.
    CancelledByPerson,
    /// The seller or an admin moves the order to this status.
    TakenTo(OrderStatus),
}

/// How much of the captured amount is returned to the buyer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Back {
    /// None of it.
    None,
    /// A part of it.
    Part,
    /// All of it.
    All,
}

/// Units of an order to restock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returns {
    /// None.
    Nothing,
    /// All units that the order still has.
    Everything,
    /// A quantity per line, capped by what the order still has of it.
    Lines(Vec<(ItemId, i64)>),
}

/// An event to emit. `orders.placed` is emitted by the command that places the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Emitted {
    /// `orders.payment_due`
    PaymentDue,
    /// `orders.confirmed`
    Confirmed,
    /// `orders.failed`
    Failed(Failure),
    /// `orders.cancelled`, with the status before
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
