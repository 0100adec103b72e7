//! The state machine by itself, for every pair of state and input, and against a model of a provider, for every
//! possible interleaving.

mod charge;
mod money;
mod world;

use std::collections::HashSet;

use subjects::{Currency, Money};
use uuid::Uuid;

use super::*;
use PaymentStatus as P;

const OWN: &str = "pi_own";
const OTHER: &str = "pi_other";

fn details() -> Details {
    Details { order_number: "SK-1".into(), user_id: None, amount: Money::new(100, Currency::USD) }
}

fn declined() -> Failure {
    Failure { code: "card_declined".into(), message: "no".into() }
}

fn decline(object: &str, attempt: &str) -> Fact {
    Fact::Declined { object: object.into(), attempt: attempt.into(), failure: declined() }
}

fn decline_seen(object: &str, attempt: &str) -> Fact {
    Fact::DeclineSeen { object: object.into(), attempt: attempt.into(), failure: declined() }
}

fn refund_id(number: u128) -> RefundId {
    RefundId(Uuid::from_u128(number))
}

fn automatic() -> RefundId {
    automatic_refund_of(Attempt::default().id)
}

fn facts() -> Vec<Fact> {
    let id = refund_id(1);
    vec![
        Fact::Due { details: details(), method: None },
        Fact::Due { details: details(), method: Some("pm_card_visa".into()) },
        Fact::IntentOpened { details: details(), object: OWN.into() },
        Fact::IntentOpened { details: details(), object: OTHER.into() },
        Fact::ObjectCreated(OWN.into()),
        Fact::ObjectCreated(OTHER.into()),
        Fact::ObjectCommitted { object: OWN.into(), method: "pm_card_visa".into() },
        Fact::ObjectCommitted { object: OWN.into(), method: "pm_card_other".into() },
        Fact::ObjectCommitted { object: OTHER.into(), method: "pm_card_visa".into() },
        Fact::CreateRejected(declined()),
        Fact::BuyerActs { method: "pm_card_visa".into() },
        Fact::Paid(OWN.into()),
        Fact::Paid(OTHER.into()),
        decline(OWN, "1"),
        decline(OWN, "2"),
        decline(OTHER, "1"),
        decline_seen(OWN, "1"),
        decline_seen(OWN, "3"),
        decline_seen(OTHER, "3"),
        Fact::ActionRequired(OWN.into()),
        Fact::ActionRequired(OTHER.into()),
        Fact::BuyerAuthenticates { method: "yes".into() },
        Fact::CancelConfirmed(OWN.into()),
        Fact::CancelConfirmed(OTHER.into()),
        Fact::ExpiryDue,
        Fact::OrderEnded { wants_answer: true },
        Fact::OrderEnded { wants_answer: false },
        Fact::RefundRequested { id, amount: 40 },
        Fact::RefundRequested { id, amount: 60 },
        Fact::RefundRequested { id: refund_id(2), amount: 60 },
        Fact::RefundDone { id, provider_id: "re".into() },
        Fact::RefundDone { id: refund_id(2), provider_id: "re".into() },
        Fact::RefundDone { id: automatic(), provider_id: "re".into() },
        Fact::RefundDeclined { id, failure: declined() },
        Fact::RefundDeclined { id: automatic(), failure: declined() },
        Fact::RefundReversed { id, amount: 40, failure: declined() },
        Fact::RefundReversed { id, amount: 100, failure: declined() },
    ]
}

fn dispute(id: &str, amount: i64, state: DisputeState) -> Fact {
    Fact::DisputeSeen { id: id.into(), dispute: Dispute { amount, reason: None, state } }
}

fn disputes() -> Vec<Fact> {
    use DisputeState::{Lost, Open, Won};
    let mut facts = vec![dispute("dp_2", 100, Lost)];
    facts.extend([Open, Won, Lost].map(|state| dispute("dp_1", 40, state)));
    facts
}

/// All inputs, including disputes.
fn every_fact() -> Vec<Fact> {
    facts().into_iter().chain(disputes()).collect()
}

/// Every state that is reachable by any sequence of inputs, including sequences that no real provider produces.
/// Disputes are applied to captured payments only.
fn every_state() -> HashSet<Attempt> {
    let mut states = closure(Attempt::default(), &facts());
    // How a captured amount is refunded and disputed does not depend on how it was captured.
    let opened = Fact::IntentOpened { details: details(), object: OWN.into() };
    let about_money = |fact: &Fact| {
        matches!(fact, Fact::OrderEnded { .. } | Fact::DisputeSeen { .. } | Fact::RefundRequested { .. })
            || matches!(fact, Fact::RefundDone { .. } | Fact::RefundDeclined { .. } | Fact::RefundReversed { .. })
    };
    let money: Vec<_> = every_fact().into_iter().filter(about_money).collect();
    states.extend(closure(after([opened, Fact::Paid(OWN.into())]).0, &money));
    states
}

