//! The table by itself, for every pair, and the table against a provider, for every order in which things can happen.

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

fn refund_id(number: u128) -> RefundId {
    RefundId(Uuid::from_u128(number))
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
        Fact::CreateRefused(declined()),
        Fact::BuyerActs { method: "pm_card_visa".into() },
        Fact::Paid(OWN.into()),
        Fact::Paid(OTHER.into()),
        Fact::Declined(OWN.into(), declined()),
        Fact::Declined(OTHER.into(), declined()),
        Fact::CancelConfirmed(OWN.into()),
        Fact::CancelConfirmed(OTHER.into()),
        Fact::ExpiryDue,
        Fact::OrderEnded { wants_answer: true },
        Fact::OrderEnded { wants_answer: false },
        Fact::RefundAsked { id, amount: 40 },
        Fact::RefundAsked { id, amount: 60 },
        Fact::RefundDone { id, amount: 40, provider_id: "re".into() },
        Fact::RefundDone { id, amount: 60, provider_id: "re".into() },
        Fact::RefundDone { id, amount: 100, provider_id: "re".into() },
        Fact::RefundDeclined { id, amount: 40, failure: declined() },
        Fact::RefundDeclined { id, amount: 100, failure: declined() },
    ]
}

/// Every state that any facts in any order lead to, however unlikely a provider that brings them.
fn every_state() -> HashSet<Attempt> {
    let mut states = HashSet::new();
    let mut next = vec![Attempt::default()];
    while let Some(state) = next.pop() {
        if states.insert(state.clone()) {
            next.extend(facts().into_iter().map(|fact| step(&state, fact).next));
        }
    }
    states
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
        assert!(state.refunded + state.refunding <= state.captured, "{state:?}");
        let captured = matches!(state.status, P::Succeeded | P::PartiallyRefunded | P::Refunded);
        assert_eq!(captured, state.captured > 0, "{state:?}");
        assert_eq!(state.status == P::Refunded, state.captured > 0 && state.refunded == state.captured, "{state:?}");
        assert_eq!(state.status == P::PartiallyRefunded, state.refunded > 0 && state.refunded < state.captured);
        assert!(state.status != P::Failed || state.failure.is_some(), "{state:?}");
        assert!(state.captured == 0 || state.details.is_some() && state.object.is_some(), "{state:?}");
    }
}

#[test]
fn nothing_is_confirmed_but_the_committed_object() {
    for state in every_state() {
        for fact in facts() {
            let step = step(&state, fact.clone());
            for act in &step.acts {
                if let Act::Confirm { object, .. } = act {
                    assert_eq!(step.next.object.as_ref(), Some(object), "{state:?} {fact:?}");
                    assert!(step.next.can_be_paid(), "{state:?} {fact:?}");
                }
            }
        }
    }
}

/// Scenario 3: nobody writes an end that the provider has not confirmed.
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
                assert!(!state.creating || matches!(fact, Fact::CreateRefused(_)), "{state:?} {fact:?}");
            }
        }
    }
}

#[test]
fn an_ended_attempt_never_opens_again() {
    for state in every_state().into_iter().filter(|state| !state.is_open()) {
        for fact in facts() {
            let step = step(&state, fact.clone());
            assert!(!step.next.is_open(), "{state:?} {fact:?}");
            let asks = step.acts.iter().any(|act| matches!(act, Act::Create | Act::Confirm { .. }));
            assert!(!asks, "{state:?} {fact:?}");
        }
    }
}

#[test]
fn money_after_the_verdict_goes_back_and_is_not_told_as_success() {
    for state in every_state().into_iter().filter(|state| matches!(state.status, P::Failed | P::Cancelled)) {
        if state.details.is_none() {
            continue;
        }
        let step = step(&state, Fact::Paid(OWN.into()));
        assert!(!step.acts.contains(&Act::TellSucceeded), "{state:?}");
        assert!(step.acts.contains(&Act::GiveBack { id: None, amount: 100 }), "{state:?}");
    }
}

#[test]
fn the_automatic_refund_is_made_once() {
    for state in every_state().into_iter().filter(|state| state.automatic_refund) {
        for fact in facts() {
            let again = step(&state, fact.clone()).acts.iter().any(|act| matches!(act, Act::GiveBack { id: None, .. }));
            assert!(!again, "{state:?} {fact:?}");
        }
    }
}

#[test]
fn a_named_method_is_charged_object_first() {
    let charged = Fact::Due { details: details(), method: Some("pm_card_visa".into()) };
    let (state, acts) = after([charged.clone(), Fact::ObjectCreated(OWN.into()), Fact::Paid(OWN.into())]);
    let confirm = Act::Confirm { object: OWN.into(), method: "pm_card_visa".into() };
    assert_eq!(acts, [Act::Create, confirm, Act::TellSucceeded]);
    assert_eq!((state.status, state.captured), (P::Succeeded, 100));

    let (state, acts) = after([
        charged,
        Fact::ObjectCreated(OWN.into()),
        Fact::Declined(OWN.into(), declined()),
        Fact::CancelConfirmed(OWN.into()),
    ]);
    assert_eq!(state.status, P::Failed);
    assert_eq!(acts[2..], [Act::Cancel(OWN.into()), Act::TellFailed(declined())]);
}

