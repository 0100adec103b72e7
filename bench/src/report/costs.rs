//! The tables of what a phase cost: processes, with statements and messages, and batches.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::Report;
use super::table::Table;
use crate::costs::{BatchSize, Costs, Found, Messages, Usage};
use crate::load::{Figures, Measured};
use crate::scenarios::Phase;

const TITLES: [&str; 11] = [
    "phase",
    "process",
    "per",
    "CPU ms",
    "cores",
    "context switches",
    "statements",
    "transactions",
    "messages in",
    "messages out",
    "memory MiB",
];

/// The counts of a server beside its usage, which others do not have.
#[derive(Default, Clone, Copy)]
struct Counts {
    statements: Option<u64>,
    transactions: Option<u64>,
    messages: Option<Messages>,
}

impl Report {
    /// Prints what an order cost, or a page, by process.
    pub(super) fn processes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(3, TITLES);
        for Phase { measured, costs } in &self.outcome.phases {
            let Some(whole) = measured.whole() else { continue };
            let counts = Counts::of(costs);
            let mut all = Usage { name: "all".to_owned(), cpu_seconds: 0.0, context_switches: 0, memory_mib: 0.0 };
            for usage in &costs.processes {
                table.row(row(measured, whole, usage, counts.of_process(usage)));
                all.cpu_seconds += usage.cpu_seconds;
                all.context_switches += usage.context_switches;
                all.memory_mib += usage.memory_mib;
            }
            table.row(row(measured, whole, &all, counts));
            table.row(row(measured, whole, &costs.generator, Counts::default()));
        }
        writeln!(f, "{table}")?;
        writeln!(f, "`all` excludes the load generator, which runs {}\n", self.generator)?;
        self.missing(f, "statements", |costs| costs.statements.missing())?;
        self.missing(f, "transactions", |costs| costs.transactions.missing())?;
        self.missing(f, "messages", |costs| costs.messages.missing())
    }

    pub(super) fn batches(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new(3, ["phase", "domain", "kind", "messages", "batches", "mean batch"]);
        let sizes = |phase: &Phase| phase.costs.batches.figures().cloned().unwrap_or_default();
        let mut is_empty = true;
        for phase in &self.outcome.phases {
            for BatchSize { domain, kind, batches, messages, mean } in sizes(phase) {
                is_empty = false;
                let numbers = [messages.to_string(), batches.to_string(), format!("{mean:.1}")];
                table.row([phase.measured.name.clone(), domain, kind].into_iter().chain(numbers));
            }
        }
        if !is_empty {
            writeln!(f, "{table}")?;
        } else if self.outcome.phases.iter().all(|phase| phase.costs.batches.figures().is_some()) {
            writeln!(f, "no lane ran a batch\n")?;
        }
        self.missing(f, "batch sizes", |costs| costs.batches.missing())
    }

    /// Prints each reason once, because most phases have the same.
    fn missing(
        &self,
        f: &mut fmt::Formatter<'_>,
        what: &str,
        why: for<'a> fn(&'a Costs) -> Option<&'a str>,
    ) -> fmt::Result {
        let reasons: BTreeSet<&str> = self.outcome.phases.iter().filter_map(|phase| why(&phase.costs)).collect();
        reasons.iter().try_for_each(|why| writeln!(f, "the {what} are missing: {why}\n"))
    }
}

impl Counts {
    fn of(costs: &Costs) -> Self {
        let sum = |found: &Found<BTreeMap<String, u64>>| found.figures().map(|counts| counts.values().sum());
        Self {
            statements: sum(&costs.statements),
            transactions: sum(&costs.transactions),
            messages: costs.messages.figures().copied(),
        }
    }

    /// Those of a process: statements of PostgreSQL, messages of nats-server.
    fn of_process(self, usage: &Usage) -> Self {
        match usage.name.as_str() {
            "PostgreSQL" => Self { messages: None, ..self },
            "nats-server" => Self { messages: self.messages, ..Self::default() },
            _ => Self::default(),
        }
    }
}

fn row(measured: &Measured, whole: &Figures, usage: &Usage, counts: Counts) -> Vec<String> {
    let count = whole.count as f64;
    let each = |number: Option<u64>| number.map_or(String::new(), |number| format!("{:.1}", number as f64 / count));
    vec![
        measured.name.clone(),
        usage.name.clone(),
        whole.name.clone(),
        format!("{:.2}", 1000.0 * usage.cpu_seconds / count),
        format!("{:.2}", usage.cpu_seconds / measured.seconds),
        each(Some(usage.context_switches)),
        each(counts.statements),
        each(counts.transactions),
        each(counts.messages.map(|messages| messages.received)),
        each(counts.messages.map(|messages| messages.sent)),
        format!("{:.0}", usage.memory_mib),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_stands_beside_its_server() {
        let counts = Counts {
            statements: Some(640),
            transactions: Some(128),
            messages: Some(Messages { received: 64, sent: 192 }),
        };
        let figures = Figures {
            name: "confirmed".into(),
            count: 64,
            per_second: 6.4,
            slowest_second: 1,
            fastest_second: 9,
            p50_ms: 1.0,
            p95_ms: 2.0,
            p99_ms: 3.0,
            max_ms: 4.0,
        };
        let measured = Measured {
            name: "checkout/64".into(),
            seconds: 10.0,
            clients: 64,
            figures: Vec::new(),
            errors: BTreeMap::new(),
        };
        let cells = |name: &str| {
            let usage = Usage { name: name.into(), cpu_seconds: 0.64, context_switches: 320, memory_mib: 100.0 };
            row(&measured, &figures, &usage, counts.of_process(&usage))[3..].join(" ")
        };
        assert_eq!(cells("PostgreSQL"), "10.00 0.06 5.0 10.0 2.0   100");
        assert_eq!(cells("nats-server"), "10.00 0.06 5.0   1.0 3.0 100");
        assert_eq!(cells("souk (7)"), "10.00 0.06 5.0     100");
    }
}
