//! The shortest schedule that still breaks the same way.

use crate::{invariants::Kind, rules::Rules, schedule::replay, steps::Step};

/// Takes steps out for as long as the same kind of violation stays.
pub fn shrink(rules: Rules, steps: &[Step], kind: Kind) -> Vec<Step> {
    let still_breaks = |steps: &[Step]| replay(rules, steps).is_some_and(|violation| violation.kind == kind);
    let mut steps = steps.to_vec();
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
    steps
}
