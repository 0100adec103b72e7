//! The state machine of a payment: a pure function from a state and an input to a new state and actions. It
//! performs no I/O and is total: every pair of state and input has a defined result, including inputs that
//! arrive late or out of order.
//!
//! Invariants: only a committed object is confirmed; `failed` and `cancelled` are emitted only if no object was
//! committed, or after the provider has confirmed its cancel; at most one of `succeeded`, `failed` and `cancelled` is
//! emitted per order; a capture that is found after `failed` or `cancelled`, or for an order that has ended, is
//! refunded once; the result of a refund ends that refund only.

mod attempt;
pub(crate) mod driver;

use subjects::{
    RefundId,
    orders::{Failure, PaymentStatus},
};

use crate::ids::automatic_refund_of;

pub use attempt::{Act, Attempt, Closing, Details, Dispute, DisputeState, Fact};

/// Number of declined attempts after which the payment of an order that names no payment method fails.
pub const MAX_DECLINES: usize = 3;

/// The result of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The new state.
    pub next: Attempt,
    /// The actions, in this order.
    pub acts: Vec<Act>,
}

impl Step {
    fn stay(state: &Attempt) -> Self {
        Self { next: state.clone(), acts: Vec::new() }
    }

    fn act(mut self, act: Act) -> Self {
        self.acts.push(act);
        self
    }

    /// Recomputes `lost` and the status. Lost disputes count up to what refunds have left of the charge: an amount that
    /// the provider takes twice is a loss of the shop, not of the order.
    fn count(mut self) -> Self {
        let next = &mut self.next;
        next.lost = next.in_dispute(DisputeState::Lost).min(next.captured - next.refunded - next.refunding);
        next.status = match next.returned() {
            0 => PaymentStatus::Succeeded,
            all if all == next.captured => PaymentStatus::Refunded,
            _ => PaymentStatus::PartiallyRefunded,
        };
        self
    }

    /// Refunds all that is left of an ended order's money, once: after every requested refund has ended, so that the
    /// amount of a failed one is included, and after every dispute is decided.
    fn give_back(mut self) -> Self {
        let amount = self.next.left();
        let is_settled = self.next.refunding == 0 && self.next.in_dispute(DisputeState::Open) == 0;
        if self.next.order_ended && is_settled && amount > 0 && !self.next.automatic_refund {
            self.next.automatic_refund = true;
            let id = automatic_refund_of(self.next.id);
            return self.refund(id, amount);
        }
        self
    }

    fn refund(mut self, id: RefundId, amount: i64) -> Self {
        self.next.in_flight.insert(id, amount);
        self.next.refunding += amount;
        self.act(Act::GiveBack { id, amount })
    }
}

/// Returns the new state and the actions of an attempt in `state` on `fact`.
pub fn step(state: &Attempt, fact: Fact) -> Step {
    match fact {
        Fact::Due { details, method } => due(state, details, method),
        Fact::IntentOpened { details, object } => intent_opened(state, details, object),
        Fact::ObjectCreated(object) => object_created(state, object),
        Fact::ObjectCommitted { object, method } => object_committed(state, object, &method),
        Fact::CreateRejected(failure) => create_rejected(state, failure),
        Fact::BuyerActs { method } => buyer_acts(state, method),
        Fact::Paid(object) => paid(state, object),
        Fact::Declined { object, attempt, failure } => declined(state, &object, attempt, failure),
        Fact::DeclineSeen { object, attempt, failure } => decline_seen(state, &object, attempt, failure),
        Fact::ActionRequired(object) => action_required(state, &object),
        Fact::BuyerAuthenticates { method } => buyer_authenticates(state, method),
        Fact::CancelConfirmed(object) => cancel_confirmed(state, &object),
        Fact::ExpiryDue => close(state, true),
        Fact::OrderEnded { wants_answer } => order_ended(state, wants_answer),
        Fact::RefundRequested { id, amount } => refund_requested(state, id, amount),
        Fact::RefundDone { id, .. } => refund_done(state, id),
        Fact::RefundDeclined { id, failure } => refund_declined(state, id, failure),
        Fact::RefundReversed { id, amount, failure } => refund_reversed(state, id, amount, failure),
        Fact::DisputeSeen { id, dispute } => dispute_seen(state, id, dispute),
    }
}

fn due(state: &Attempt, details: Details, method: Option<String>) -> Step {
    let mut step = Step::stay(state);
    // A tombstone stores the details too.
    step.next.details.get_or_insert(details);
    step.next.at_once |= method.is_some();
    match method {
        // A payment that is being charged already is not charged again.
        Some(method) if state.can_be_paid() && state.status == PaymentStatus::Pending => charge(step, method),
        _ => step,
    }
}

