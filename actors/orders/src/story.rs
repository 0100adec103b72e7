//! The order's story as a table: where an order stands, what is heard, and what follows. Nothing here waits, reads or
//! writes; every pair of state and fact has an answer, late and crossing facts too.

mod words;

use subjects::orders::{Failure, FulfillmentStatus, OrderStatus, PaymentStatus};

pub use words::{Back, Fact, Returns, Step, Tell};

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
    /// The payment's version behind `payment`, where money has gone back: what is older is known already.
    pub money_version: i64,
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
            money_version: 0,
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
        S::Refunded => refunded(state, &fact),
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
        Fact::MoneyBack { version, .. } if version <= state.money_version => Step::Stay,
        Fact::MoneyBack { back: Back::All, version, .. } => {
            next.status = S::Failed;
            next.payment = P::Refunded;
            next.money_version = version;
            go(next, [Tell::Failed(money_returned())])
        }
        // It overtook the payment: nothing was sold yet that could return.
        Fact::MoneyBack { back, version, .. } => {
            next.money_version = version;
            if state.is_paid() { money_moves(next, back) } else { paid(next, back.payment()) }
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
    let mut next = *state;
    match fact {
        Fact::MoneyBack { back, version, returns } => money_back(next, *back, *version, returns),
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
        Fact::MoneyBack { back, version, .. } if *version > state.money_version => {
            next.money_version = *version;
            money_moves(next, *back)
        }
        Fact::CancelledByPerson | Fact::TakenTo(_) => Step::Illegal,
        Fact::Reserved
        | Fact::ReservationRejected(_)
        | Fact::ActionRequired
        | Fact::Paid
        | Fact::PaymentFailed(_)
        | Fact::PaymentCancelled
        | Fact::MoneyBack { .. }
        | Fact::DeadlinePassed => Step::Stay,
    }
}

/// Money of a standing order went back, or came back again. All of it: the order is over, and what was not shipped is
/// available again. What a person has returned is so in any case, also where the money has moved on since.
fn money_back(mut next: OrderState, back: Back, version: i64, returns: &Returns) -> Step {
    use OrderStatus as S;
    let (was, mut tells) = (next, Vec::new());
    let mut returns = returns.clone();
    if version > was.money_version {
        next.money_version = version;
        next.payment = back.payment();
        if back == Back::All {
            next.status = S::Refunded;
            if matches!(was.status, S::Confirmed | S::Processing) {
                returns = Returns::Everything;
            } else if returns == Returns::Everything {
                next.fulfillment = FulfillmentStatus::Returned;
            }
        }
        if (next.status, next.payment) != (was.status, was.payment) {
            tells.push(Tell::StatusChanged);
        }
    }
    if returns != Returns::Nothing {
        tells.push(Tell::Returned(returns));
    }
    if next == was && tells.is_empty() { Step::Stay } else { Step::Go { next, tells } }
}

/// All money went back, and that is final: money that comes back again is sent once more.
fn refunded(state: &OrderState, fact: &Fact) -> Step {
    let mut next = *state;
    match fact {
        Fact::CancelledByPerson | Fact::TakenTo(_) => Step::Illegal,
        Fact::MoneyBack { back, version, returns } => {
            let moved = if *version <= state.money_version {
                Step::Stay
            } else {
                next.money_version = *version;
                if *back == Back::All {
                    money_moves(next, *back)
                } else {
                    next.payment = back.payment();
                    go(next, [Tell::RefundDue])
                }
            };
            with_returns(state, moved, returns)
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

/// The same step with the units that a person has returned: their refund may be heard of after a later one that ended the
/// order.
fn with_returns(state: &OrderState, step: Step, returns: &Returns) -> Step {
    let told = Tell::Returned(returns.clone());
    match step {
        step if *returns == Returns::Nothing => step,
        Step::Go { next, mut tells } => {
            tells.push(told);
            Step::Go { next, tells }
        }
        _ => go(*state, [told]),
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

/// Only the money moves; of an event that changes nothing only its version counts.
fn money_moves(mut next: OrderState, back: Back) -> Step {
    let payment = back.payment();
    if next.payment == payment {
        return go(next, []);
    }
    next.payment = payment;
    go(next, [Tell::StatusChanged])
}

impl Back {
    /// What is said of the payment then.
    fn payment(self) -> PaymentStatus {
        match self {
            Self::None => PaymentStatus::Succeeded,
            Self::Part => PaymentStatus::PartiallyRefunded,
            Self::All => PaymentStatus::Refunded,
        }
    }
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
