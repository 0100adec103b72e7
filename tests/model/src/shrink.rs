//! The shortest schedule that still breaks the same way.

use crate::{
    invariants::Violation,
    rules::Rules,
    schedule::{Failure, replay, walks},
    steps::Step,
};

/// Schedules that break, of which the one with the fewest steps is printed.
const CANDIDATES: usize = 12;

/// Looks for schedules that break and gives the shortest of the first few. What breaks before a schedule's end says
/// more than what shows only after it.
pub fn shortest(rules: Rules, seed: u64, schedules: u64, length: usize) -> Option<Failure> {
    walks(rules, seed, schedules, length)
        .take(CANDIDATES)
        .map(|failure| shrink(rules, &failure))
        .min_by_key(|failure| (failure.violation.in_the_end, failure.steps.len()))
}

/// Takes steps out for as long as it still breaks in the same way.
pub fn shrink(rules: Rules, failure: &Failure) -> Failure {
    let same = |v: Violation| (v.kind, v.in_the_end) == (failure.violation.kind, failure.violation.in_the_end);
    let still_breaks = |steps: &[Step]| replay(rules, steps).is_some_and(same);
    let mut steps = failure.steps.clone();
    loop {
        let before = steps.len();
        // Pairs and triples too: a backup and its restore only go together.
        for width in (1..=3).rev() {
            let mut at = 0;
            while at + width <= steps.len() {
                let mut shorter = steps.clone();
                shorter.drain(at..at + width);
                if still_breaks(&shorter) {
                    steps = shorter;
                } else {
                    at += 1;
                }
            }
        }
        if steps.len() == before {
            break;
        }
    }
    // Simpler commits where they do as well.
    for at in 0..steps.len() {
        let Step::OwnerBegins(pattern) = steps[at] else { continue };
        for simpler in 0..pattern {
            let mut other = steps.clone();
            other[at] = Step::OwnerBegins(simpler);
            if still_breaks(&other) {
                steps = other;
                break;
            }
        }
    }
    let violation = replay(rules, &steps).unwrap_or(failure.violation);
    Failure { number: failure.number, steps, violation }
}
