use super::*;
use OrderStatus as S;
use PaymentStatus as P;

fn failure() -> Failure {
    Failure { code: "card_declined".into(), message: "no".into() }
}

fn money(back: Back, version: i64) -> Fact {
    Fact::MoneyBack { back, version, returns: Returns::Nothing }
}

fn returns_units(fact: &Fact) -> bool {
    matches!(fact, Fact::MoneyBack { returns, .. } if *returns != Returns::Nothing)
}

fn facts() -> Vec<Fact> {
    let mut facts = vec![
        Fact::Reserved,
        Fact::ReservationRejected(out_of_stock()),
        Fact::ActionRequired,
        Fact::Paid,
        Fact::PaymentFailed(failure()),
        Fact::PaymentCancelled,
        Fact::DeadlinePassed,
        Fact::CancelledByPerson,
    ];
    facts.extend(S::ALL.iter().map(|status| Fact::TakenTo(*status)));
    for back in [Back::None, Back::Part, Back::All] {
        facts.extend([4, 6].map(|version| money(back, version)));
        facts.push(Fact::MoneyBack { back, version: 6, returns: Returns::Everything });
    }
    let returns = Returns::Lines(vec![(subjects::ItemId(uuid::Uuid::nil()), 1)]);
    facts.push(Fact::MoneyBack { back: Back::Part, version: 4, returns });
    facts
}

/// Every representable state, including unreachable ones.
fn every_state() -> Vec<OrderState> {
    let mut states = Vec::new();
    for &status in S::ALL {
        for &payment in P::ALL {
            for bits in 0..32 {
                states.push(OrderState {
                    status,
                    payment,
                    fulfillment: FulfillmentStatus::Unfulfilled,
                    stock_held: bits & 1 != 0,
                    charges_at_once: bits & 2 != 0,
                    expiry_requested: bits & 4 != 0,
                    action_required: bits & 8 != 0,
                    money_version: if bits & 16 != 0 { 5 } else { 0 },
                });
            }
        }
    }
    states
}

/// Every state that is reachable by any sequence of inputs.
fn reachable_states() -> Vec<OrderState> {
    let mut states: Vec<OrderState> = Vec::new();
    let mut next = vec![
        OrderState::placed(1, true),
        OrderState::placed(1, false),
        OrderState::placed(0, true),
        OrderState::placed(0, false),
    ];
    while let Some(state) = next.pop() {
        if states.contains(&state) {
            continue;
        }
        states.push(state);
        for fact in facts() {
            if let Some((after, _)) = taken(&state, &fact) {
                next.push(after);
            }
        }
    }
    states
}

/// The state after an input and the events to emit; `None` if it changes nothing.
fn taken(state: &OrderState, fact: &Fact) -> Option<(OrderState, Vec<Emitted>)> {
    let mut next = *state;
    match step(&mut next, fact.clone()) {
        Step::Changed(events) => {
            assert!(events.iter().all(|(_, after)| *after == next), "{state:?} {fact:?}");
            Some((next, events.into_iter().map(|(emitted, _)| emitted).collect()))
        }
        Step::Stay | Step::Illegal => {
            assert_eq!(next, *state, "{fact:?}");
            None
        }
    }
}

fn after(state: OrderState, facts: impl IntoIterator<Item = Fact>) -> (OrderState, Vec<Emitted>) {
    let (mut state, mut emitted) = (state, Vec::new());
    for fact in facts {
        if let Some((next, events)) = taken(&state, &fact) {
            state = next;
            emitted.extend(events);
        }
    }
    (state, emitted)
}

fn waiting() -> OrderState {
    OrderState::placed(1, false)
}

#[test]
fn no_fact_takes_an_order_where_the_table_does_not_allow() {
    for state in every_state() {
        for fact in facts() {
            if let Some((next, _)) = taken(&state, &fact) {
                let stays = next.status == state.status;
                assert!(stays || state.status.may_become(next.status), "{state:?} {fact:?} -> {next:?}");
            }
        }
    }
}

