//! The protocol holds with all its rules, and breaks in the way expected without any one of them.

use model::{
    invariants::Kind,
    rules::{RULES, Rules},
    schedule::{replay, search},
    shrink::shrink,
    trace::tell,
};

const STEPS: usize = 120;

#[test]
fn with_all_rules_twenty_thousand_schedules_hold() {
    if let Some(failure) = search(Rules::ALL, 7, 20_000, STEPS, |_| {}) {
        let steps = shrink(Rules::ALL, &failure.steps, failure.violation.kind);
        panic!("schedule {} breaks:\n{}", failure.number, tell(Rules::ALL, &steps));
    }
}

#[test]
fn without_any_one_rule_a_promise_breaks_in_the_way_expected() {
    for entry in &RULES {
        let rules = Rules::without(entry.rule);
        let failure = search(rules, 7, 300_000, STEPS, |_| {})
            .unwrap_or_else(|| panic!("{} can be dropped and nothing breaks: {}", entry.rule, entry.sentence));
        let kind = failure.violation.kind;
        let steps = shrink(rules, &failure.steps, kind);
        let told = tell(rules, &steps);
        eprintln!("{}: {kind} in schedule {}, {} steps", entry.rule, failure.number, steps.len());
        assert!(entry.breaks.contains(&kind), "{}: {kind} was not expected\n{told}", entry.rule);
        assert!(steps.len() <= 40, "{}: {} steps\n{told}", entry.rule, steps.len());
        // The same steps with all rules in force do no harm: it is this rule that they need.
        assert_eq!(replay(Rules::ALL, &steps), None, "{}: breaks with all rules too\n{told}", entry.rule);
    }
}

#[test]
fn without_r6_repair_waits_for_an_open_transaction() {
    let rules = Rules::without(model::rules::Rule::R6);
    let failure = search(rules, 7, 10_000, STEPS, |_| {}).unwrap();
    assert_eq!(failure.violation.kind, Kind::Never);
    let told = tell(rules, &shrink(rules, &failure.steps, Kind::Never));
    assert!(told.contains("begins") && !told.contains("rolls back"), "{told}");
}
