//! The attempt to get the money of an order, as a table: where it stands, what is heard, what follows. Nothing here
//! waits, reads or writes; every pair of state and fact has an answer, late and crossing facts too.
//!
//! What the table keeps: nothing is confirmed but an object that was committed; `failed` and `cancelled` are said only
//! where no object was committed, or after the provider has confirmed its cancel; an order hears one verdict; money
//! that is found after the verdict, or for an order that is over, goes back once.

mod attempt;

use subjects::{
    RefundId,
    orders::{Failure, PaymentStatus},
};

pub use attempt::{Act, Attempt, Closing, Details, Dispute, DisputeState, Fact};

/// Declined attempts after which an order that did not name its method fails.
pub const MAX_DECLINES: usize = 3;

/// Where an attempt stands after a fact, and what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where it stands.
    pub next: Attempt,
    /// What follows, in this order.
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

    /// Counts what has gone back. A lost dispute counts as far as refunds have left something of the charge: what the
    /// provider takes twice is the shop's loss and no order's.
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

    /// Where the order is over, all money that is left goes back, once: after every refund that a person asked for has
    /// ended, so that what one of them fails to give back goes along, and after every dispute is decided.
    fn give_back(mut self) -> Self {
        let amount = self.next.left();
        let is_settled = self.next.refunding == 0 && self.next.in_dispute(DisputeState::Open) == 0;
        if self.next.order_ended && is_settled && amount > 0 && !self.next.automatic_refund {
            self.next.automatic_refund = true;
            self.next.refunding += amount;
            self.acts.push(Act::GiveBack { id: None, amount });
        }
        self
    }
}

/// What follows from `fact` where an attempt stands at `state`.
pub fn step(state: &Attempt, fact: Fact) -> Step {
    match fact {
        Fact::Due { details, method } => due(state, details, method),
        Fact::IntentOpened { details, object } => intent_opened(state, details, object),
        Fact::ObjectCreated(object) => object_created(state, object),
        Fact::CreateRefused(failure) => create_refused(state, failure),
        Fact::BuyerActs { method } => buyer_acts(state, method),
        Fact::Paid(object) => paid(state, object),
        Fact::Declined { object, attempt, failure } => declined(state, &object, attempt, failure),
        Fact::DeclineSeen { object, attempt, failure } => decline_seen(state, &object, attempt, failure),
        Fact::ActionRequired(object) => action_required(state, &object),
        Fact::BuyerAuthenticates { method } => buyer_authenticates(state, method),
        Fact::CancelConfirmed(object) => cancel_confirmed(state, &object),
        Fact::ExpiryDue => close(state, true),
        Fact::OrderEnded { wants_answer } => order_ended(state, wants_answer),
        Fact::RefundAsked { id, amount } => refund_asked(state, id, amount),
        Fact::RefundDone { id, amount, .. } => refund_done(state, id, amount),
        Fact::RefundDeclined { id, amount, failure } => refund_declined(state, id, amount, failure),
        Fact::RefundReversed { id, amount, failure } => refund_reversed(state, id, amount, failure),
        Fact::DisputeSeen { id, dispute } => dispute_seen(state, id, dispute),
    }
}

fn due(state: &Attempt, details: Details, method: Option<String>) -> Step {
    let mut step = Step::stay(state);
    // Also a tombstone learns what would have been owed.
    step.next.details.get_or_insert(details);
    step.next.at_once |= method.is_some();
    match method {
        // Where it is being charged already, by the buyer's own hand, it is not charged again.
        Some(method) if state.can_be_paid() && state.status == PaymentStatus::Pending => charge(step, method),
        _ => step,
    }
}

fn intent_opened(state: &Attempt, details: Details, object: String) -> Step {
    let mut step = Step::stay(state);
    let is_foreign = state.object.as_ref().is_some_and(|own| *own != object);
    if is_foreign || !state.can_be_paid() && state.object.is_none() {
        // Made for a payment that is closed, or beside its own object: never confirmed.
        return step.act(Act::Cancel(object));
    }
    if !state.can_be_paid() {
        return step;
    }
    step.next.details.get_or_insert(details);
    step.next.object = Some(object);
    if state.intent_told {
        return step;
    }
    step.next.intent_told = true;
    step.act(Act::TellIntentCreated)
}