#[test]
fn a_person_takes_an_order_along_the_legal_steps_and_no_others() {
    for state in every_state() {
        for &to in S::ALL {
            let by_hand = matches!(to, S::Processing | S::Shipped | S::Delivered);
            let mut next = state;
            match step(&mut next, Fact::TakenTo(to)) {
                Step::Changed(_) => assert!(by_hand && state.status.may_become(to) && next.status == to),
                Step::Illegal => assert!(!(by_hand && state.status.may_become(to)), "{state:?} to {to:?}"),
                Step::Stay => panic!("a person gets an answer: {state:?} to {to:?}"),
            }
        }
        let may_cancel = matches!(state.status, S::Pending | S::Confirmed | S::Processing);
        let cancelled = step(&mut state.clone(), Fact::CancelledByPerson);
        assert_eq!(matches!(cancelled, Step::Changed(_)), may_cancel, "{state:?}");
        assert_eq!(cancelled == Step::Illegal, !may_cancel, "{state:?}");
    }
}

#[test]
fn only_inputs_of_persons_are_illegal() {
    for state in every_state() {
        for fact in facts() {
            let by_person = matches!(fact, Fact::CancelledByPerson | Fact::TakenTo(_));
            assert!(by_person || step(&mut state.clone(), fact.clone()) != Step::Illegal, "{state:?} {fact:?}");
        }
    }
}

#[test]
fn every_visible_change_emits_an_event() {
    for state in every_state() {
        for fact in facts() {
            if let Some((next, events)) = taken(&state, &fact) {
                let seen = |s: &OrderState| (s.status, s.payment, s.fulfillment, s.action_required);
                assert_ne!((next, events.is_empty()), (state, true), "a step that is none: {state:?} {fact:?}");
                if events.is_empty() {
                    assert_eq!(seen(&state), seen(&next), "{state:?} {fact:?}");
                }
            }
        }
    }
}

#[test]
fn no_fact_counts_twice() {
    for state in reachable_states() {
        // Restocked units are not deduplicated here: the runtime delivers every event once.
        for fact in facts().into_iter().filter(|fact| !matches!(fact, Fact::TakenTo(_)) && !returns_units(fact)) {
            if let Some((next, _)) = taken(&state, &fact) {
                assert_eq!(taken(&next, &fact), None, "{state:?} {fact:?} twice");
            }
        }
    }
}

#[test]
fn goods_leave_only_held_and_paid() {
    for state in reachable_states() {
        if matches!(state.status, S::Confirmed | S::Processing | S::Shipped | S::Delivered) {
            assert!(state.stock_held, "{state:?}");
            assert!(matches!(state.payment, P::Succeeded | P::PartiallyRefunded), "{state:?}");
        }
    }
}

#[test]
fn a_final_order_stays_as_it_is_but_for_its_money() {
    for state in every_state().into_iter().filter(|state| state.status.is_final()) {
        for fact in facts() {
            // Units that a refund restocks are restocked however late its event arrives.
            let may_return = state.status == S::Refunded && returns_units(&fact);
            if let Some((next, events)) = taken(&state, &fact) {
                assert_eq!(next.status, state.status);
                assert!(events.iter().all(|emitted| match emitted {
                    Emitted::RefundDue | Emitted::StatusChanged => true,
                    Emitted::Returned(_) => may_return,
                    _ => false,
                }));
            }
        }
    }
}

#[test]
fn money_that_comes_to_an_ended_order_goes_back() {
    for status in [S::Cancelled, S::Failed, S::Expired] {
        for payment in [P::Pending, P::Processing, P::Failed, P::Cancelled] {
            let state = OrderState { status, payment, ..waiting() };
            let (next, emitted) = after(state, [Fact::Paid]);
            assert_eq!((next.status, next.payment), (status, P::Succeeded));
            assert_eq!(emitted, [Emitted::RefundDue]);
            assert_eq!(after(next, [money(Back::All, 1)]).0.payment, P::Refunded);
        }
    }
}

/// Scenario 1: a deadline alone expires no order.
#[test]
fn a_deadline_expires_only_by_the_answer_of_payments() {
    for state in reachable_states() {
        for fact in facts() {
            if let Some((next, _)) = taken(&state, &fact)
                && next.status == S::Expired
                && state.status != S::Expired
            {
                let answered = fact == Fact::PaymentCancelled || state.payment == P::Cancelled;
                assert!(answered && next.payment == P::Cancelled, "{state:?} {fact:?}");
            }
        }
    }
}

