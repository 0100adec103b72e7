//! The printed report, errors first.

use std::fmt;

use super::goals::goal_table;
use super::table::Table;
use super::{Report, overload};
use crate::limits::{Limit, Taken};
use crate::load::Figures;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.errors(f)?;
        self.head(f)?;
        self.figures(f)?;
        self.limits(f)?;
        self.processes(f)?;
        self.batches(f)?;
        if !self.outcome.steps.is_empty() {
            writeln!(f, "{}", overload::table(&self.outcome.steps))?;
        }
        if let Some(profile) = &self.profile {
            writeln!(f, "{profile}")?;
        }
        if !self.goals.is_empty() {
            writeln!(f, "{}", goal_table(&self.goals))?;
        }
        for comparison in &self.outcome.comparisons {
            writeln!(f, "{comparison}")?;
        }
        for check in &self.outcome.checks {
            writeln!(f, "{}: {}: {}", check.name, check.verdict, check.text)?;
        }
        Ok(())
    }
}

impl Report {
    fn errors(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.errors.is_empty() {
            return writeln!(f, "\nno errors\n");
        }
        let mut table = Table::new(1, ["error", "count"]);
        for (kind, count) in &self.errors {
            table.row([kind.clone(), count.to_string()]);
        }
        writeln!(f, "\n{} ERRORS\n\n{table}", self.errors.values().sum::<u64>())
    }

    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (machine, arguments) = (&self.machine, &self.arguments);
        let clients: Vec<String> = arguments.clients.iter().map(ToString::to_string).collect();
        let loop_ = arguments.rate.map_or("closed loop".to_owned(), |rate| format!("open loop of {rate}/s"));
        writeln!(
            f,
            "{}: {} cores of {}, {:.1} GiB, Linux {}\n{:?}: {} clients, {} s after {} s of warm-up, {loop_}\n",
            self.date,
            machine.cores,
            machine.cpu,
            machine.memory_mib as f64 / 1024.0,
            machine.kernel,
            arguments.scenario,
            clients.join(", "),
            arguments.seconds,
            arguments.warmup,
        )
    }

    /// Prints each figure with its share of each limit.
    fn figures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares = self.limits.iter().map(|limit| format!("of {}", limit.name));
        let mut table = Table::new(2, titles(["phase", "figure"]).chain(shares));
        for phase in &self.outcome.phases {
            for figures in &phase.measured.figures {
                let shares = self.limits.iter().map(|limit| share(figures.per_second, limit));
                let names = [phase.measured.name.clone(), figures.name.clone()];
                table.row(names.into_iter().chain(numbers(figures)).chain(shares));
            }
        }
        writeln!(f, "{table}")
    }

    fn limits(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.limits.is_empty() {
            return writeln!(f, "the limits of the machine were not measured\n");
        }
        let mut table = Table::new(2, titles(["limit of this machine", "clients and what"]));
        for limit in &self.limits {
            match &limit.taken {
                Taken::Figures(figures) => {
                    let names = [limit.name.to_owned(), format!("{} {}", limit.clients, limit.what)];
                    table.row(names.into_iter().chain(numbers(figures)));
                }
                Taken::Missing(_) => table.row([limit.name, limit.what, "missing"]),
            }
        }
        writeln!(f, "{table}")?;
        for limit in &self.limits {
            if let Taken::Missing(why) = &limit.taken {
                writeln!(f, "{} is missing: {why}\n", limit.name)?;
            }
            if let Some(swing) = limit.unsteady() {
                let name = limit.name;
                writeln!(
                    f,
                    "{name} is unsteady, its fastest second {swing:.1} times its slowest: shares of it are rough\n"
                )?;
            }
        }
        Ok(())
    }
}

fn titles(names: [&str; 2]) -> impl Iterator<Item = String> {
    names
        .into_iter()
        .chain(["per s", "slowest s", "fastest s", "p50 ms", "p95 ms", "p99 ms", "max ms"])
        .map(str::to_owned)
}

fn numbers(figures: &Figures) -> impl Iterator<Item = String> {
    let latencies = [figures.p50_ms, figures.p95_ms, figures.p99_ms, figures.max_ms];
    let seconds = [figures.slowest_second.to_string(), figures.fastest_second.to_string()];
    std::iter::once(format!("{:.1}", figures.per_second))
        .chain(seconds)
        .chain(latencies.map(|latency| format!("{latency:.2}")))
}

fn share(per_second: f64, limit: &Limit) -> String {
    limit.per_second().map_or("-".to_owned(), |most| format!("{:.1} %", 100.0 * per_second / most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(per_second: f64) -> Limit {
        let figures = Figures {
            name: "bare poem".into(),
            count: 1,
            per_second,
            slowest_second: 100,
            fastest_second: 150,
            p50_ms: 1.0,
            p95_ms: 2.0,
            p99_ms: 3.0,
            max_ms: 4.0,
        };
        Limit { name: "bare poem", what: "", clients: 64, taken: Taken::Figures(figures) }
    }

    #[test]
    fn a_limit_that_moved_is_called_unsteady() {
        assert!(limit(125.0).unsteady().is_some_and(|swing| (swing - 1.5).abs() < f64::EPSILON));
        assert!(Limit { taken: Taken::Missing("why".into()), ..limit(1.0) }.unsteady().is_none());
    }

    #[test]
    fn a_figure_is_a_share_of_the_limit() {
        assert_eq!(share(250.0, &limit(10_000.0)), "2.5 %");
        assert_eq!(share(250.0, &limit(0.0)), "-");
        let missing = Limit { taken: Taken::Missing("why".into()), ..limit(1.0) };
        assert_eq!(share(250.0, &missing), "-");
    }
}