fn object_created(state: &Attempt, object: String) -> Step {
    let mut step = Step::stay(state);
    step.next.creating = false;
    if state.object.as_ref().is_some_and(|own| *own != object) {
        // The intent was opened with another one meanwhile. That one goes on; this one was never told to anybody.
        step = step.act(Act::Cancel(object));
    } else if state.is_open() {
        step.next.object = Some(object);
    } else if state.object.is_none() {
        // A create that comes back to a closed payment.
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

fn create_refused(state: &Attempt, failure: Failure) -> Step {
    let mut step = Step::stay(state);
    step.next.creating = false;
    if !state.is_open() {
        return step;
    }
    match (&state.object, state.closing) {
        // The intent's object stands: it must be closed first.
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

/// Charges the method: the object first, where there is none.
fn charge(mut step: Step, method: String) -> Step {
    step.next.method = Some(method.clone());
    step.next.awaits_action = false;
    step.next.failure = None;
    step.next.status = PaymentStatus::Processing;
    match step.next.object.clone() {
        Some(object) => step.act(Act::Confirm { object, method }),
        // It is confirmed when it is there.
        None if step.next.creating => step,
        None => {
            step.next.creating = true;
            step.act(Act::Create)
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
        step = step.act(Act::TellSucceeded);
    } else {
        // The order has heard that there would be no money.
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
        // Another method could still be charged: it has failed only when the provider has closed it.
        return closing(step, Closing::Decline, Some(failure)).act(Act::Cancel(object.to_owned()));
    }
    step.next.status = PaymentStatus::Pending;
    step.next.method = None;
    step.next.failure = Some((failure.code, failure.message));
    step
}

fn decline_seen(state: &Attempt, object: &str, attempt: String, failure: Failure) -> Step {
    // The answer to its own charge decides about an order that named its method, unless that was left to the buyer.
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
    step.act(Act::TellActionRequired)
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
    // An object that is being created is waited for: it comes back to a closing payment and is cancelled in turn.
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

/// Nobody shall pay it any more: closed at once where no object was committed or is being made, else when the provider
/// has confirmed its cancel.
fn close(state: &Attempt, tells: bool) -> Step {
    let step = Step::stay(state);
    if !state.can_be_paid() {
        return step;
    }
    match state.object.clone() {
        Some(object) => closing(step, Closing::Cancel, None).act(Act::Cancel(object)),
        None if state.creating => closing(step, Closing::Cancel, None),
        None => end_cancelled(step, tells),
    }
}

fn closing(mut step: Step, closing: Closing, failure: Option<Failure>) -> Step {
    step.next.closing = Some(closing);
    step.next.failure = failure.map(|failure| (failure.code, failure.message));
    step
}

fn end_cancelled(mut step: Step, tells: bool) -> Step {
    step.next.status = PaymentStatus::Cancelled;
    step.next.closing = None;
    step.next.awaits_action = false;
    step.next.failure = None;
    if tells { step.act(Act::TellCancelled) } else { step }
}

fn end_failed(mut step: Step) -> Step {
    step.next.status = PaymentStatus::Failed;
    step.next.closing = None;
    step.next.awaits_action = false;
    let (code, message) = step.next.failure.clone().unwrap_or_default();
    step.act(Act::TellFailed(Failure { code, message }))
}

fn refund_asked(state: &Attempt, id: RefundId, amount: i64) -> Step {
    let mut step = Step::stay(state);
    if amount <= 0 || amount > state.left() {
        return step;
    }
    step.next.refunding += amount;
    step.act(Act::GiveBack { id: Some(id), amount })
}

fn refund_done(state: &Attempt, id: RefundId, amount: i64) -> Step {
    let mut step = Step::stay(state);
    if amount <= 0 || amount > state.refunding {
        return step;
    }
    step.next.refunding -= amount;
    step.next.refunded += amount;
    step.count().act(Act::TellRefunded { id, amount }).give_back()
}

fn refund_declined(state: &Attempt, id: RefundId, amount: i64, failure: Failure) -> Step {
    let mut step = Step::stay(state);
    if amount <= 0 || amount > state.refunding {
        return step;
    }
    step.next.refunding -= amount;
    step.count().act(Act::TellRefundFailed { id, failure }).give_back()
}

fn refund_reversed(state: &Attempt, id: RefundId, amount: i64, failure: Failure) -> Step {
    let mut step = Step::stay(state);
    if amount <= 0 || amount > state.refunded {
        return step;
    }
    step.next.refunded -= amount;
    step.count().act(Act::TellRefundFailed { id, failure }).give_back()
}

fn dispute_seen(state: &Attempt, id: String, dispute: Dispute) -> Step {
    let mut step = Step::stay(state);
    let known = state.disputes.get(&id).map(|dispute| dispute.state);
    // A decision is final: whatever else is read of it is older.
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
        step = step.act(Act::TellDisputed { id: id.clone() });
    }
    match now {
        DisputeState::Open => step,
        DisputeState::Won => step.act(Act::TellDisputeWon { id }).give_back(),
        DisputeState::Lost => step.act(Act::TellDisputeLost { id }).give_back(),
    }
}

#[cfg(test)]
mod tests;
