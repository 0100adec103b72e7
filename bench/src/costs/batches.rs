//! The mean batch size, from the nodes' Prometheus metrics before and after a phase.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::http::{Client, Target};

const HISTOGRAM: &str = "lane_batch_size";

/// The batches of one domain and one kind of message during a phase, on all nodes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchSize {
    pub domain: String,
    pub kind: String,
    pub batches: u64,
    pub messages: u64,
    pub mean: f64,
}

/// The sum and count of the histogram by domain and kind, for each node.
#[derive(Debug)]
pub(super) struct Reading(Vec<Totals>);

type Totals = BTreeMap<(String, String), (f64, f64)>;

pub(super) async fn read(targets: &[Target], timeout: Duration) -> anyhow::Result<Reading> {
    let mut nodes = Vec::new();
    for target in targets {
        let answer = Client::new(target.resolve().await?, timeout).get("/metrics").await;
        let answer = answer.with_context(|| format!("metrics of {target}"))?;
        anyhow::ensure!(answer.status.is_success(), "metrics of {target}: {}", answer.status);
        nodes.push(totals(&String::from_utf8_lossy(&answer.body)));
    }
    Ok(Reading(nodes))
}

impl Reading {
    pub fn batches_until(&self, after: &Self) -> Vec<BatchSize> {
        let mut all = Totals::new();
        for (before, after) in self.0.iter().zip(&after.0) {
            for (key, &(sum, count)) in after {
                let (sum_before, count_before) = before.get(key).copied().unwrap_or_default();
                // A lower count means that the node was restarted: all that it counted is new.
                let restarted = count < count_before;
                let total = all.entry(key.clone()).or_default();
                total.0 += if restarted { sum } else { sum - sum_before };
                total.1 += if restarted { count } else { count - count_before };
            }
        }
        all.into_iter()
            .filter(|(_, (_, count))| *count > 0.0)
            .map(|((domain, kind), (sum, count))| BatchSize {
                domain,
                kind,
                batches: count as u64,
                messages: sum as u64,
                mean: sum / count,
            })
            .collect()
    }
}

fn totals(text: &str) -> Totals {
    let mut totals = Totals::new();
    for sample in text.lines().filter_map(sample) {
        let Some(rest) = sample.name.strip_prefix(HISTOGRAM) else { continue };
        let label = |name: &str| sample.labels.get(name).cloned().unwrap_or_default();
        // Sums over lanes, if they are labelled separately.
        let total = totals.entry((label("domain"), label("kind")));
        match rest {
            "_sum" => total.or_default().0 += sample.value,
            "_count" => total.or_default().1 += sample.value,
            _ => {}
        }
    }
    totals
}

struct Sample<'a> {
    name: &'a str,
    labels: BTreeMap<&'a str, String>,
    value: f64,
}

/// Parses `name{label="value",...} 12.5 [timestamp]`.
fn sample(line: &str) -> Option<Sample<'_>> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let name_ends = line.find(['{', ' '])?;
    let (name, rest) = line.split_at(name_ends);
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(inside) => labels(inside)?,
        None => (BTreeMap::new(), rest),
    };
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name, labels, value })
}

/// Parses the labels, and returns the rest after the closing brace.
fn labels(mut text: &str) -> Option<(BTreeMap<&str, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        text = text.trim_start_matches([',', ' ']);
        if let Some(rest) = text.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, rest) = text.split_once("=\"")?;
        let (value, rest) = quoted(rest)?;
        labels.insert(name.trim(), value);
        text = rest;
    }
}

/// Parses and unescapes a value up to its closing quote, and returns the rest after the quote.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = r#"
# HELP lane_batch_size messages in one transaction
# TYPE lane_batch_size histogram
lane_batch_size_bucket{domain="orders",kind="command",le="1"} 9
lane_batch_size_sum{domain="orders",kind="command"} 10
lane_batch_size_count{domain="orders",kind="command"} 10
lane_batch_size_sum_of_something_else 3
up 1
"#;

    const AFTER: &str = r#"
lane_batch_size_sum{domain="orders",kind="command"} 650.0 1700000000000
lane_batch_size_count{domain="orders",kind="command"} 20
lane_batch_size_sum{kind="event",domain="orders",lane="0"} 6
lane_batch_size_count{kind="event",domain="orders",lane="0"} 2
lane_batch_size_sum{kind="event",domain="orders",lane="1"} 4
lane_batch_size_count{kind="event",domain="orders",lane="1"} 2
"#;

    fn reading(texts: &[&str]) -> Reading {
        Reading(texts.iter().map(|text| totals(text)).collect())
    }

    fn mean(domain: &str, kind: &str, batches: u64, messages: u64) -> BatchSize {
        let mean = messages as f64 / batches as f64;
        BatchSize { domain: domain.into(), kind: kind.into(), batches, messages, mean }
    }

    #[test]
    fn the_mean_is_of_what_happened_between_two_readings() {
        let batches = reading(&[BEFORE]).batches_until(&reading(&[AFTER]));
        assert_eq!(batches, [mean("orders", "command", 10, 640), mean("orders", "event", 4, 10)]);
    }

    #[test]
    fn nodes_add_up_and_a_restarted_one_counts_from_zero() {
        let batches = reading(&[BEFORE, AFTER]).batches_until(&reading(&[AFTER, BEFORE]));
        assert_eq!(batches[0], mean("orders", "command", 20, 650));
    }

    #[test]
    fn a_phase_without_batches_has_no_mean() {
        assert!(reading(&[AFTER]).batches_until(&reading(&[AFTER])).is_empty());
    }

    #[test]
    fn labels_may_hold_quotes_and_braces() {
        let sample = sample(r#"x{a="q\"}\\",b="2"} 7"#).expect("a sample");
        assert_eq!((sample.labels["a"].as_str(), sample.labels["b"].as_str()), ("q\"}\\", "2"));
        assert!((sample.value - 7.0).abs() < f64::EPSILON);
    }

    #[test]
    fn what_is_no_sample_is_passed_over() {
        for line in ["", "# TYPE x counter", "x", "x{a=\"1\" 3", "x{} many"] {
            assert!(sample(line).is_none(), "{line}");
        }
    }
}
