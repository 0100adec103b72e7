//! Orders of arrival, as the books of one batch see them.

use chrono::DateTime;

use super::*;

const A: Uuid = Uuid::from_u128(0xA);
const B: Uuid = Uuid::from_u128(0xB);

fn account(stock: &[(Uuid, i64)], orders: u128) -> Account {
    let shelf = |(variant, on_hand): &(Uuid, i64)| {
        let empty = Shelf::empty(*variant, "S".into(), Uuid::nil(), DateTime::UNIX_EPOCH);
        (*variant, Shelf { on_hand: *on_hand, received: *on_hand, ..empty })
    };
    let new = Reservation {
        state: State::New,
        cause: None,
        version: Version::default(),
        lines: Lines::new(),
        returned: Lines::new(),
    };
    Account {
        shelves: stock.iter().map(shelf).collect(),
        reservations: (1..=orders).map(|order| (Uuid::from_u128(order), new.clone())).collect(),
        ..Account::default()
    }
}

fn heard(order: u128, fact: Fact, lines: &[(Uuid, i64)]) -> Incoming {
    let lines = sum(lines.iter().map(|(variant, quantity)| (VariantId(*variant), *quantity)));
    Incoming { order: Uuid::from_u128(order), fact, lines }
}

fn run(account: &mut Account, facts: &[Incoming]) {
    for (index, incoming) in facts.iter().enumerate() {
        account.apply(index, incoming);
    }
    for shelf in account.shelves.values() {
        assert_eq!(shelf.received, shelf.on_hand + shelf.sold);
        assert!(0 <= shelf.reserved && shelf.reserved <= shelf.on_hand);
    }
}

fn balance(account: &Account, variant: Uuid) -> (i64, i64, i64) {
    let shelf = &account.shelves[&variant];
    (shelf.available(), shelf.reserved, shelf.sold)
}

/// Where the reservation of an order stands, and how many events it has emitted.
fn state(account: &Account, order: u128) -> (State, usize) {
    let order = Uuid::from_u128(order);
    (account.reservations[&order].state, account.told.iter().filter(|(_, told, _)| *told == order).count())
}

#[test]
fn a_batch_holds_in_the_order_of_arrival_until_nothing_is_left() {
    let mut account = account(&[(A, 5)], 4);
    let facts = [
        heard(1, Fact::Placed, &[(A, 2)]),
        heard(2, Fact::Placed, &[(A, 4)]),
        heard(3, Fact::Placed, &[(A, 3)]),
        heard(4, Fact::Placed, &[(A, 1)]),
    ];
    run(&mut account, &facts);
    let states: Vec<_> = (1..=4).map(|order| state(&account, order).0).collect();
    assert_eq!(states, [State::Held, State::Rejected, State::Held, State::Rejected]);
    assert_eq!(balance(&account, A), (0, 5, 0));
    assert_eq!(account.touched[&A], 2);
    let short =
        |requested, available| Told::Rejected(vec![Shortage { variant_id: VariantId(A), requested, available }]);
    assert_eq!(account.told[1], (1, Uuid::from_u128(2), short(4, 3)));
    assert_eq!(account.told[3].2, short(1, 0));
}

#[test]
fn one_short_line_keeps_every_line_of_the_order_free() {
    let mut account = account(&[(A, 5), (B, 1)], 1);
    run(&mut account, &[heard(1, Fact::Placed, &[(A, 1), (B, 2)])]);
    assert_eq!((balance(&account, A), balance(&account, B)), ((5, 0, 0), (1, 0, 0)));
    assert!(account.entries.is_empty() && account.touched.is_empty());
}

#[test]
fn a_variant_named_twice_is_summed_and_an_unknown_one_is_not_there() {
    let mut account = account(&[(A, 3)], 2);
    run(&mut account, &[heard(1, Fact::Placed, &[(A, 2), (A, 2)]), heard(2, Fact::Placed, &[(B, 1)])]);
    let Told::Rejected(first) = &account.told[0].2 else { panic!("held") };
    assert_eq!((first[0].requested, first[0].available), (4, 3));
    let Told::Rejected(second) = &account.told[1].2 else { panic!("held") };
    assert_eq!((second[0].variant_id, second[0].available), (VariantId(B), 0));
}

#[test]
fn every_step_to_the_end_emits_an_event() {
    let mut account = account(&[(A, 5)], 1);
    run(&mut account, &[heard(1, Fact::Placed, &[(A, 2)])]);
    assert_eq!(balance(&account, A), (3, 2, 0));
    run(&mut account, &[heard(1, Fact::Confirmed, &[(A, 2)])]);
    assert_eq!(balance(&account, A), (3, 0, 2));
    run(&mut account, &[heard(1, Fact::Cancelled, &[])]);
    assert_eq!((balance(&account, A), state(&account, 1)), ((5, 0, 0), (State::Returned, 3)));
    let emitted = account.told.iter().map(|(_, _, told)| told).collect::<Vec<_>>();
    assert!(matches!(emitted[..], [Told::Reserved(_), Told::Committed(_), Told::Released(_)]), "{emitted:?}");
    let reasons: Vec<_> = account.entries.iter().map(|entry| (entry.reason, entry.on_hand, entry.reserved)).collect();
    assert_eq!(reasons, [("reserved", 0, 2), ("committed", -2, -2), ("returned", 2, 0)]);
}

