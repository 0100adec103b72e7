//! The state machine of an order: a function from a state and an input to a new state and a transition. It performs no
//! I/O and is total: every pair of state and input has a defined result, including inputs that arrive late or out of
//! order.

pub(crate) mod driver;
mod types;

use runtime::Transition;
use sqlx::FromRow;
use subjects::orders::{Failure, FulfillmentStatus, OrderStatus, PaymentStatus};

pub use types::{Back, Emitted, Fact, Returns};

/// The result of an input: the events to emit, each with the state of the order right after the input. Only
/// [`Step::Changed`] has changed the state.
pub type Step = Transition<(Emitted, OrderState)>;

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

/// Applies an input to the state of an order.
pub fn step(state: &mut OrderState, fact: Fact) -> Step {
    use OrderStatus as S;
    match state.status {
        S::Pending => undecided(state, fact),
        S::Confirmed | S::Processing | S::Shipped | S::Delivered => paid_for(state, fact),
        S::Cancelled | S::Failed | S::Expired => ended(state, &fact),
        S::Refunded => refunded(state, &fact),
    }
}

/// Transitions of a pending order: its stock or its payment is undecided.
fn undecided(state: &mut OrderState, fact: Fact) -> Step {
    use OrderStatus as S;
    use PaymentStatus as P;
    match fact {
        Fact::Reserved if state.stock_held => Step::Stay,
        Fact::Reserved => {
            state.stock_held = true;
            if state.is_paid() {
                state.status = S::Confirmed;
                return changed(state, [Emitted::Confirmed]);
            }
            // The payment is closed or closing, so none becomes due: payments' event or the deadline ends the order.
            if state.expiry_requested || !state.awaits_money() {
                return changed(state, []);
            }
            if state.charges_at_once {
                state.payment = P::Processing;
            }
            changed(state, [Emitted::PaymentDue])
        }
        Fact::ReservationRejected(_) if state.stock_held => Step::Stay,
        Fact::ReservationRejected(failure) => {
            state.status = S::Failed;
            if state.is_paid() {
                return changed(state, [Emitted::Failed(failure), Emitted::RefundDue]);
            }
            if state.awaits_money() {
                state.payment = P::Cancelled;
            }
            changed(state, [Emitted::Failed(failure)])
        }
        Fact::ActionRequired if state.action_required || !state.awaits_money() => Step::Stay,
        Fact::ActionRequired => {
            state.action_required = true;
            changed(state, [Emitted::StatusChanged])
        }
        // Paid already: a refund event may arrive before the capture.
        Fact::Paid if state.is_paid() => Step::Stay,
        Fact::Paid => paid(state, P::Succeeded),
        // Payments never reports a captured payment as failed or cancelled.
        Fact::PaymentFailed(_) | Fact::PaymentCancelled if state.is_paid() => Step::Stay,
        Fact::PaymentFailed(failure) => {
            state.status = S::Failed;
            state.payment = P::Failed;
            changed(state, [Emitted::Failed(failure)])
        }
        Fact::PaymentCancelled if state.expiry_requested => {
            state.status = S::Expired;
            state.payment = P::Cancelled;
            changed(state, [Emitted::Expired])
        }
        // The order did not request this: it stays pending until its deadline, which expires it at once.
        Fact::PaymentCancelled => payment_moves(state, P::Cancelled),
        Fact::MoneyBack { version, .. } if version <= state.money_version => Step::Stay,
        Fact::MoneyBack { back: Back::All, version, .. } => {
            state.status = S::Failed;
            state.payment = P::Refunded;
            state.money_version = version;
            changed(state, [Emitted::Failed(money_returned())])
        }
        // The refund arrived before the capture or the reservation: no unit is sold yet, so none is restocked.
        Fact::MoneyBack { back, version, .. } => {
            state.money_version = version;
            if state.is_paid() { money_moves(state, back) } else { paid(state, back.payment()) }
        }
        // A paid order waits for its stock, not for the buyer, so it does not expire.
        Fact::DeadlinePassed if state.expiry_requested || state.is_paid() => Step::Stay,
        Fact::DeadlinePassed => {
            state.expiry_requested = true;
            // Payments has closed the payment already, so there is no reply to wait for.
            if state.payment == P::Cancelled {
                state.status = S::Expired;
                return changed(state, [Emitted::Expired]);
            }
            changed(state, [Emitted::ExpiryDue])
        }
        Fact::CancelledByPerson => cancelled(state),
        Fact::TakenTo(_) => Step::Illegal,
    }
}

