//! The order's story as a table: where an order stands, what is heard, and what follows. Nothing here waits, reads or
//! writes; every pair of state and fact has an answer, late and crossing facts too.

mod words;

use subjects::orders::{Failure, FulfillmentStatus, OrderStatus, PaymentStatus};

pub use words::{Fact, Step, Tell};

/// Where an order stands, as far as the story needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrderState {
    /// Where the order stands.
    pub status: OrderStatus,
    /// Where its money stands.
    pub payment: PaymentStatus,
    /// Where its goods stand.
    pub fulfillment: FulfillmentStatus,
    /// Inventory holds every line.
    pub stock_held: bool,
    /// A payment method was named: it is charged as soon as the stock is held.
    pub charges_at_once: bool,
    /// Payments was asked to close the payment.
    pub expiry_requested: bool,
    /// The buyer was asked to confirm the charge: payments says whether that is still so.
    pub action_required: bool,
}

impl OrderState {
    /// An order that was just placed. One that costs nothing is paid from the start.
    pub fn placed(total: i64, charges_at_once: bool) -> Self {
        Self {
            status: OrderStatus::Pending,
            payment: if total == 0 { PaymentStatus::Succeeded } else { PaymentStatus::Pending },
            fulfillment: FulfillmentStatus::Unfulfilled,
            stock_held: false,
            charges_at_once,
            expiry_requested: false,
            action_required: false,
        }
    }

    /// The order's money is with us, all or in part.
    fn is_paid(&self) -> bool {
        matches!(self.payment, PaymentStatus::Succeeded | PaymentStatus::PartiallyRefunded)
    }

    /// Nobody knows yet whether its money will come.
    fn awaits_money(&self) -> bool {
        matches!(self.payment, PaymentStatus::Pending | PaymentStatus::Processing)
    }
}

/// What follows from `fact` where an order stands at `state`.
pub fn step(state: &OrderState, fact: Fact) -> Step {
    use OrderStatus as S;
    match state.status {
        S::Pending => undecided(state, fact),
        S::Confirmed | S::Processing | S::Shipped | S::Delivered => paid_for(state, &fact),
        S::Cancelled | S::Failed | S::Expired => ended(state, &fact),
        S::Refunded => match fact {
            Fact::CancelledByPerson | Fact::TakenTo(_) => Step::Illegal,
            _ => Step::Stay,
        },
    }
}

/// Pending: stock or payment is open.
fn undecided(state: &OrderState, fact: Fact) -> Step {
    use OrderStatus as S;
    use PaymentStatus as P;
    let mut next = *state;
    match fact {
        Fact::Reserved if state.stock_held => Step::Stay,
        Fact::Reserved => {
            next.stock_held = true;
            if state.is_paid() {
                next.status = S::Confirmed;
                return go(next, [Tell::Confirmed]);
            }
            // Its payment is closed or closing: nobody is asked to pay, the answer of payments ends it.
            if state.expiry_requested || !state.awaits_money() {
                return go(next, []);
            }
            if state.charges_at_once {
                next.payment = P::Processing;
            }
            go(next, [Tell::PaymentDue])
        }
        Fact::ReservationRejected(_) if state.stock_held => Step::Stay,
        Fact::ReservationRejected(failure) => {
            next.status = S::Failed;
            if state.is_paid() {
                return go(next, [Tell::Failed(failure), Tell::RefundDue]);
            }
            if state.awaits_money() {
                next.payment = P::Cancelled;
            }
            go(next, [Tell::Failed(failure)])
        }
        Fact::ActionRequired if state.action_required || !state.awaits_money() => Step::Stay,
        Fact::ActionRequired => {
            next.action_required = true;
            go(next, [Tell::StatusChanged])
        }
        // A refund that overtook it says that it was paid.
        Fact::Paid if state.is_paid() => Step::Stay,
        Fact::Paid => paid(next, P::Succeeded),
        // Payments never takes back what it said.
        Fact::PaymentFailed(_) | Fact::PaymentCancelled if state.is_paid() => Step::Stay,
        Fact::PaymentFailed(failure) => {
            next.status = S::Failed;
            next.payment = P::Failed;
            go(next, [Tell::Failed(failure)])
        }
        Fact::PaymentCancelled if state.expiry_requested => {
            next.status = S::Expired;
            next.payment = P::Cancelled;
            go(next, [Tell::Expired])
        }
        // Nobody asked for it: the deadline will find the answer here.
        Fact::PaymentCancelled => payment_moves(next, P::Cancelled),
        Fact::Refunded { is_full: false } if state.payment == P::PartiallyRefunded => Step::Stay,
        Fact::Refunded { is_full: false } => paid(next, P::PartiallyRefunded),
        Fact::Refunded { is_full: true } => {
            next.status = S::Failed;
            next.payment = P::Refunded;
            go(next, [Tell::Failed(money_returned())])
        }
        // Paid, and waiting for its stock: that is not the buyer's delay.
        Fact::DeadlinePassed if state.expiry_requested || state.is_paid() => Step::Stay,
        // Payments has answered already.
        Fact::DeadlinePassed if state.payment == P::Cancelled => {
            next.expiry_requested = true;
            next.status = S::Expired;
            go(next, [Tell::Expired])
        }
        Fact::DeadlinePassed => {
            next.expiry_requested = true;
            go(next, [Tell::ExpiryDue])
        }
        Fact::CancelledByPerson => cancelled(next),
        Fact::TakenTo(_) => Step::Illegal,
    }
}

