//! Captured amounts: refunds, their reversal, and disputes.

use super::*;

fn paid_up() -> Vec<Fact> {
    vec![Fact::IntentOpened { details: details(), object: OWN.into() }, Fact::Paid(OWN.into())]
}

fn emitted(facts: impl IntoIterator<Item = Fact>) -> (Attempt, Vec<Act>) {
    let (state, acts) = after(paid_up().into_iter().chain(facts));
    (state, acts[2..].to_vec())
}

#[test]
fn a_refund_that_is_reversed_is_owed_again() {
    let id = refund_id(1);
    let requested = Fact::RefundRequested { id, amount: 100 };
    let done = Fact::RefundDone { id, provider_id: "re".into() };
    let reversed = Fact::RefundReversed { id, amount: 100, failure: declined() };
    let (state, acts) = emitted([requested.clone(), done.clone(), reversed.clone()]);
    assert_eq!((state.status, state.left()), (P::Succeeded, 100));
    assert_eq!(acts.last(), Some(&Act::EmitRefundFailed { id, failure: declined() }));
    let over = Fact::OrderEnded { wants_answer: false };
    let (state, acts) = emitted([requested, done, over, reversed]);
    assert_eq!((state.refunding, acts.last()), (100, Some(&Act::GiveBack { id: automatic(), amount: 100 })));
}

#[test]
fn a_result_ends_its_own_refund_and_no_other() {
    let (one, other) = (refund_id(1), refund_id(2));
    let requested = |id, amount| Fact::RefundRequested { id, amount };
    let done = |id| Fact::RefundDone { id, provider_id: "re".into() };
    let (state, _) = emitted([requested(one, 40), done(one), requested(other, 60)]);
    for late in [done(one), Fact::RefundDeclined { id: one, failure: declined() }, done(refund_id(3))] {
        assert_eq!(step(&state, late.clone()), Step::stay(&state), "{late:?}");
    }
    let ended = step(&state, done(other));
    assert_eq!((ended.next.refunded, ended.next.refunding), (100, 0));
    assert_eq!(ended.acts, [Act::EmitRefunded { id: other, amount: 60 }]);
}

#[test]
fn a_refund_amid_a_dispute_leaves_the_rest_to_the_automatic_one() {
    use DisputeState::{Open, Won};
    let (id, ended) = (refund_id(1), Fact::OrderEnded { wants_answer: true });
    let (amid, _) = emitted([dispute("dp_1", 40, Open), Fact::RefundRequested { id, amount: 60 }, ended]);
    let (won, done) = (dispute("dp_1", 40, Won), Fact::RefundDone { id, provider_id: "re".into() });
    let back = |amount| Some(Act::GiveBack { id: automatic(), amount });
    let after = |first: &Fact, second: &Fact| step(&step(&amid, first.clone()).next, second.clone()).acts.pop();
    assert_eq!((after(&won, &done), after(&done, &won)), (back(40), back(40)));
    let failed = Fact::RefundDeclined { id, failure: declined() };
    assert_eq!((after(&won, &failed), after(&failed, &won)), (back(100), back(100)));
}

#[test]
fn a_dispute_holds_its_money_back_and_takes_it_or_frees_it() {
    use DisputeState::{Lost, Open, Won};
    let dp = || "dp_1".to_owned();
    let (held, acts) = emitted([dispute("dp_1", 40, Open), dispute("dp_1", 40, Open)]);
    assert_eq!((held.status, held.left(), acts), (P::Succeeded, 60, vec![Act::EmitDisputed { id: dp() }]));
    let won = step(&held, dispute("dp_1", 40, Won));
    assert_eq!((won.next.left(), won.acts), (100, vec![Act::EmitDisputeWon { id: dp() }]));
    let lost = step(&held, dispute("dp_1", 40, Lost));
    assert_eq!((lost.next.status, lost.next.left()), (P::PartiallyRefunded, 60));
    assert_eq!(lost.acts, [Act::EmitDisputeLost { id: dp() }]);
    assert_eq!(step(&lost.next, dispute("dp_1", 40, Open)), Step::stay(&lost.next), "read late");
    // The dispute is first read when it is already lost.
    let (state, acts) = emitted([dispute("dp_1", 100, Lost)]);
    assert_eq!(state.status, P::Refunded);
    assert_eq!(acts, [Act::EmitDisputed { id: dp() }, Act::EmitDisputeLost { id: dp() }]);
}

#[test]
fn money_of_an_order_that_is_over_waits_for_its_dispute() {
    use DisputeState::{Lost, Open, Won};
    let over = || [dispute("dp_1", 40, Open), Fact::OrderEnded { wants_answer: true }];
    let (state, acts) = emitted(over());
    assert!(acts.iter().all(|act| !matches!(act, Act::GiveBack { .. })), "one automatic refund, of all that is left");
    let back = |amount| Some(Act::GiveBack { id: automatic(), amount });
    assert_eq!(step(&state, dispute("dp_1", 40, Won)).acts.pop(), back(100));
    assert_eq!(step(&state, dispute("dp_1", 40, Lost)).acts.pop(), back(60));
}

#[test]
fn a_charge_that_is_refunded_and_lost_as_well_counts_once() {
    let id = refund_id(1);
    let lost = [Fact::RefundRequested { id, amount: 100 }, dispute("dp_1", 100, DisputeState::Lost)];
    let (state, _) = emitted(lost);
    assert_eq!((state.refunding, state.lost), (100, 0));
    let done = step(&state, Fact::RefundDone { id, provider_id: "re".into() }).next;
    assert_eq!((done.status, done.refunded, done.lost), (P::Refunded, 100, 0));
    let rejected = step(&state, Fact::RefundDeclined { id, failure: declined() }).next;
    assert_eq!((rejected.status, rejected.refunded, rejected.lost), (P::Refunded, 0, 100));
}
