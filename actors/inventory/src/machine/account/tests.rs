//! Events of orders in different orders of arrival.

use chrono::DateTime;

use super::*;

const A: Uuid = Uuid::from_u128(0xA);
const B: Uuid = Uuid::from_u128(0xB);

/// The state across several batches.
struct Books {
    account: Account<'static>,
    reservations: BTreeMap<Uuid, Reservation>,
    emitted: Vec<(Uuid, Emitted)>,
}

fn account(stock: &[(Uuid, i64)], orders: u128) -> Books {
    let shelf = |(variant, on_hand): &(Uuid, i64)| {
        let empty = Shelf::empty(*variant, "S".into(), Uuid::nil(), DateTime::UNIX_EPOCH);
        (*variant, Shelf { on_hand: *on_hand, received: *on_hand, ..empty })
    };
    let new = |order: u128| Reservation {
        order: Uuid::from_u128(order),
        state: State::New,
        cause: None,
        version: Version::default(),
        lines: Lines::new(),
        returned: Lines::new(),
        has_new_lines: false,
    };
    Books {
        account: Account { shelves: stock.iter().map(shelf).collect(), ..Account::default() },
        reservations: (1..=orders).map(|order| (Uuid::from_u128(order), new(order))).collect(),
        emitted: Vec::new(),
    }
}

fn input(order: u128, fact: Fact, lines: &[(Uuid, i64)]) -> Incoming {
    let lines = sum(lines.iter().map(|(variant, quantity)| (VariantId(*variant), *quantity)));
    Incoming { order: Uuid::from_u128(order), fact, lines, products: BTreeMap::new() }
}

/// The cause of the input at this index of a batch.
fn cause(index: usize) -> Cause {
    Cause { id: Uuid::from_u128(index as u128), name: "test".into(), request_id: None, traceparent: None }
}

fn run(books: &mut Books, facts: &[Incoming]) {
    for (index, incoming) in facts.iter().enumerate() {
        // Leaked for the lifetime of the test: `Touched` borrows the cause of the last change.
        let (incoming, cause): (&Incoming, &Cause) =
            (Box::leak(Box::new(incoming.clone())), Box::leak(Box::new(cause(index))));
        let Some(known) = books.reservations.get_mut(&incoming.order) else { continue };
        if let Transition::Changed(emitted) = books.account.transition(known, (incoming, cause)) {
            books.emitted.extend(emitted.into_iter().map(|emitted| (incoming.order, emitted)));
        }
    }
    for shelf in books.account.shelves.values() {
        assert_eq!(shelf.received, shelf.on_hand + shelf.sold);
        assert!(0 <= shelf.reserved && shelf.reserved <= shelf.on_hand);
    }
}

fn balance(books: &Books, variant: Uuid) -> (i64, i64, i64) {
    let shelf = &books.account.shelves[&variant];
    (shelf.available(), shelf.reserved, shelf.sold)
}

/// The state of an order's reservation, and the number of events that were emitted for it.
fn state(books: &Books, order: u128) -> (State, usize) {
    let order = Uuid::from_u128(order);
    (books.reservations[&order].state, books.emitted.iter().filter(|(emitted, _)| *emitted == order).count())
}

#[test]
fn a_batch_holds_in_the_order_of_arrival_until_nothing_is_left() {
    let mut books = account(&[(A, 5)], 4);
    let facts = [
        input(1, Fact::Placed, &[(A, 2)]),
        input(2, Fact::Placed, &[(A, 4)]),
        input(3, Fact::Placed, &[(A, 3)]),
        input(4, Fact::Placed, &[(A, 1)]),
    ];
    run(&mut books, &facts);
    let states: Vec<_> = (1..=4).map(|order| state(&books, order).0).collect();
    assert_eq!(states, [State::Held, State::Rejected, State::Held, State::Rejected]);
    assert_eq!(balance(&books, A), (0, 5, 0));
    assert_eq!(books.account.touched[&A].cause.id, cause(2).id);
    let short =
        |requested, available| Emitted::Rejected(vec![Shortage { variant_id: VariantId(A), requested, available }]);
    assert_eq!(books.emitted[1], (Uuid::from_u128(2), short(4, 3)));
    assert_eq!(books.emitted[3].1, short(1, 0));
}

#[test]
fn one_short_line_keeps_every_line_of_the_order_free() {
    let mut books = account(&[(A, 5), (B, 1)], 1);
    run(&mut books, &[input(1, Fact::Placed, &[(A, 1), (B, 2)])]);
    assert_eq!((balance(&books, A), balance(&books, B)), ((5, 0, 0), (1, 0, 0)));
    assert!(books.account.entries.is_empty() && books.account.touched.is_empty());
}

#[test]
fn a_variant_named_twice_is_summed_and_an_unknown_one_is_not_there() {
    let mut books = account(&[(A, 3)], 2);
    run(&mut books, &[input(1, Fact::Placed, &[(A, 2), (A, 2)]), input(2, Fact::Placed, &[(B, 1)])]);
    let Emitted::Rejected(first) = &books.emitted[0].1 else { panic!("held") };
    assert_eq!((first[0].requested, first[0].available), (4, 3));
    let Emitted::Rejected(second) = &books.emitted[1].1 else { panic!("held") };
    assert_eq!((second[0].variant_id, second[0].available), (VariantId(B), 0));
}