fn closure(from: Attempt, facts: &[Fact]) -> HashSet<Attempt> {
    let mut states = HashSet::new();
    let mut next = vec![from];
    while let Some(state) = next.pop() {
        if states.insert(state.clone()) {
            next.extend(facts.iter().map(|fact| step(&state, fact.clone()).next));
            next.extend(commit(&state, OWN));
        }
    }
    states
}

/// The state after the effect that creates an object has committed its id; `None` if it may not, and so may not confirm
/// the object. As `store::commit_objects`.
fn commit(state: &Attempt, object: &str) -> Option<Attempt> {
    let is_free = state.object.as_ref().is_none_or(|own| own == object);
    let may = state.creating && state.can_be_paid() && is_free;
    may.then(|| Attempt { object: Some(object.into()), ..state.clone() })
}

fn after(facts: impl IntoIterator<Item = Fact>) -> (Attempt, Vec<Act>) {
    let (mut state, mut acts) = (Attempt::default(), Vec::new());
    for fact in facts {
        let step = step(&state, fact);
        state = step.next;
        acts.extend(step.acts);
    }
    (state, acts)
}

#[test]
fn every_pair_keeps_what_a_row_must_keep() {
    let states = every_state();
    assert!(states.len() > 100, "{}", states.len());
    for state in states {
        let over = matches!(state.status, P::Failed | P::Cancelled);
        assert!(!over || (!state.creating && state.closing.is_none()), "over, but in flight: {state:?}");
        assert!(state.is_open() || !state.awaits_action, "nothing to be done: {state:?}");
        assert!(state.declines.len() < MAX_DECLINES || !state.can_be_paid(), "one attempt too many: {state:?}");
        assert!(state.returned() + state.refunding <= state.captured, "{state:?}");
        assert_eq!(state.refunding, state.in_flight.values().sum::<i64>(), "{state:?}");
        let by_disputes = state.in_dispute(DisputeState::Lost).min(state.captured - state.refunded - state.refunding);
        assert_eq!(state.lost, by_disputes, "{state:?}");
        assert!(state.left() >= 0, "{state:?}");
        let captured = matches!(state.status, P::Succeeded | P::PartiallyRefunded | P::Refunded);
        assert_eq!(captured, state.captured > 0, "{state:?}");
        assert_eq!(state.status == P::Refunded, state.captured > 0 && state.returned() == state.captured, "{state:?}");
        let is_part = state.returned() > 0 && state.returned() < state.captured;
        assert_eq!(state.status == P::PartiallyRefunded, is_part, "{state:?}");
        assert!(state.status != P::Failed || state.failure.is_some(), "{state:?}");
        assert!(state.captured == 0 || state.details.is_some() && state.object.is_some(), "{state:?}");
    }
}

#[test]
fn nothing_is_confirmed_but_the_committed_object() {
    for state in every_state() {
        for fact in every_fact() {
            let step = step(&state, fact.clone());
            for act in &step.acts {
                if let Act::Confirm { object, .. } = act {
                    assert_eq!(step.next.object.as_ref(), Some(object), "{state:?} {fact:?}");
                    assert!(step.next.can_be_paid(), "{state:?} {fact:?}");
                }
                if let Act::Charge { .. } = act {
                    assert!(step.next.creating && commit(&step.next, OWN).is_some(), "{state:?} {fact:?}");
                }
            }
        }
    }
}

/// Scenario 3: a payment ends only after the provider's confirmation.
#[test]
fn cancelled_is_said_only_without_an_object_or_after_its_cancel() {
    for state in every_state() {
        for fact in facts() {
            let step = step(&state, fact.clone());
            let ended = matches!(step.next.status, P::Failed | P::Cancelled) && step.next.status != state.status;
            if ended {
                let no_object = state.object.is_none() && step.next.object.is_none();
                let confirmed = matches!(&fact, Fact::CancelConfirmed(object) if state.object.as_ref() == Some(object));
                assert!(no_object || confirmed, "{state:?} {fact:?}");
                assert!(!state.creating || matches!(fact, Fact::CreateRejected(_)), "{state:?} {fact:?}");
            }
        }
    }
}