fn intent_opened(state: &Attempt, details: Details, object: String) -> Step {
    let mut step = Step::stay(state);
    let is_foreign = state.object.as_ref().is_some_and(|own| *own != object);
    if is_foreign || !state.can_be_paid() && state.object.is_none() {
        // The payment is closed, or has another object: this one is never confirmed.
        return step.act(Act::Cancel(object));
    }
    if !state.can_be_paid() {
        return step;
    }
    step.next.details.get_or_insert(details);
    step.next.object = Some(object);
    if state.intent_emitted {
        return step;
    }
    step.next.intent_emitted = true;
    step.act(Act::EmitIntentCreated)
}

fn object_created(state: &Attempt, object: String) -> Step {
    let mut step = Step::stay(state);
    step.next.creating = false;
    if state.object.as_ref().is_some_and(|own| *own != object) {
        // The buyer's intent has committed another object meanwhile. This one was never published.
        step = step.act(Act::Cancel(object));
    } else if state.is_open() {
        step.next.object = Some(object);
    } else if state.object.is_none() {
        // The payment was closed while the object was being created.
        return step.act(Act::Cancel(object));
    }
    let Some(own) = step.next.object.clone() else { return step };
    match (&state.method, state.closing) {
        _ if !state.is_open() => step,
        (_, Some(_)) => step.act(Act::Cancel(own)),
        (Some(method), None) if state.status == PaymentStatus::Processing => {
            step.act(Act::Confirm { object: own, method: method.clone() })
        }
        _ => step,
    }
}

/// The object was committed before it was confirmed with `method`, and the result of that confirm follows.
fn object_committed(state: &Attempt, object: String, method: &str) -> Step {
    let mut step = Step::stay(state);
    step.next.creating = false;
    if !state.can_be_paid() || !state.owns(&object) {
        // It was closed meanwhile, and the cancel follows this effect.
        return step;
    }
    match &state.method {
        // The buyer has chosen another method while the object was being created.
        Some(other) if other != method => step.act(Act::Confirm { object, method: other.clone() }),
        _ => step,
    }
}

fn create_rejected(state: &Attempt, failure: Failure) -> Step {
    let mut step = Step::stay(state);
    step.next.creating = false;
    if !state.is_open() {
        return step;
    }
    match (&state.object, state.closing) {
        // The intent's object can still be paid, so it is cancelled first.
        (Some(own), None) => {
            let own = own.clone();
            closing(step, Closing::Decline, Some(failure)).act(Act::Cancel(own))
        }
        (Some(own), Some(_)) => {
            let own = own.clone();
            step.act(Act::Cancel(own))
        }
        (None, Some(Closing::Cancel)) => end_cancelled(step, true),
        (None, _) => end_failed(closing(step, Closing::Decline, Some(failure))),
    }
}

fn buyer_acts(state: &Attempt, method: String) -> Step {
    let step = Step::stay(state);
    if state.can_be_paid() && state.details.is_some() { charge(step, method) } else { step }
}

/// Charges the method, after creating the object if there is none.
fn charge(mut step: Step, method: String) -> Step {
    step.next.method = Some(method.clone());
    step.next.awaits_action = false;
    step.next.failure = None;
    step.next.status = PaymentStatus::Processing;
    match step.next.object.clone() {
        Some(object) => step.act(Act::Confirm { object, method }),
        // The end of the create confirms it.
        None if step.next.creating => step,
        None => {
            step.next.creating = true;
            step.act(Act::Charge { method })
        }
    }
}

fn paid(state: &Attempt, object: String) -> Step {
    let mut step = Step::stay(state);
    let Some(details) = &state.details else { return step };
    if state.is_captured() {
        return step;
    }
    let was_open = state.is_open();
    step.next.status = PaymentStatus::Succeeded;
    step.next.awaits_action = false;
    step.next.object = Some(object);
    step.next.captured = details.amount.amount;
    step.next.closing = None;
    step.next.failure = None;
    if was_open {
        step = step.act(Act::EmitSucceeded);
    } else {
        // The order was notified that the payment failed or was cancelled.
        step.next.order_ended = true;
    }
    step.give_back()
}

fn declined(state: &Attempt, object: &str, attempt: String, failure: Failure) -> Step {
    let mut step = Step::stay(state);
    if !state.can_be_paid() || !state.owns(object) {
        return step;
    }
    step.next.awaits_action = false;
    if !state.at_once {
        step.next.declines.insert(attempt);
    }
    if state.at_once || step.next.declines.len() >= MAX_DECLINES {
        // Another method could still be charged: the payment fails only when the provider has cancelled the object.
        return closing(step, Closing::Decline, Some(failure)).act(Act::Cancel(object.to_owned()));
    }
    step.next.status = PaymentStatus::Pending;
    step.next.method = None;
    step.next.failure = Some((failure.code, failure.message));
    step
}

fn decline_seen(state: &Attempt, object: &str, attempt: String, failure: Failure) -> Step {
    // If the order names its payment method, the result of its confirm decides, unless the issuer requires the buyer
    // to confirm the charge.
    if state.declines.contains(&attempt) || state.at_once && !state.awaits_action {
        return Step::stay(state);
    }
    declined(state, object, attempt, failure)
}

