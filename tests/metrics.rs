//! Every metric is declared once, with its labels and what it measures, and docs/metrics.md lists them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod sources;

use std::{collections::BTreeSet, fmt::Write};

use runtime::{MetricInfo, MetricKind};
use sources::{files, root};

const SOURCES: [&str; 5] = ["runtime/src", "gateway/src", "gateway/server/src", "actors", "src"];

fn declared() -> impl Iterator<Item = &'static MetricInfo> {
    runtime::METRICS.iter().chain(gateway::METRICS)
}

/// The call that records the kind.
fn call(kind: MetricKind) -> &'static str {
    match kind {
        MetricKind::Counter => "counter",
        MetricKind::Gauge => "gauge",
        MetricKind::Histogram => "histogram",
    }
}

/// The kind, the name and the labels of every metric that is recorded, except for those whose name is a variable.
fn recorded() -> BTreeSet<(String, String, String)> {
    let mut recorded = BTreeSet::new();
    for file in SOURCES.iter().flat_map(|source| files(&root().join(source), &["rs"])) {
        let source = std::fs::read_to_string(file).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap();
        for kind in ["counter", "gauge", "histogram"] {
            for rest in code.split(&format!("metrics::{kind}!(")).skip(1) {
                let Some(rest) = rest.trim_start().strip_prefix('"') else { continue };
                let (name, rest) = rest.split_once('"').unwrap();
                let statement = rest.split(';').next().unwrap();
                let labels: Vec<&str> = statement
                    .split("\" =>")
                    .map(|before| before.rsplit('"').next().unwrap())
                    .filter(|label| {
                        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
                    })
                    .collect();
                let labels = labels[..statement.matches("\" =>").count()].join(",");
                recorded.insert((kind.to_owned(), name.to_owned(), labels));
            }
        }
    }
    assert!(recorded.len() > 30, "metrics are no longer found");
    recorded
}

#[test]
fn what_is_recorded_is_declared_and_what_is_declared_is_recorded() {
    let recorded = recorded();
    let declared: BTreeSet<_> = declared()
        .map(|metric| (call(metric.kind).to_owned(), metric.name.to_owned(), metric.labels.to_owned()))
        .collect();
    for metric in &recorded {
        assert!(declared.contains(metric), "{metric:?} is not declared so");
    }
    // The gauges of what waits are set in a loop over their names.
    let maintenance = include_str!("../runtime/src/jobs/maintenance.rs");
    for metric in &declared {
        let is_set = maintenance.contains(&format!("gauge(\"{}\"", metric.1));
        assert!(is_set || recorded.contains(metric), "{metric:?} is not recorded so");
    }
}

#[test]
fn names_follow_the_conventions_of_prometheus() {
    let mut names = BTreeSet::new();
    for metric in declared() {
        let MetricInfo { kind, name, description, .. } = metric;
        assert!(names.insert(name), "{name} is declared twice");
        assert_eq!(name.ends_with("_total"), *kind == MetricKind::Counter, "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert!(description.ends_with('.') && !description.contains('|'), "{name}: {description}");
    }
}

#[test]
fn the_page_of_metrics_is_current() {
    let mut page = String::from(
        "<!-- Made from the declarations by `cargo test --test metrics`: do not edit by hand. -->\n\n# Metrics\n\n\
         `/metrics` on `SOUK_METRICS_ADDR` serves them in the text format of Prometheus, each after its first change. \
         [operations.md](operations.md#metrics) says which to alert on.\n\n\
         | Name | Kind | Labels | |\n| --- | --- | --- | --- |\n",
    );
    for MetricInfo { kind, name, labels, description } in declared() {
        let labels: Vec<String> =
            labels.split(',').filter(|label| !label.is_empty()).map(|label| format!("`{label}`")).collect();
        writeln!(page, "| `{name}` | {} | {} | {description} |", call(*kind), labels.join(", ")).unwrap();
    }
    let path = root().join("docs/metrics.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(known == page, "docs/metrics.md is out of date: run make golden");
}
