//! The charge of an order that names its payment method: one effect creates the object, commits its id and confirms it.

use super::*;

pub(super) fn charge() -> Act {
    Act::Charge { method: "pm_card_visa".into() }
}

fn charged_by_name() -> Fact {
    Fact::Due { details: details(), method: Some("pm_card_visa".into()) }
}

/// The inputs of a charge whose confirm ended with `result`.
fn confirmed(result: Fact) -> [Fact; 2] {
    [Fact::ObjectCommitted { object: OWN.into(), method: "pm_card_visa".into() }, result]
}

/// The payment of an order that named its method, with its object committed.
fn under_way() -> Attempt {
    commit(&step(&Attempt::default(), charged_by_name()).next, OWN).unwrap()
}

fn on(state: Attempt, facts: impl IntoIterator<Item = Fact>) -> (Attempt, Vec<Act>) {
    facts.into_iter().fold((state, Vec::new()), |(state, mut acts), fact| {
        let step = step(&state, fact);
        acts.extend(step.acts);
        (step.next, acts)
    })
}

#[test]
fn a_named_method_is_charged_by_one_effect() {
    assert_eq!(step(&Attempt::default(), charged_by_name()).acts, [charge()]);
    let (state, acts) = on(under_way(), confirmed(Fact::Paid(OWN.into())));
    assert_eq!(acts, [Act::EmitSucceeded]);
    assert_eq!((state.status, state.captured, state.creating), (P::Succeeded, 100, false));

    let (state, acts) =
        on(under_way(), confirmed(decline(OWN, "1")).into_iter().chain([Fact::CancelConfirmed(OWN.into())]));
    assert_eq!(state.status, P::Failed);
    assert_eq!(acts, [Act::Cancel(OWN.into()), Act::EmitFailed(declined())]);
}

#[test]
fn a_payment_that_was_closed_during_its_charge_is_cancelled_or_given_back() {
    let end = Fact::OrderEnded { wants_answer: true };
    // Before the object was committed: it is not confirmed.
    let (closed, acts) = after([charged_by_name(), end.clone()]);
    assert_eq!((commit(&closed, OWN), acts), (None, vec![charge()]));
    assert_eq!(step(&closed, Fact::ObjectCreated(OWN.into())).acts, [Act::Cancel(OWN.into())]);
    // Between the commit and the confirm: the cancel follows the charge.
    let (closed, acts) = on(under_way(), [end]);
    assert_eq!(acts, [Act::Cancel(OWN.into())]);
    let (state, acts) = on(closed.clone(), confirmed(Fact::Paid(OWN.into())));
    assert_eq!(acts, [Act::EmitSucceeded, Act::GiveBack { id: automatic(), amount: 100 }]);
    assert_eq!(step(&state, Fact::Paid(OWN.into())), Step::stay(&state), "the result of the cancel");
    let declined = confirmed(decline(OWN, "1")).into_iter().chain([Fact::CancelConfirmed(OWN.into())]);
    assert_eq!(on(closed, declined).1, [Act::EmitCancelled]);
}

#[test]
fn a_method_chosen_during_a_create_is_charged_after_it() {
    let acts = Fact::BuyerActs { method: "pm_card_other".into() };
    let (state, _) = on(under_way(), [acts]);
    let other = Act::Confirm { object: OWN.into(), method: "pm_card_other".into() };
    assert_eq!(on(state.clone(), confirmed(decline(OWN, "1"))).1[0], other);
    assert_eq!(on(state, confirmed(Fact::Paid(OWN.into()))).1, [other, Act::EmitSucceeded]);
}