#[test]
fn an_intent_and_the_due_come_in_any_order() {
    let due = Fact::Due { details: details(), method: None };
    let intent = Fact::IntentOpened { details: details(), object: OWN.into() };
    let (one, acts) = after([due.clone(), intent.clone(), intent.clone()]);
    assert_eq!(acts, [Act::TellIntentCreated], "told once");
    let (other, _) = after([intent, due]);
    assert_eq!(one, other);
}

/// Scenario 20: the intent comes after the tombstone.
#[test]
fn a_tombstone_refuses_what_comes_after_it() {
    let due = Fact::Due { details: details(), method: Some("pm_card_visa".into()) };
    let intent = Fact::IntentOpened { details: details(), object: OWN.into() };
    let (state, acts) = after([Fact::ExpiryDue, due, intent]);
    assert_eq!(state.status, P::Cancelled);
    assert_eq!(state.details, Some(details()), "it learns what would have been owed");
    assert_eq!(acts, [Act::TellCancelled, Act::Cancel(OWN.into())]);
}

/// Scenario 20: the object comes after the tombstone.
#[test]
fn a_create_in_flight_is_cancelled_when_it_comes_back_to_a_closing_payment() {
    let due = Fact::Due { details: details(), method: Some("pm_card_visa".into()) };
    let (state, acts) =
        after([due, Fact::ExpiryDue, Fact::ObjectCreated(OWN.into()), Fact::CancelConfirmed(OWN.into())]);
    assert_eq!(state.status, P::Cancelled);
    assert_eq!(acts, [Act::Create, Act::Cancel(OWN.into()), Act::TellCancelled]);
}

/// Its confirm waited for a provider that was away, and then only looks: the object is as open as before.
#[test]
fn a_confirm_that_finds_its_payment_called_off_leaves_the_rest_to_the_cancel() {
    let called_off = || {
        let due = Fact::Due { details: details(), method: Some("pm_card_visa".into()) };
        vec![due, Fact::ObjectCreated(OWN.into()), Fact::OrderEnded { wants_answer: true }]
    };
    let (state, acts) = after(called_off());
    assert!(!state.can_be_paid() && state.is_open());
    let confirm = Act::Confirm { object: OWN.into(), method: "pm_card_visa".into() };
    assert_eq!(acts, [Act::Create, confirm, Act::Cancel(OWN.into())]);
    let then = |seen: &[Fact]| {
        let (state, acts) = after(called_off().into_iter().chain(seen.iter().cloned()));
        (state.status, acts[3..].to_vec())
    };
    let (cancelled, paid) = (Fact::CancelConfirmed(OWN.into()), Fact::Paid(OWN.into()));
    assert_eq!(then(std::slice::from_ref(&cancelled)), (P::Cancelled, vec![Act::TellCancelled]));
    // What the look finds already, the cancel finds again: it is told once.
    assert_eq!(then(&[cancelled.clone(), cancelled]), (P::Cancelled, vec![Act::TellCancelled]));
    let given_back = vec![Act::TellSucceeded, Act::GiveBack { id: None, amount: 100 }];
    assert_eq!(then(&[paid.clone(), paid]), (P::Succeeded, given_back));
}

#[test]
fn a_cancel_that_comes_too_late_is_a_success_or_a_refund() {
    let intent = Fact::IntentOpened { details: details(), object: OWN.into() };
    let (state, acts) = after([intent.clone(), Fact::ExpiryDue, Fact::Paid(OWN.into())]);
    assert_eq!(state.status, P::Succeeded);
    assert_eq!(acts[2..], [Act::TellSucceeded], "only the deadline wanted it closed");
    let (_, acts) = after([intent, Fact::OrderEnded { wants_answer: true }, Fact::Paid(OWN.into())]);
    assert_eq!(acts[2..], [Act::TellSucceeded, Act::GiveBack { id: None, amount: 100 }]);
}

#[test]
fn what_a_failed_refund_kept_back_goes_with_the_automatic_one() {
    let (state, acts) = after([
        Fact::IntentOpened { details: details(), object: OWN.into() },
        Fact::Paid(OWN.into()),
        Fact::RefundAsked { id: refund_id(1), amount: 100 },
        Fact::OrderEnded { wants_answer: true },
        Fact::RefundDeclined { id: refund_id(1), amount: 100, failure: declined() },
    ]);
    assert_eq!(acts.last(), Some(&Act::GiveBack { id: None, amount: 100 }));
    assert_eq!((state.refunding, state.automatic_refund), (100, true));
}