/// Confirmed, or further on its way.
fn paid_for(state: &OrderState, fact: &Fact) -> Step {
    use OrderStatus as S;
    use PaymentStatus as P;
    let mut next = *state;
    match fact {
        Fact::Refunded { is_full: true } => {
            next.status = S::Refunded;
            next.payment = P::Refunded;
            go(next, [Tell::StatusChanged])
        }
        Fact::Refunded { is_full: false } => payment_moves(next, P::PartiallyRefunded),
        Fact::CancelledByPerson => match state.status {
            S::Confirmed | S::Processing => cancelled(next),
            _ => Step::Illegal,
        },
        Fact::TakenTo(status) => {
            next.status = *status;
            match (state.status, *status) {
                (S::Confirmed, S::Processing) => go(next, [Tell::StatusChanged]),
                (S::Processing, S::Shipped) => {
                    next.fulfillment = FulfillmentStatus::Fulfilled;
                    go(next, [Tell::Shipped])
                }
                (S::Shipped, S::Delivered) => go(next, [Tell::Delivered]),
                _ => Step::Illegal,
            }
        }
        Fact::Reserved
        | Fact::ReservationRejected(_)
        | Fact::ActionRequired
        | Fact::Paid
        | Fact::PaymentFailed(_)
        | Fact::PaymentCancelled
        | Fact::DeadlinePassed => Step::Stay,
    }
}

/// Cancelled, failed or expired: only money moves.
fn ended(state: &OrderState, fact: &Fact) -> Step {
    use PaymentStatus as P;
    let mut next = *state;
    match fact {
        // It comes too late, and goes back.
        Fact::Paid if !state.is_paid() && state.payment != P::Refunded => {
            next.payment = P::Succeeded;
            go(next, [Tell::RefundDue])
        }
        Fact::PaymentFailed(_) if state.awaits_money() => payment_moves(next, P::Failed),
        Fact::PaymentCancelled if state.awaits_money() => payment_moves(next, P::Cancelled),
        Fact::Refunded { is_full: true } => payment_moves(next, P::Refunded),
        Fact::Refunded { is_full: false } if state.payment != P::Refunded => payment_moves(next, P::PartiallyRefunded),
        Fact::CancelledByPerson | Fact::TakenTo(_) => Step::Illegal,
        Fact::Reserved
        | Fact::ReservationRejected(_)
        | Fact::ActionRequired
        | Fact::Paid
        | Fact::PaymentFailed(_)
        | Fact::PaymentCancelled
        | Fact::Refunded { .. }
        | Fact::DeadlinePassed => Step::Stay,
    }
}

/// The money of an undecided order came: with its stock it is confirmed, without it waits for that.
fn paid(mut next: OrderState, payment: PaymentStatus) -> Step {
    if next.stock_held {
        next.status = OrderStatus::Confirmed;
        next.payment = payment;
        go(next, [Tell::Confirmed])
    } else {
        payment_moves(next, payment)
    }
}

/// A person's cancel is final at once. Where nobody was asked to pay yet, nobody will be.
fn cancelled(mut next: OrderState) -> Step {
    let was = next.status;
    next.status = OrderStatus::Cancelled;
    if next.payment == PaymentStatus::Pending {
        next.payment = PaymentStatus::Cancelled;
    }
    go(next, [Tell::Cancelled(was)])
}

/// Only the money moves.
fn payment_moves(mut next: OrderState, payment: PaymentStatus) -> Step {
    if next.payment == payment {
        return Step::Stay;
    }
    next.payment = payment;
    go(next, [Tell::StatusChanged])
}

fn go<const N: usize>(next: OrderState, tells: [Tell; N]) -> Step {
    Step::Go { next, tells: tells.into() }
}

/// Why an order fails whose stock cannot be had.
pub fn out_of_stock() -> Failure {
    Failure { code: "out_of_stock".into(), message: "So many units cannot be had.".into() }
}

fn money_returned() -> Failure {
    Failure {
        code: "payment_refunded".into(),
        message: "The payment was given back before the order was decided.".into(),
    }
}

#[cfg(test)]
mod tests;