/// Transitions of an order that is confirmed, processing, shipped or delivered.
fn paid_for(state: &mut OrderState, fact: Fact) -> Step {
    use OrderStatus as S;
    match fact {
        Fact::MoneyBack { back, version, returns } => money_back(state, back, version, returns),
        Fact::CancelledByPerson if state.status.may_become(S::Cancelled) => cancelled(state),
        Fact::TakenTo(status) if state.status.may_become(status) => {
            let emitted = match status {
                S::Processing => Emitted::StatusChanged,
                S::Shipped => Emitted::Shipped,
                S::Delivered => Emitted::Delivered,
                // Inputs of their own lead to the other statuses.
                _ => return Step::Illegal,
            };
            state.status = status;
            if status == S::Shipped {
                state.fulfillment = FulfillmentStatus::Fulfilled;
            }
            changed(state, [emitted])
        }
        Fact::CancelledByPerson | Fact::TakenTo(_) => Step::Illegal,
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
fn ended(state: &mut OrderState, fact: &Fact) -> Step {
    use PaymentStatus as P;
    match fact {
        // A capture after the end of the order is refunded.
        Fact::Paid if !state.is_paid() && state.payment != P::Refunded => {
            state.payment = P::Succeeded;
            changed(state, [Emitted::RefundDue])
        }
        Fact::PaymentFailed(_) if state.awaits_money() => payment_moves(state, P::Failed),
        Fact::PaymentCancelled if state.awaits_money() => payment_moves(state, P::Cancelled),
        Fact::MoneyBack { back, version, .. } if *version > state.money_version => {
            state.money_version = *version;
            money_moves(state, *back)
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
fn money_back(state: &mut OrderState, back: Back, version: i64, mut returns: Returns) -> Step {
    use OrderStatus as S;
    let was = *state;
    if version > was.money_version {
        state.money_version = version;
        state.payment = back.payment();
        if back == Back::All {
            state.status = S::Refunded;
            if matches!(was.status, S::Confirmed | S::Processing) {
                returns = Returns::Everything;
            } else if returns == Returns::Everything {
                state.fulfillment = FulfillmentStatus::Returned;
            }
        }
    }
    let moved = if *state == was {
        Step::Stay
    } else if (state.status, state.payment) == (was.status, was.payment) {
        changed(state, [])
    } else {
        changed(state, [Emitted::StatusChanged])
    };
    with_returns(state, moved, &returns)
}

/// Transitions of a refunded order, which is terminal: when a refund fails later, the money is refunded again.
fn refunded(state: &mut OrderState, fact: &Fact) -> Step {
    match fact {
        Fact::CancelledByPerson | Fact::TakenTo(_) => Step::Illegal,
        Fact::MoneyBack { back, version, returns } => {
            let moved = if *version <= state.money_version {
                Step::Stay
            } else {
                state.money_version = *version;
                if *back == Back::All {
                    money_moves(state, *back)
                } else {
                    state.payment = back.payment();
                    changed(state, [Emitted::RefundDue])
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
    let emitted = Emitted::Returned(returns.clone());
    match step {
        step if *returns == Returns::Nothing => step,
        Step::Changed(mut events) => {
            events.push((emitted, *state));
            Step::Changed(events)
        }
        _ => changed(state, [emitted]),
    }
}

/// Applies the capture of a pending order: it is confirmed if its stock is held, and otherwise waits for its stock.
fn paid(state: &mut OrderState, payment: PaymentStatus) -> Step {
    if state.stock_held {
        state.status = OrderStatus::Confirmed;
        state.payment = payment;
        changed(state, [Emitted::Confirmed])
    } else {
        payment_moves(state, payment)
    }
}

/// A cancel request ends the order at once. A payment that is not being charged counts as cancelled with it.
fn cancelled(state: &mut OrderState) -> Step {
    let was = state.status;
    state.status = OrderStatus::Cancelled;
    if state.payment == PaymentStatus::Pending {
        state.payment = PaymentStatus::Cancelled;
    }
    changed(state, [Emitted::Cancelled(was)])
}

/// Changes the payment status only.
fn payment_moves(state: &mut OrderState, payment: PaymentStatus) -> Step {
    if state.payment == payment {
        return Step::Stay;
    }
    state.payment = payment;
    changed(state, [Emitted::StatusChanged])
}

/// Changes the payment status only. If that is unchanged, the new `money_version` is stored without an event.
fn money_moves(state: &mut OrderState, back: Back) -> Step {
    match payment_moves(state, back.payment()) {
        Step::Stay => changed(state, []),
        moved => moved,
    }
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

/// The order has changed; these events follow.
fn changed<const N: usize>(state: &OrderState, events: [Emitted; N]) -> Step {
    Step::Changed(events.map(|emitted| (emitted, *state)).into())
}

/// The failure of an order whose stock could not be reserved.
pub fn out_of_stock() -> Failure {
    Failure { code: "out_of_stock".into(), message: "Not enough stock.".into() }
}

fn money_returned() -> Failure {
    Failure {
        code: "payment_refunded".into(),
        message: "The payment was refunded before the order was decided.".into(),
    }
}

#[cfg(test)]
mod tests;