#[test]
fn an_ended_attempt_never_opens_again() {
    for state in every_state().into_iter().filter(|state| !state.is_open()) {
        for fact in every_fact() {
            let step = step(&state, fact.clone());
            assert!(!step.next.is_open(), "{state:?} {fact:?}");
            let asks = step.acts.iter().any(|act| matches!(act, Act::Charge { .. } | Act::Confirm { .. }));
            assert!(!asks, "{state:?} {fact:?}");
        }
    }
}

#[test]
fn a_capture_after_the_end_is_refunded_and_not_emitted_as_success() {
    for state in every_state().into_iter().filter(|state| matches!(state.status, P::Failed | P::Cancelled)) {
        if state.details.is_none() {
            continue;
        }
        let step = step(&state, Fact::Paid(OWN.into()));
        assert!(!step.acts.contains(&Act::EmitSucceeded), "{state:?}");
        assert!(step.acts.contains(&Act::GiveBack { id: automatic(), amount: 100 }), "{state:?}");
    }
}

#[test]
fn the_automatic_refund_is_made_once() {
    for state in every_state().into_iter().filter(|state| state.automatic_refund) {
        for fact in every_fact() {
            let again = step(&state, fact.clone())
                .acts
                .iter()
                .any(|act| matches!(act, Act::GiveBack { id, .. } if *id == automatic()));
            assert!(!again, "{state:?} {fact:?}");
        }
    }
}

/// Whether a payment can be paid, its status, and the number of declines.
fn stands((state, _): &(Attempt, Vec<Act>)) -> (bool, P, usize) {
    (state.can_be_paid(), state.status, state.declines.len())
}

#[test]
fn an_open_intent_takes_three_cards_and_an_order_that_named_its_method_takes_one() {
    let opened = || {
        vec![
            Fact::Due { details: details(), method: None },
            Fact::IntentOpened { details: details(), object: OWN.into() },
        ]
    };
    let tried = |cards: &[Fact]| after(opened().into_iter().chain(cards.iter().cloned()));
    let acts = Fact::BuyerActs { method: "pm_card_bad".into() };
    let by_hand = [acts.clone(), decline(OWN, "1"), acts.clone(), decline(OWN, "2")];
    assert_eq!(stands(&tried(&by_hand)), (true, P::Pending, 2));
    let seen = [decline_seen(OWN, "a"), decline_seen(OWN, "a"), decline_seen(OWN, "b"), decline_seen(OWN, "a")];
    let (state, acts) = tried(&seen);
    assert_eq!(stands(&(state.clone(), Vec::new())), (true, P::Pending, 2), "however often it is read");
    assert_eq!(acts, [Act::EmitIntentCreated]);
    assert_eq!(state.failure, Some((declined().code, declined().message)));

    let third = step(&state, decline_seen(OWN, "c"));
    assert_eq!(third.acts, [Act::Cancel(OWN.into())]);
    assert_eq!(step(&third.next, Fact::CancelConfirmed(OWN.into())).acts, [Act::EmitFailed(declined())]);
    assert_eq!(step(&state, Fact::Paid(OWN.into())).acts, [Act::EmitSucceeded]);

    let named = Fact::Due { details: details(), method: Some("pm_card_bad".into()) };
    let (state, acts) = after([named, Fact::ObjectCreated(OWN.into()), decline_seen(OWN, "a"), decline(OWN, "1")]);
    assert_eq!((state.can_be_paid(), state.closing), (false, Some(Closing::Decline)));
    assert_eq!(acts.last(), Some(&Act::Cancel(OWN.into())));
}

#[test]
fn a_charge_waits_for_the_buyers_confirmation_and_fails_if_it_is_denied() {
    let charged = || {
        let named = Fact::Due { details: details(), method: Some("pm_card_asks".into()) };
        vec![named, Fact::ObjectCreated(OWN.into()), Fact::ActionRequired(OWN.into()), Fact::ActionRequired(OWN.into())]
    };
    let (state, acts) = after(charged());
    assert_eq!((state.status, state.awaits_action), (P::Processing, true));
    assert_eq!(acts[2..], [Act::EmitActionRequired], "emitted once");
    let then = |fact: Fact| step(&state, fact);
    assert_eq!(then(Fact::Paid(OWN.into())).acts, [Act::EmitSucceeded]);
    assert_eq!(then(decline_seen(OWN, "a")).acts, [Act::Cancel(OWN.into())], "its first decline is its last");
    assert_eq!(then(Fact::ExpiryDue).acts, [Act::Cancel(OWN.into())]);
    let confirm = Act::Confirm { object: OWN.into(), method: "yes".into() };
    assert_eq!(then(Fact::BuyerAuthenticates { method: "yes".into() }).acts, [confirm]);
    let nothing_requested = step(&Attempt::default(), Fact::BuyerAuthenticates { method: "yes".into() });
    assert_eq!(nothing_requested, Step::stay(&Attempt::default()));
}