#[test]
fn units_return_in_parts_and_never_more_than_were_sold() {
    let mut account = account(&[(A, 5), (B, 5)], 1);
    let sold = [(A, 3), (B, 2)];
    run(&mut account, &[heard(1, Fact::Placed, &sold), heard(1, Fact::Confirmed, &sold)]);
    run(&mut account, &[heard(1, Fact::Returned, &[(A, 1)])]);
    assert_eq!((balance(&account, A), balance(&account, B)), ((3, 0, 2), (3, 0, 2)));
    assert_eq!(state(&account, 1), (State::Committed, 3));
    run(&mut account, &[heard(1, Fact::Returned, &[(A, 9), (B, 2)])]);
    assert_eq!((balance(&account, A), balance(&account, B)), ((5, 0, 0), (5, 0, 0)));
    assert_eq!(state(&account, 1), (State::Returned, 4));
    run(&mut account, &[heard(1, Fact::Returned, &[(A, 1)]), heard(1, Fact::Cancelled, &[])]);
    assert_eq!((balance(&account, A), state(&account, 1)), ((5, 0, 0), (State::Returned, 4)));
    let back: Vec<_> = account.entries.iter().filter(|entry| entry.reason == "restocked").collect();
    assert_eq!(back.iter().map(|entry| entry.on_hand).collect::<Vec<_>>(), [1, 2, 2]);
}

#[test]
fn a_cancelled_order_returns_what_it_still_has() {
    let mut account = account(&[(A, 5)], 1);
    run(&mut account, &[heard(1, Fact::Placed, &[(A, 3)]), heard(1, Fact::Confirmed, &[(A, 3)])]);
    run(&mut account, &[heard(1, Fact::Returned, &[(A, 1)]), heard(1, Fact::Cancelled, &[])]);
    assert_eq!((balance(&account, A), state(&account, 1).0), ((5, 0, 0), State::Returned));
}

/// Scenario 4: no fact waits for another.
#[test]
fn returned_units_come_to_the_same_shelf_in_every_order_of_arrival() {
    let facts = [
        heard(1, Fact::Placed, &[(A, 3)]),
        heard(1, Fact::Confirmed, &[(A, 3)]),
        heard(1, Fact::Returned, &[(A, 1)]),
        heard(1, Fact::Returned, &[(A, 1)]),
    ];
    for one in 0..4 {
        for two in 0..4 {
            for three in 0..4 {
                let order = [one, two, three, 6_usize.wrapping_sub(one + two + three)];
                let all: std::collections::BTreeSet<_> = order.iter().collect();
                if all.len() < 4 || order[3] > 3 {
                    continue;
                }
                let mut account = account(&[(A, 5)], 1);
                run(&mut account, &order.map(|index| facts[index].clone()));
                assert_eq!((balance(&account, A), state(&account, 1).0), ((4, 0, 1), State::Committed), "{order:?}");
            }
        }
    }
}

#[test]
fn an_order_that_ended_before_it_was_placed_holds_nothing_and_tells_nothing() {
    let mut account = account(&[(A, 5)], 1);
    run(&mut account, &[heard(1, Fact::Expired, &[]), heard(1, Fact::Placed, &[(A, 2)])]);
    assert_eq!((balance(&account, A), state(&account, 1)), ((5, 0, 0), (State::Tombstone, 0)));
    assert!(account.told.is_empty());
}

#[test]
fn confirmed_before_placed_sells_what_is_there() {
    let mut account = account(&[(A, 5), (B, 1)], 2);
    let facts = [
        heard(1, Fact::Confirmed, &[(A, 2), (B, 3)]),
        heard(1, Fact::Placed, &[(A, 2), (B, 3)]),
        heard(2, Fact::Confirmed, &[(B, 1)]),
    ];
    run(&mut account, &facts);
    assert_eq!((balance(&account, A), balance(&account, B)), ((3, 0, 2), (0, 0, 1)));
    assert_eq!(account.reservations[&Uuid::from_u128(1)].lines, Lines::from([(A, 2), (B, 1)]));
    assert_eq!(state(&account, 2), (State::Committed, 1));
    run(&mut account, &[heard(1, Fact::Cancelled, &[])]);
    assert_eq!((balance(&account, A), balance(&account, B)), ((5, 0, 0), (1, 0, 0)));
}

#[test]
fn only_what_will_move_is_locked() {
    let mut account = account(&[(A, 5)], 1);
    assert!(account.moves(&heard(1, Fact::Failed, &[])).is_none());
    assert_eq!(account.moves(&heard(1, Fact::Placed, &[(A, 1)])), Some(&Lines::from([(A, 1)])));
    run(&mut account, &[heard(1, Fact::Placed, &[(A, 1)])]);
    assert_eq!(account.moves(&heard(1, Fact::Failed, &[])), Some(&Lines::from([(A, 1)])));
}