fn action_required(state: &Attempt, object: &str) -> Step {
    let mut step = Step::stay(state);
    if !state.can_be_paid() || !state.owns(object) || state.awaits_action {
        return step;
    }
    step.next.awaits_action = true;
    step.act(Act::EmitActionRequired)
}

fn buyer_authenticates(state: &Attempt, method: String) -> Step {
    let step = Step::stay(state);
    match state.object.clone().filter(|_| state.can_be_paid() && state.awaits_action) {
        Some(object) => step.act(Act::Confirm { object, method }),
        None => step,
    }
}

fn cancel_confirmed(state: &Attempt, object: &str) -> Step {
    let step = Step::stay(state);
    // While a create is in flight the payment stays closing: the create's result requests the cancel that ends it.
    if !state.is_open() || !state.owns(object) || state.creating {
        return step;
    }
    match state.closing {
        Some(Closing::Decline) => end_failed(step),
        Some(Closing::Cancel) | None => end_cancelled(step, true),
    }
}

fn order_ended(state: &Attempt, wants_answer: bool) -> Step {
    if state.is_captured() {
        let mut step = Step::stay(state);
        step.next.order_ended = true;
        return step.give_back();
    }
    let mut step = close(state, wants_answer || state.details.is_some());
    if state.is_open() {
        step.next.order_ended = true;
    }
    step
}

/// Closes the payment: at once if no object is committed or being created, otherwise when the
/// provider has confirmed the cancel.
fn close(state: &Attempt, emits: bool) -> Step {
    let step = Step::stay(state);
    if !state.can_be_paid() {
        return step;
    }
    match state.object.clone() {
        Some(object) => closing(step, Closing::Cancel, None).act(Act::Cancel(object)),
        None if state.creating => closing(step, Closing::Cancel, None),
        None => end_cancelled(step, emits),
    }
}

fn closing(mut step: Step, closing: Closing, failure: Option<Failure>) -> Step {
    step.next.closing = Some(closing);
    step.next.failure = failure.map(|failure| (failure.code, failure.message));
    step
}

fn end_cancelled(mut step: Step, emits: bool) -> Step {
    step.next.status = PaymentStatus::Cancelled;
    step.next.closing = None;
    step.next.awaits_action = false;
    step.next.failure = None;
    if emits { step.act(Act::EmitCancelled) } else { step }
}

fn end_failed(mut step: Step) -> Step {
    step.next.status = PaymentStatus::Failed;
    step.next.closing = None;
    step.next.awaits_action = false;
    let (code, message) = step.next.failure.clone().unwrap_or_default();
    step.act(Act::EmitFailed(Failure { code, message }))
}

fn refund_requested(state: &Attempt, id: RefundId, amount: i64) -> Step {
    let step = Step::stay(state);
    if amount <= 0 || amount > state.left() || state.in_flight.contains_key(&id) {
        return step;
    }
    step.refund(id, amount)
}

fn refund_done(state: &Attempt, id: RefundId) -> Step {
    let mut step = Step::stay(state);
    let Some(amount) = step.next.in_flight.remove(&id) else { return step };
    step.next.refunding -= amount;
    step.next.refunded += amount;
    step.count().act(Act::EmitRefunded { id, amount }).give_back()
}

fn refund_declined(state: &Attempt, id: RefundId, failure: Failure) -> Step {
    let mut step = Step::stay(state);
    let Some(amount) = step.next.in_flight.remove(&id) else { return step };
    step.next.refunding -= amount;
    step.count().act(Act::EmitRefundFailed { id, failure }).give_back()
}

fn refund_reversed(state: &Attempt, id: RefundId, amount: i64, failure: Failure) -> Step {
    let mut step = Step::stay(state);
    if amount <= 0 || amount > state.refunded {
        return step;
    }
    step.next.refunded -= amount;
    step.count().act(Act::EmitRefundFailed { id, failure }).give_back()
}

fn dispute_seen(state: &Attempt, id: String, dispute: Dispute) -> Step {
    let mut step = Step::stay(state);
    let known = state.disputes.get(&id).map(|dispute| dispute.state);
    // A decided dispute is final: any other state of it is outdated.
    if !state.is_captured() || dispute.amount <= 0 || known.is_some_and(|known| known != DisputeState::Open) {
        return step;
    }
    let now = dispute.state;
    if known == Some(now) {
        return step;
    }
    step.next.disputes.insert(id.clone(), dispute);
    step = step.count();
    if known.is_none() {
        step = step.act(Act::EmitDisputed { id: id.clone() });
    }
    match now {
        DisputeState::Open => step,
        DisputeState::Won => step.act(Act::EmitDisputeWon { id }).give_back(),
        DisputeState::Lost => step.act(Act::EmitDisputeLost { id }).give_back(),
    }
}

#[cfg(test)]
mod tests;