#[test]
fn an_intent_and_the_due_come_in_any_order() {
    let due = Fact::Due { details: details(), method: None };
    let intent = Fact::IntentOpened { details: details(), object: OWN.into() };
    let (one, acts) = after([due.clone(), intent.clone(), intent.clone()]);
    assert_eq!(acts, [Act::EmitIntentCreated], "emitted once");
    let (other, _) = after([intent, due]);
    assert_eq!(one, other);
}

/// Scenario 20: the intent arrives after the tombstone.
#[test]
fn a_tombstone_ignores_later_inputs() {
    let due = Fact::Due { details: details(), method: Some("pm_card_visa".into()) };
    let intent = Fact::IntentOpened { details: details(), object: OWN.into() };
    let (state, acts) = after([Fact::ExpiryDue, due, intent]);
    assert_eq!(state.status, P::Cancelled);
    assert_eq!(state.details, Some(details()), "it learns what would have been owed");
    assert_eq!(acts, [Act::EmitCancelled, Act::Cancel(OWN.into())]);
}

/// Scenario 20: the object arrives while the payment is closing.
#[test]
fn a_create_in_flight_is_cancelled_when_it_comes_back_to_a_closing_payment() {
    let due = Fact::Due { details: details(), method: Some("pm_card_visa".into()) };
    let (state, acts) =
        after([due, Fact::ExpiryDue, Fact::ObjectCreated(OWN.into()), Fact::CancelConfirmed(OWN.into())]);
    assert_eq!(state.status, P::Cancelled);
    assert_eq!(acts, [charge::charge(), Act::Cancel(OWN.into()), Act::EmitCancelled]);
}

/// The confirm waited for an unavailable provider and then only reads the object, which is still open.
#[test]
fn a_confirm_that_finds_its_payment_called_off_leaves_the_rest_to_the_cancel() {
    let called_off = || {
        let due = Fact::Due { details: details(), method: Some("pm_card_visa".into()) };
        vec![due, Fact::ObjectCreated(OWN.into()), Fact::OrderEnded { wants_answer: true }]
    };
    let (state, acts) = after(called_off());
    assert!(!state.can_be_paid() && state.is_open());
    let confirm = Act::Confirm { object: OWN.into(), method: "pm_card_visa".into() };
    assert_eq!(acts, [charge::charge(), confirm, Act::Cancel(OWN.into())]);
    let then = |seen: &[Fact]| {
        let (state, acts) = after(called_off().into_iter().chain(seen.iter().cloned()));
        (state.status, acts[3..].to_vec())
    };
    let (cancelled, paid) = (Fact::CancelConfirmed(OWN.into()), Fact::Paid(OWN.into()));
    assert_eq!(then(std::slice::from_ref(&cancelled)), (P::Cancelled, vec![Act::EmitCancelled]));
    // The confirm's read and the cancel find the same end: it is emitted once.
    assert_eq!(then(&[cancelled.clone(), cancelled]), (P::Cancelled, vec![Act::EmitCancelled]));
    let given_back = vec![Act::EmitSucceeded, Act::GiveBack { id: automatic(), amount: 100 }];
    assert_eq!(then(&[paid.clone(), paid]), (P::Succeeded, given_back));
}

#[test]
fn a_cancel_that_comes_too_late_is_a_success_or_a_refund() {
    let intent = Fact::IntentOpened { details: details(), object: OWN.into() };
    let (state, acts) = after([intent.clone(), Fact::ExpiryDue, Fact::Paid(OWN.into())]);
    assert_eq!(state.status, P::Succeeded);
    assert_eq!(acts[2..], [Act::EmitSucceeded], "only the deadline wanted it closed");
    let (_, acts) = after([intent, Fact::OrderEnded { wants_answer: true }, Fact::Paid(OWN.into())]);
    assert_eq!(acts[2..], [Act::EmitSucceeded, Act::GiveBack { id: automatic(), amount: 100 }]);
}

#[test]
fn what_a_failed_refund_kept_back_goes_with_the_automatic_one() {
    let (state, acts) = after([
        Fact::IntentOpened { details: details(), object: OWN.into() },
        Fact::Paid(OWN.into()),
        Fact::RefundRequested { id: refund_id(1), amount: 100 },
        Fact::OrderEnded { wants_answer: true },
        Fact::RefundDeclined { id: refund_id(1), failure: declined() },
    ]);
    assert_eq!(acts.last(), Some(&Act::GiveBack { id: automatic(), amount: 100 }));
    assert_eq!((state.refunding, state.automatic_refund), (100, true));
}
