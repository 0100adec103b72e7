//! The goals, and the figures of a run beside them.

use std::fmt;

use serde::Serialize;

use super::table::Table;
use crate::costs::Usage;
use crate::scenarios::{Outcome, Phase, Step, flash, overload};

/// A goal for a machine of two cores that runs everything, and how its figure is found.
struct Goal {
    what: &'static str,
    bound: Bound,
    unit: &'static str,
    /// `None` if the run has no such figure.
    figure: fn(&Outcome) -> Option<f64>,
}

#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

const GOALS: &[Goal] = &[
    Goal {
        what: "orders per second, 256 clients",
        bound: Bound::AtLeast(2200.0),
        unit: "",
        figure: |outcome| Some(phase(outcome, "checkout/256")?.measured.series("confirmed")?.per_second),
    },
    Goal {
        what: "orders per second, 16 clients",
        bound: Bound::AtLeast(600.0),
        unit: "",
        figure: |outcome| Some(phase(outcome, "checkout/16")?.measured.series("confirmed")?.per_second),
    },
    Goal {
        what: "CPU per order, 256 clients",
        bound: Bound::AtMost(0.75),
        unit: " ms",
        figure: |outcome| cpu_ms(outcome, |_| true),
    },
    Goal {
        what: "CPU per order, 256 clients: the nodes",
        bound: Bound::AtMost(0.25),
        unit: " ms",
        figure: |outcome| cpu_ms(outcome, Usage::is_node),
    },
    Goal {
        what: "CPU per order, 256 clients: PostgreSQL",
        bound: Bound::AtMost(0.38),
        unit: " ms",
        figure: |outcome| cpu_ms(outcome, |process| process.name == "PostgreSQL"),
    },
    Goal {
        what: "CPU per order, 256 clients: nats-server",
        bound: Bound::AtMost(0.10),
        unit: " ms",
        figure: |outcome| cpu_ms(outcome, |process| process.name == "nats-server"),
    },
    Goal {
        what: "orders on one variant, to orders on many",
        bound: Bound::AtLeast(flash::GOAL),
        unit: "",
        figure: |outcome| Some(outcome.comparisons.last()?.hot_to_spread),
    },
    Goal {
        what: "goodput at 16 times the clients, to its peak",
        bound: Bound::AtLeast(0.85),
        unit: "",
        figure: |outcome| Some(last_step(outcome, true)?.of_peak),
    },
    Goal {
        what: "the same with clients that ignore Retry-After",
        bound: Bound::AtLeast(0.85),
        unit: "",
        figure: |outcome| Some(last_step(outcome, false)?.of_peak),
    },
    Goal {
        what: "reads served meanwhile",
        bound: Bound::AtLeast(0.99),
        unit: "",
        figure: |outcome| outcome.steps.iter().map(|step| step.reads_served).min_by(f64::total_cmp),
    },
];

/// A goal with its figure.
#[derive(Debug, Clone, Serialize)]
pub struct Achieved {
    what: &'static str,
    goal: Bound,
    unit: &'static str,
    figure: f64,
    /// The figure in proportion to the goal.
    ratio: f64,
    is_met: bool,
}

/// The goals for which the run has a figure.
pub(super) fn achieved(outcome: &Outcome) -> Vec<Achieved> {
    let achieved = |goal: &Goal| (goal.figure)(outcome).map(|figure| goal.achieved(figure));
    GOALS.iter().filter_map(achieved).collect()
}

impl Goal {
    fn achieved(&self, figure: f64) -> Achieved {
        let Self { what, bound, unit, .. } = *self;
        let (ratio, is_met) = match bound {
            Bound::AtLeast(least) => (figure / least, figure >= least),
            Bound::AtMost(most) => (figure / most, figure <= most),
        };
        Achieved { what, goal: bound, unit, figure, ratio, is_met }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(bound) => write!(f, "at least {bound}"),
            Self::AtMost(bound) => write!(f, "at most {bound}"),
        }
    }
}

/// The table of goals.
pub fn goal_table(goals: &[Achieved]) -> String {
    let mut table = Table::new(2, ["What", "Goal", "Figure", "Figure to goal", ""]);
    for Achieved { what, goal, unit, figure, ratio, is_met } in goals {
        let digits = if *figure >= 100.0 { 0 } else { 2 };
        let verdict = if *is_met { "met" } else { "MISSED" };
        table.row([
            (*what).to_owned(),
            format!("{goal}{unit}"),
            format!("{figure:.digits$}{unit}"),
            format!("{ratio:.2}"),
            verdict.to_owned(),
        ]);
    }
    table.to_string()
}

fn phase<'a>(outcome: &'a Outcome, name: &str) -> Option<&'a Phase> {
    outcome.phases.iter().find(|phase| phase.measured.name == name)
}

/// CPU time per order in the phase of the budget, of some processes.
fn cpu_ms(outcome: &Outcome, is_counted: fn(&Usage) -> bool) -> Option<f64> {
    let phase = phase(outcome, "checkout/256")?;
    let count = phase.measured.whole()?.count as f64;
    let counted = phase.costs.processes.iter().filter(|process| is_counted(process));
    Some(1000.0 * counted.map(|process| process.cpu_seconds).sum::<f64>() / count)
}

fn last_step(outcome: &Outcome, honours: bool) -> Option<&Step> {
    let is_wanted = |step: &&Step| step.times == overload::MOST_TIMES && step.honours_retry_after == honours;
    outcome.steps.iter().find(is_wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_on_its_right_side() {
        let goal = |bound| Goal { what: "x", bound, unit: " ms", figure: |_| None };
        let most = goal(Bound::AtMost(0.5));
        assert!(most.achieved(0.5).is_met && !most.achieved(0.6).is_met);
        let least = goal(Bound::AtLeast(2000.0)).achieved(1000.0);
        assert!(!least.is_met && (least.ratio - 0.5).abs() < f64::EPSILON);
        let table = goal_table(&[most.achieved(0.25), least]);
        assert!(table.contains("| at most 0.5 ms   | 0.25 ms |           0.50 |    met |"), "{table}");
        assert!(table.contains("| at least 2000 ms | 1000 ms |           0.50 | MISSED |"), "{table}");
    }

    #[test]
    fn a_run_without_a_figure_has_no_goal() {
        assert!(achieved(&Outcome::default()).is_empty());
    }
}
