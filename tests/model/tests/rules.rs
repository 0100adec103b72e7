//! The protocol holds with all its rules, and breaks in the way expected without any one of them.

use model::{
    invariants::Kind,
    rules::{RULES, Rule, Rules},
    schedule::{replay, walk, walks},
    shrink::{shortest, shrink},
    trace::describe,
};

const SEED: u64 = 7;
const STEPS: usize = 120;

/// Scenario 2: lost tails, republished numbers and restores, in any order with anything else.
#[test]
fn with_all_rules_twenty_thousand_schedules_hold() {
    if let Some(failure) = walks(Rules::ALL, SEED, 20_000, STEPS).next() {
        let failure = shrink(Rules::ALL, &failure);
        panic!("schedule {} breaks:\n{}", failure.number, describe(Rules::ALL, &failure.steps));
    }
}

#[test]
fn without_any_one_rule_a_promise_breaks_in_the_way_expected() {
    for entry in &RULES {
        let (rule, rules) = (entry.rule, Rules::without(entry.rule));
        let failure = shortest(rules, SEED, 10_000, STEPS)
            .unwrap_or_else(|| panic!("{rule} can be dropped and nothing breaks: {}", entry.sentence));
        let (kind, text) = (failure.violation.kind, describe(rules, &failure.steps));
        eprintln!("{rule}: {kind} in {} steps", failure.steps.len());
        assert!(entry.breaks.contains(&kind), "{rule}: {kind} was not expected\n{text}");
        assert!(text.contains(&format!("=> {kind}")), "{rule}: the words do not tell {kind}\n{text}");
        assert!(failure.steps.len() <= 30, "{rule}: {} steps\n{text}", failure.steps.len());
        // The same steps with all rules in force do no harm: it is this rule that they need.
        assert_eq!(replay(Rules::ALL, &failure.steps), None, "{rule}: breaks with all rules too\n{text}");
    }
}

#[test]
fn without_r6_repair_stops_for_as_long_as_a_transaction_is_open() {
    let rules = Rules::without(Rule::R6);
    let failure = shortest(rules, SEED, 1_000, STEPS).unwrap();
    let text = describe(rules, &failure.steps);
    assert_eq!(failure.violation.kind, Kind::Never, "{text}");
    // Of the transactions that the schedule needs one stays open: everything that is still missing waits for it.
    let count = |what: &str| text.lines().filter(|line| line.contains("owner:") && line.contains(what)).count();
    assert!(count(" begins at ") > count(" commits") + count(" rolls back"), "{text}");
}

#[test]
fn a_seed_gives_the_same_walk_again() {
    let rules = Rules::without(Rule::R1);
    let first = walks(rules, SEED, 10_000, STEPS).next().unwrap();
    let again = walk(rules, SEED, first.number, STEPS).unwrap();
    assert_eq!((first.steps, first.violation), (again.steps, again.violation));
}
