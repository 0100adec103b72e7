//! The state machine of an order: a pure function from a state and an input to a transition. It performs no I/O and is
//! total: every pair of state and input has a defined result, including inputs that arrive late or out of order.

mod words;

use sqlx::FromRow;
use subjects::orders::{Failure, FulfillmentStatus, OrderStatus, PaymentStatus};

pub use words::{Back, Fact, Returns, Step, Tell};

/// The part of an order that the state machine depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, FromRow)]
pub struct OrderState {
    /// The status of the order.
    pub status: OrderStatus,
    /// The status of its payment.
    #[sqlx(rename = "payment_status")]
    pub payment: PaymentStatus,
    /// The status of its fulfillment.
    #[sqlx(rename = "fulfillment_status")]
    pub fulfillment: FulfillmentStatus,
    /// Whether inventory holds a reservation for every line.
    pub stock_held: bool,
    /// Whether the order names a payment method, which is charged as soon as the stock is reserved.
    pub charges_at_once: bool,
    /// Whether the deadline passed while the order was unpaid. If the payment was open, payments was requested
    /// to close it.
    pub expiry_requested: bool,
    /// Whether the buyer was requested to confirm the charge. Never reset: payments knows whether that is still due.
    pub action_required: bool,
    /// The payment's version at the last [`Fact::MoneyBack`] that was applied. One with this version
    /// or a lower one is outdated.
    pub money_version: i64,
}

impl OrderState {
    /// The initial state of an order. An order with a total of zero counts as paid.
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

    /// Whether the payment is captured and not refunded in full.
    fn is_paid(&self) -> bool {
        matches!(self.payment, PaymentStatus::Succeeded | PaymentStatus::PartiallyRefunded)
    }

    /// Whether the payment is undecided.
    fn awaits_money(&self) -> bool {
        matches!(self.payment, PaymentStatus::Pending | PaymentStatus::Processing)
    }
}

/// Returns the transition of an order in `state` on `fact`.
pub fn step(state: &OrderState, fact: Fact) -> Step {
    use OrderStatus as S;
    match state.status {
        S::Pending => undecided(state, fact),
        S::Confirmed | S::Processing | S::Shipped | S::Delivered => paid_for(state, &fact),
        S::Cancelled | S::Failed | S::Expired => ended(state, &fact),
        S::Refunded => refunded(state, &fact),
    }
}

/// Transitions of a pending order: its stock or its payment is undecided.
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
            // The payment is closed or closing, so none becomes due: payments' event or the deadline ends the order.
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
        // Paid already: a refund event may arrive before the capture.
        Fact::Paid if state.is_paid() => Step::Stay,
        Fact::Paid => paid(next, P::Succeeded),
        // Payments never reports a captured payment as failed or cancelled.
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
        // The order did not request this: it stays pending until its deadline, which expires it at once.
        Fact::PaymentCancelled => payment_moves(next, P::Cancelled),
        Fact::MoneyBack { version, .. } if version <= state.money_version => Step::Stay,
        Fact::MoneyBack { back: Back::All, version, .. } => {
            next.status = S::Failed;
            next.payment = P::Refunded;
            next.money_version = version;
            go(next, [Tell::Failed(money_returned())])
        }
        // The refund arrived before the capture or the reservation: no unit is sold yet, so none is restocked.
        Fact::MoneyBack { back, version, .. } => {
            next.money_version = version;
            if state.is_paid() { money_moves(next, back) } else { paid(next, back.payment()) }
        }
        // A paid order waits for its stock, not for the buyer, so it does not expire.
        Fact::DeadlinePassed if state.expiry_requested || state.is_paid() => Step::Stay,
        // Payments has closed the payment already, so there is no reply to wait for.
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

/// Transitions of an order that is confirmed, processing, shipped or delivered.
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

/// Transitions of an order that is cancelled, failed or expired: only its payment status changes.
fn ended(state: &OrderState, fact: &Fact) -> Step {
    use PaymentStatus as P;
    let mut next = *state;
    match fact {
        // A capture after the end of the order is refunded.
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

/// Applies a refund, a failed refund or a lost dispute to an order that is confirmed or further. When all money is
/// returned, the order ends as refunded, and units that were not shipped are restocked. Units that the refund itself
/// restocks are restocked even if a newer money event was applied before.
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

/// Transitions of a refunded order, which is terminal: when a refund fails later, the money is refunded again.
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

/// Adds the units that a refund restocks to `step`: its event may arrive after that of a later
/// refund that ended the order.
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

/// Applies the capture of a pending order: it is confirmed if its stock is held, and otherwise waits for its stock.
fn paid(mut next: OrderState, payment: PaymentStatus) -> Step {
    if next.stock_held {
        next.status = OrderStatus::Confirmed;
        next.payment = payment;
        go(next, [Tell::Confirmed])
    } else {
        payment_moves(next, payment)
    }
}

/// A cancel request ends the order at once. A payment that is not being charged counts as cancelled with it.
fn cancelled(mut next: OrderState) -> Step {
    let was = next.status;
    next.status = OrderStatus::Cancelled;
    if next.payment == PaymentStatus::Pending {
        next.payment = PaymentStatus::Cancelled;
    }
    go(next, [Tell::Cancelled(was)])
}

/// Changes the payment status only.
fn payment_moves(mut next: OrderState, payment: PaymentStatus) -> Step {
    if next.payment == payment {
        return Step::Stay;
    }
    next.payment = payment;
    go(next, [Tell::StatusChanged])
}

/// Changes the payment status only. `next` may differ in `money_version` alone, which is stored without an event.
fn money_moves(mut next: OrderState, back: Back) -> Step {
    let payment = back.payment();
    if next.payment == payment {
        return go(next, []);
    }
    next.payment = payment;
    go(next, [Tell::StatusChanged])
}

impl Back {
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

/// The failure of an order whose stock could not be reserved.
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
