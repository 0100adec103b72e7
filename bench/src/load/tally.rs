//! Results of a phase. Rates count the steps that ended inside the window, latencies those due inside it (so that steps
//! still running at its end are included), and errors those at any time.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::time::Instant;

use super::{Outcome, Plan, Window};

/// One histogram for each of 20 000 clients would take gigabytes; a single one would be a contended lock.
const SHARDS: usize = 16;

/// The highest latency, more than an hour; three significant digits are kept.
const MAX_MICROSECONDS: u64 = 4_000_000_000;

/// The most distinct kinds of errors; further ones are counted as one kind.
const MAX_KINDS: usize = 100;

/// A line of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub name: String,
    pub count: u64,
    pub per_second: f64,
    /// The worst and the best whole second, which show how reliable the mean is.
    pub slowest_second: u64,
    pub fastest_second: u64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub p99_ms: f64,
    pub max_ms: f64,
}

#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    pub name: String,
    pub seconds: f64,
    pub clients: u32,
    pub figures: Vec<Figures>,
    pub errors: BTreeMap<String, u64>,
}

impl Measured {
    pub fn series(&self, name: &str) -> Option<&Figures> {
        self.figures.iter().find(|figures| figures.name == name)
    }

    /// The series to which CPU time is related: the last one, which counts complete steps.
    pub fn whole(&self) -> Option<&Figures> {
        self.figures.last().filter(|figures| figures.count > 0)
    }
}

pub(super) struct Tally {
    window: Window,
    series: &'static [&'static str],
    shards: Vec<Mutex<Shard>>,
    errors: Mutex<BTreeMap<String, u64>>,
    // Only for the progress line, which must not block the clients.
    pub before_window: AtomicU64,
    pub in_window: AtomicU64,
    pub failed: AtomicU64,
}

struct Shard {
    series: Vec<Series>,
}

struct Series {
    /// Per second of the window.
    units: Vec<u64>,
    latency: Histogram<u64>,
}