#[test]
fn every_step_to_the_end_emits_an_event() {
    let mut books = account(&[(A, 5)], 1);
    run(&mut books, &[input(1, Fact::Placed, &[(A, 2)])]);
    assert_eq!(balance(&books, A), (3, 2, 0));
    run(&mut books, &[input(1, Fact::Confirmed, &[(A, 2)])]);
    assert_eq!(balance(&books, A), (3, 0, 2));
    run(&mut books, &[input(1, Fact::Cancelled, &[])]);
    assert_eq!((balance(&books, A), state(&books, 1)), ((5, 0, 0), (State::Returned, 3)));
    let emitted = books.emitted.iter().map(|(_, emitted)| emitted).collect::<Vec<_>>();
    assert!(matches!(emitted[..], [Emitted::Reserved(_), Emitted::Committed(_), Emitted::Released(_)]), "{emitted:?}");
    let reasons: Vec<_> =
        books.account.entries.iter().map(|entry| (entry.reason, entry.on_hand, entry.reserved)).collect();
    assert_eq!(reasons, [("reserved", 0, 2), ("committed", -2, -2), ("returned", 2, 0)]);
}

#[test]
fn units_return_in_parts_and_never_more_than_were_sold() {
    let mut books = account(&[(A, 5), (B, 5)], 1);
    let sold = [(A, 3), (B, 2)];
    run(&mut books, &[input(1, Fact::Placed, &sold), input(1, Fact::Confirmed, &sold)]);
    run(&mut books, &[input(1, Fact::Returned, &[(A, 1)])]);
    assert_eq!((balance(&books, A), balance(&books, B)), ((3, 0, 2), (3, 0, 2)));
    assert_eq!(state(&books, 1), (State::Committed, 3));
    run(&mut books, &[input(1, Fact::Returned, &[(A, 9), (B, 2)])]);
    assert_eq!((balance(&books, A), balance(&books, B)), ((5, 0, 0), (5, 0, 0)));
    assert_eq!(state(&books, 1), (State::Returned, 4));
    run(&mut books, &[input(1, Fact::Returned, &[(A, 1)]), input(1, Fact::Cancelled, &[])]);
    assert_eq!((balance(&books, A), state(&books, 1)), ((5, 0, 0), (State::Returned, 4)));
    let back: Vec<_> = books.account.entries.iter().filter(|entry| entry.reason == "restocked").collect();
    assert_eq!(back.iter().map(|entry| entry.on_hand).collect::<Vec<_>>(), [1, 2, 2]);
}

#[test]
fn a_cancelled_order_returns_what_it_still_has() {
    let mut books = account(&[(A, 5)], 1);
    run(&mut books, &[input(1, Fact::Placed, &[(A, 3)]), input(1, Fact::Confirmed, &[(A, 3)])]);
    run(&mut books, &[input(1, Fact::Returned, &[(A, 1)]), input(1, Fact::Cancelled, &[])]);
    assert_eq!((balance(&books, A), state(&books, 1).0), ((5, 0, 0), State::Returned));
}

/// Scenario 4: no input waits for another.
#[test]
fn returned_units_come_to_the_same_shelf_in_every_order_of_arrival() {
    let facts = [
        input(1, Fact::Placed, &[(A, 3)]),
        input(1, Fact::Confirmed, &[(A, 3)]),
        input(1, Fact::Returned, &[(A, 1)]),
        input(1, Fact::Returned, &[(A, 1)]),
    ];
    for one in 0..4 {
        for two in 0..4 {
            for three in 0..4 {
                let order = [one, two, three, 6_usize.wrapping_sub(one + two + three)];
                let all: std::collections::BTreeSet<_> = order.iter().collect();
                if all.len() < 4 || order[3] > 3 {
                    continue;
                }
                let mut books = account(&[(A, 5)], 1);
                run(&mut books, &order.map(|index| facts[index].clone()));
                assert_eq!((balance(&books, A), state(&books, 1).0), ((4, 0, 1), State::Committed), "{order:?}");
            }
        }
    }
}

#[test]
fn an_order_that_ended_before_it_was_placed_holds_nothing_and_emits_nothing() {
    let mut books = account(&[(A, 5)], 1);
    run(&mut books, &[input(1, Fact::Expired, &[]), input(1, Fact::Placed, &[(A, 2)])]);
    assert_eq!((balance(&books, A), state(&books, 1)), ((5, 0, 0), (State::Tombstone, 0)));
    assert!(books.emitted.is_empty());
}

#[test]
fn confirmed_before_placed_sells_what_is_there() {
    let mut books = account(&[(A, 5), (B, 1)], 2);
    let facts = [
        input(1, Fact::Confirmed, &[(A, 2), (B, 3)]),
        input(1, Fact::Placed, &[(A, 2), (B, 3)]),
        input(2, Fact::Confirmed, &[(B, 1)]),
    ];
    run(&mut books, &facts);
    assert_eq!((balance(&books, A), balance(&books, B)), ((3, 0, 2), (0, 0, 1)));
    assert_eq!(books.reservations[&Uuid::from_u128(1)].lines, Lines::from([(A, 2), (B, 1)]));
    assert_eq!(state(&books, 2), (State::Committed, 1));
    run(&mut books, &[input(1, Fact::Cancelled, &[])]);
    assert_eq!((balance(&books, A), balance(&books, B)), ((5, 0, 0), (1, 0, 0)));
}

#[test]
fn only_what_will_move_is_locked() {
    let mut books = account(&[(A, 5)], 1);
    assert!(books.reservations[&Uuid::from_u128(1)].moves(&input(1, Fact::Failed, &[])).is_none());
    assert_eq!(
        books.reservations[&Uuid::from_u128(1)].moves(&input(1, Fact::Placed, &[(A, 1)])),
        Some(&Lines::from([(A, 1)]))
    );
    run(&mut books, &[input(1, Fact::Placed, &[(A, 1)])]);
    assert_eq!(
        books.reservations[&Uuid::from_u128(1)].moves(&input(1, Fact::Failed, &[])),
        Some(&Lines::from([(A, 1)]))
    );
}