#[test]
fn an_order_is_paid_at_once_or_waits() {
    let (state, emitted) = after(OrderState::placed(1, true), [Fact::Reserved]);
    assert_eq!((state.payment, emitted), (P::Processing, vec![Emitted::PaymentDue]));
    let (state, emitted) = after(waiting(), [Fact::Reserved]);
    assert_eq!((state.payment, emitted), (P::Pending, vec![Emitted::PaymentDue]));
    let (state, emitted) = after(waiting(), [Fact::Reserved, Fact::Paid]);
    assert_eq!((state.status, state.payment), (S::Confirmed, P::Succeeded));
    assert_eq!(emitted, [Emitted::PaymentDue, Emitted::Confirmed]);
}

#[test]
fn a_required_action_is_emitted_once_and_the_order_waits() {
    let charged = after(OrderState::placed(1, true), [Fact::Reserved]).0;
    let (state, emitted) = after(charged, [Fact::ActionRequired, Fact::ActionRequired]);
    assert_eq!((state.status, state.payment, emitted), (S::Pending, P::Processing, vec![Emitted::StatusChanged]));
    assert_eq!(after(state, [Fact::Paid]).0.status, S::Confirmed);
    assert_eq!(after(state, [Fact::PaymentFailed(failure())]).0.status, S::Failed);
    assert_eq!(after(state, [Fact::DeadlinePassed, Fact::PaymentCancelled]).0.status, S::Expired);
}

#[test]
fn money_before_stock_confirms_with_the_stock_or_goes_back() {
    let (state, emitted) = after(waiting(), [Fact::Paid, Fact::Reserved]);
    assert_eq!(state.status, S::Confirmed);
    assert_eq!(emitted, [Emitted::StatusChanged, Emitted::Confirmed]);
    let (state, emitted) = after(waiting(), [Fact::Paid, Fact::ReservationRejected(out_of_stock())]);
    assert_eq!(state.status, S::Failed);
    assert_eq!(emitted, [Emitted::StatusChanged, Emitted::Failed(out_of_stock()), Emitted::RefundDue]);
}

#[test]
fn a_paid_order_does_not_expire_while_it_awaits_its_stock() {
    let (state, emitted) = after(waiting(), [Fact::Paid, Fact::DeadlinePassed]);
    assert_eq!((state.status, emitted), (S::Pending, vec![Emitted::StatusChanged]));
    let (state, _) = after(waiting(), [Fact::DeadlinePassed, Fact::Paid, Fact::Reserved]);
    assert_eq!(state.status, S::Confirmed);
}

#[test]
fn what_costs_nothing_is_confirmed_with_its_stock() {
    let (state, emitted) = after(OrderState::placed(0, false), [Fact::DeadlinePassed, Fact::Reserved]);
    assert_eq!((state.status, emitted), (S::Confirmed, vec![Emitted::Confirmed]));
}

#[test]
fn a_refund_that_overtakes_its_payment_loses_nothing() {
    let held = after(waiting(), [Fact::Reserved]).0;
    let part = after(held, [money(Back::Part, 2), Fact::Paid]).0;
    assert_eq!((part.status, part.payment), (S::Confirmed, P::PartiallyRefunded));
    let full = after(held, [money(Back::All, 3), Fact::Paid]).0;
    assert_eq!((full.status, full.payment), (S::Failed, P::Refunded));
    let older = after(full, [money(Back::Part, 2)]).0;
    assert_eq!(older.payment, P::Refunded, "an earlier refund that comes later");
}

/// A confirmed order that has reached `status`.
fn sold(status: S) -> OrderState {
    let fulfillment = match status {
        S::Shipped | S::Delivered => FulfillmentStatus::Fulfilled,
        _ => FulfillmentStatus::Unfulfilled,
    };
    OrderState { status, fulfillment, payment: P::Succeeded, stock_held: true, ..waiting() }
}

#[test]
fn all_money_back_returns_what_was_not_shipped_and_nothing_else() {
    for status in [S::Confirmed, S::Processing] {
        let (state, emitted) = after(sold(status), [money(Back::All, 2), money(Back::All, 2)]);
        assert_eq!((state.status, state.payment), (S::Refunded, P::Refunded));
        assert_eq!(emitted, [Emitted::StatusChanged, Emitted::Returned(Returns::Everything)], "once");
    }
    for status in [S::Shipped, S::Delivered] {
        let (state, emitted) = after(sold(status), [money(Back::All, 2)]);
        assert_eq!((state.status, state.fulfillment), (S::Refunded, FulfillmentStatus::Fulfilled));
        assert_eq!(emitted, [Emitted::StatusChanged], "the goods are with the buyer");
        let came_back = Fact::MoneyBack { back: Back::All, version: 2, returns: Returns::Everything };
        let (state, emitted) = after(sold(status), [came_back]);
        assert_eq!(state.fulfillment, FulfillmentStatus::Returned);
        assert_eq!(emitted, [Emitted::StatusChanged, Emitted::Returned(Returns::Everything)]);
    }
    let part = after(sold(S::Confirmed), [money(Back::Part, 2), money(Back::All, 3)]).1;
    assert_eq!(part, [Emitted::StatusChanged, Emitted::StatusChanged, Emitted::Returned(Returns::Everything)]);
}