impl Tally {
    pub fn new(series: &'static [&'static str], window: Window) -> anyhow::Result<Self> {
        let mut shards = Vec::new();
        for _ in 0..SHARDS {
            shards.push(Mutex::new(Shard {
                series: series.iter().map(|_| Series::new(window)).collect::<Result<_, _>>()?,
            }));
        }
        Ok(Self {
            window,
            series,
            shards,
            errors: Mutex::default(),
            before_window: AtomicU64::new(0),
            in_window: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    pub fn note(&self, client: usize, due: Instant, done: Instant, outcome: &Outcome) {
        if let Some(kind) = &outcome.error {
            self.error(kind);
        }
        if outcome.series.is_empty() {
            return;
        }
        let ended_inside = self.window.holds(done);
        if ended_inside {
            self.in_window.fetch_add(outcome.units, Ordering::Relaxed);
        } else if done < self.window.open {
            self.before_window.fetch_add(outcome.units, Ordering::Relaxed);
        }
        let microseconds = u64::try_from((done - due).as_micros()).unwrap_or(MAX_MICROSECONDS);
        let mut shard = locked(&self.shards[client % SHARDS]);
        for &index in outcome.series {
            let series = &mut shard.series[index];
            if ended_inside && let Some(second) = series.units.get_mut((done - self.window.open).as_secs() as usize) {
                *second += outcome.units;
            }
            if self.window.holds(due) {
                series.latency.saturating_record(microseconds);
            }
        }
    }

    pub fn error(&self, kind: &str) {
        self.errors(kind, 1);
    }

    pub fn errors(&self, kind: &str, count: u64) {
        if count == 0 {
            return;
        }
        self.failed.fetch_add(count, Ordering::Relaxed);
        let mut errors = locked(&self.errors);
        let known = errors.contains_key(kind) || errors.len() < MAX_KINDS;
        *errors.entry(if known { kind } else { "of further kinds" }.to_owned()).or_default() += count;
    }

    pub fn worst_error(&self) -> Option<(String, u64)> {
        locked(&self.errors).iter().max_by_key(|(_, count)| **count).map(|(kind, count)| (kind.clone(), *count))
    }

    pub fn measured(&self, name: &str, plan: &Plan) -> Measured {
        let seconds = plan.window.as_secs_f64();
        let figures = (0..self.series.len()).map(|index| self.figures(index, seconds)).collect();
        let errors = locked(&self.errors).clone();
        Measured { name: name.to_owned(), seconds, clients: plan.clients, figures, errors }
    }

    fn figures(&self, index: usize, length: f64) -> Figures {
        let mut seconds = vec![0; seconds_of(self.window)];
        let mut latency = Histogram::<u64>::new(3).ok();
        for shard in &self.shards {
            let shard = locked(shard);
            for (all, units) in seconds.iter_mut().zip(&shard.series[index].units) {
                *all += units;
            }
            // The histogram is auto-resizing, so adding cannot fail.
            latency = latency.and_then(|mut all| all.add(&shard.series[index].latency).ok().map(|()| all));
        }
        let at = |quantile: f64| latency.as_ref().map_or(0.0, |all| all.value_at_quantile(quantile) as f64 / 1000.0);
        let count = seconds.iter().sum();
        Figures {
            name: self.series[index].to_owned(),
            count,
            per_second: count as f64 / length,
            slowest_second: seconds.iter().copied().min().unwrap_or(0),
            fastest_second: seconds.iter().copied().max().unwrap_or(0),
            p50_ms: at(0.50),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            max_ms: latency.as_ref().map_or(0.0, |all| all.max() as f64 / 1000.0),
        }
    }
}

impl Series {
    fn new(window: Window) -> anyhow::Result<Self> {
        let latency = Histogram::new_with_bounds(1, MAX_MICROSECONDS, 3).context("a histogram")?;
        Ok(Self { units: vec![0; seconds_of(window)], latency })
    }
}

/// The arguments allow only windows of whole seconds.
fn seconds_of(window: Window) -> usize {
    (window.close - window.open).as_secs() as usize
}

/// Ignores poisoning: the counts of a client that panicked are still valid.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plan() -> Plan {
        let (warmup, window) = (Duration::from_secs(1), Duration::from_secs(10));
        Plan { clients: 3, warmup, window, rate: None, timeout: Duration::from_secs(40) }
    }

    fn tally() -> (Tally, Instant) {
        let start = Instant::now();
        let window = Window { start, open: start + plan().warmup, close: start + plan().warmup + plan().window };
        (Tally::new(&["a", "b"], window).expect("a tally"), start)
    }

    fn at(start: Instant, milliseconds: u64) -> Instant {
        start + Duration::from_millis(milliseconds)
    }

    #[test]
    fn percentiles_are_over_all_clients() {
        let (tally, start) = tally();
        for n in 1..=100_u64 {
            tally.note(n as usize, at(start, 2000), at(start, 2000 + n), &Outcome::one(&[0]));
        }
        let a = &tally.measured("x", &plan()).figures[0];
        assert_eq!(a.count, 100);
        assert!((a.per_second - 10.0).abs() < f64::EPSILON);
        for (got, want) in [(a.p50_ms, 50.0), (a.p95_ms, 95.0), (a.p99_ms, 99.0), (a.max_ms, 100.0)] {
            assert!((got - want).abs() / want < 0.001, "{got} is not {want}");
        }
    }

    #[test]
    fn an_uneven_rate_shows() {
        let (tally, start) = tally();
        for (second, units) in [(1, 5), (2, 50)] {
            let done = at(start, second * 1000 + 500);
            tally.note(0, done, done, &Outcome { units, ..Outcome::one(&[0]) });
        }
        let a = &tally.measured("x", &plan()).figures[0];
        assert_eq!((a.count, a.slowest_second, a.fastest_second), (55, 0, 50));
    }

    #[test]
    fn the_warm_up_does_not_count_but_its_errors_do() {
        let (tally, start) = tally();
        tally.note(0, at(start, 100), at(start, 200), &Outcome::one(&[0]));
        tally.note(0, at(start, 100), at(start, 200), &Outcome::error("503 overloaded"));
        let measured = tally.measured("x", &plan());
        assert_eq!(measured.figures[0].count, 0);
        assert_eq!(measured.errors["503 overloaded"], 1);
    }

    #[test]
    fn what_was_due_inside_and_ended_outside_is_a_latency_and_no_rate() {
        let (tally, start) = tally();
        tally.note(0, at(start, 10_900), at(start, 31_000), &Outcome::one(&[1]));
        let b = &tally.measured("x", &plan()).figures[1];
        assert_eq!(b.count, 0);
        assert!((b.max_ms - 20_100.0).abs() < 30.0);
    }

    #[test]
    fn kinds_of_errors_are_bounded() {
        let (tally, _) = tally();
        for n in 0..1000 {
            tally.error(&format!("kind {n}"));
        }
        let errors = tally.measured("x", &plan()).errors;
        assert_eq!(errors.len(), MAX_KINDS + 1);
        assert_eq!(errors.values().sum::<u64>(), 1000);
    }
}