#[test]
fn lines_of_a_refund_return_whatever_the_order_of_the_events() {
    let lines = Returns::Lines(vec![(subjects::ItemId(uuid::Uuid::nil()), 1)]);
    let of_lines = |version| Fact::MoneyBack { back: Back::Part, version, returns: lines.clone() };
    let (state, emitted) = after(sold(S::Delivered), [of_lines(2), of_lines(3)]);
    assert_eq!(state.payment, P::PartiallyRefunded);
    assert_eq!(emitted, [Emitted::StatusChanged, Emitted::Returned(lines.clone()), Emitted::Returned(lines.clone())]);
    let (state, emitted) = after(sold(S::Delivered), [money(Back::All, 3), of_lines(2)]);
    assert_eq!(state.status, S::Refunded);
    assert_eq!(emitted, [Emitted::StatusChanged, Emitted::Returned(lines.clone())], "the end overtakes the lines");
    let (state, emitted) = after(sold(S::Shipped), [money(Back::None, 3), of_lines(2)]);
    assert_eq!((state.payment, emitted), (P::Succeeded, vec![Emitted::Returned(lines)]), "it has failed since");
}

#[test]
fn a_refund_that_fails_later_puts_the_money_back_and_a_final_order_sends_it_again() {
    let part = after(sold(S::Delivered), [money(Back::Part, 2), money(Back::None, 3)]);
    assert_eq!((part.0.status, part.0.payment), (S::Delivered, P::Succeeded));
    assert_eq!(part.1, [Emitted::StatusChanged, Emitted::StatusChanged]);
    let full = after(sold(S::Confirmed), [money(Back::All, 2), money(Back::None, 3), money(Back::All, 2)]);
    assert_eq!((full.0.status, full.0.payment), (S::Refunded, P::Succeeded));
    assert_eq!(full.1[2..], [Emitted::RefundDue]);
    assert_eq!(after(full.0, [money(Back::All, 4)]).0.payment, P::Refunded);
    let cancelled = after(OrderState { status: S::Cancelled, ..sold(S::Confirmed) }, [money(Back::All, 2)]).0;
    let (state, emitted) = after(cancelled, [money(Back::None, 3)]);
    assert_eq!(
        (state.payment, emitted),
        (P::Succeeded, vec![Emitted::StatusChanged]),
        "payments sends it again by itself"
    );
    // The refund's failure arrives before its success: the money was not returned, and the order continues.
    let (state, emitted) = after(sold(S::Confirmed), [money(Back::None, 3), money(Back::All, 2)]);
    assert_eq!((state.status, state.payment, emitted), (S::Confirmed, P::Succeeded, vec![]));
}

#[test]
fn a_late_reservation_of_an_ended_order_is_left_to_inventory() {
    for status in [S::Cancelled, S::Failed, S::Expired, S::Refunded] {
        assert_eq!(step(&mut OrderState { status, ..waiting() }, Fact::Reserved), Step::Stay);
    }
}

/// Scenario 4: no input waits for another.
#[test]
fn every_order_of_facts_ends_the_same() {
    // Reserved and paid, with a deadline at any point: the order is confirmed in every sequence.
    let facts = [Fact::Reserved, Fact::Paid, Fact::DeadlinePassed];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let state = after(waiting(), order.map(|index| facts[index].clone())).0;
        assert_eq!((state.status, state.payment), (S::Confirmed, P::Succeeded), "{order:?}");
    }
    // Declined or out of stock: the order fails in every sequence.
    let facts = [Fact::ReservationRejected(out_of_stock()), Fact::PaymentFailed(failure()), Fact::DeadlinePassed];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        assert_eq!(after(waiting(), order.map(|index| facts[index].clone())).0.status, S::Failed, "{order:?}");
    }
}
