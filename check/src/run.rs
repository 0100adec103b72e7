//! A run: every check looks once; those with suspects look again until each suspect is gone or has settled.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Result;
use chrono::Utc;
use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::{
    Sources, Suspect,
    checks::CHECKS,
    report::{CheckReport, Report, Violation},
};

/// A suspect unchanged for this long is a violation.
pub const SETTLED: Duration = Duration::from_secs(5);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// The current state of a suspect.
struct Watched {
    text: String,
    /// The end of the first look that found it in this state.
    since: Instant,
    /// The start of the last look that found it in this state.
    seen: Instant,
    /// How long it must stay unchanged to be a violation.
    settled: Duration,
    /// Whether it still changed after the timeout.
    is_given_up: bool,
}

/// Performs one look.
type Inspect<'a> = Box<dyn FnMut() -> BoxFuture<'a, Result<Vec<Suspect>>> + Send + 'a>;

/// A check during a run.
struct Running<'a> {
    name: &'static str,
    promise: &'static str,
    inspect: Inspect<'a>,
    took: Duration,
    watched: BTreeMap<String, Watched>,
    failure: Option<String>,
}

impl<'a> Running<'a> {
    fn of(name: &'static str, promise: &'static str, inspect: Inspect<'a>) -> Self {
        Self { name, promise, inspect, took: Duration::ZERO, watched: BTreeMap::new(), failure: None }
    }

    async fn begin(&mut self) {
        let began = Instant::now();
        let inspected = (self.inspect)().await;
        self.took = began.elapsed();
        match inspected {
            Ok(suspects) => self.watched = suspects.into_iter().map(Watched::now).collect(),
            Err(error) => self.failure = Some(format!("{error:#}")),
        }
    }

    /// Follows only the suspects of the first look: later ones stem from later work and are left to a later run.
    /// `is_late` marks a look after the timeout: a suspect that changed even then is given up.
    async fn inspect_again(&mut self, is_late: bool) {
        let began = Instant::now();
        let mut found: BTreeMap<String, Suspect> = match (self.inspect)().await {
            Ok(suspects) => suspects.into_iter().map(|suspect| (suspect.key.clone(), suspect)).collect(),
            Err(error) => {
                self.failure = Some(format!("{error:#}"));
                return;
            }
        };
        self.watched.retain(|key, watched| match found.remove(key) {
            None => false,
            Some(suspect) if suspect.text == watched.text => {
                watched.seen = began;
                true
            }
            Some(suspect) => {
                let is_given_up = watched.is_given_up || is_late;
                *watched = Watched { is_given_up, ..Watched::now(suspect).1 };
                true
            }
        });
    }

    /// Whether another look could not change the result.
    fn is_done(&self) -> bool {
        self.failure.is_some() || self.watched.values().all(|watched| watched.is_given_up || watched.is_settled())
    }
}

impl Watched {
    fn now(Suspect { key, text, settled }: Suspect) -> (String, Self) {
        let now = Instant::now();
        (key, Self { text, since: now, seen: now, settled, is_given_up: false })
    }

    fn is_settled(&self) -> bool {
        self.seen.saturating_duration_since(self.since) >= self.settled
    }
}

/// Runs all checks. Without suspects, this takes about as long as one inspection. Suspects that still change after
/// `timeout` are given up: the system is busy.
pub async fn run(sources: &Sources, timeout: Duration) -> Report {
    let reached = sources.reach().await;
    let sources = &reached;
    let of = |check: &crate::checks::Check| {
        let inspect = check.inspect;
        Running::of(check.name, check.promise, Box::new(move || inspect(sources)))
    };
    follow(CHECKS.iter().map(of).collect(), timeout).await
}

/// Inspects until every suspect is gone, has settled, or was seen to change after `timeout`, which starts when all
/// checks have looked once. The timeout alone ends nothing: however long looks take, a suspect that does not change is
/// followed until it has settled, because it must not be reported as one that changes.
async fn follow(mut checks: Vec<Running<'_>>, timeout: Duration) -> Report {
    let (began, checked_at) = (Instant::now(), Utc::now());
    for check in &mut checks {
        check.begin().await;
    }
    let first_pass = Instant::now();
    while checks.iter().any(|check| !check.is_done()) {
        tokio::time::sleep(PAUSE).await;
        for check in checks.iter_mut().filter(|check| !check.is_done()) {
            check.inspect_again(first_pass.elapsed() >= timeout).await;
        }
    }
    let mut report = Report {
        is_ok: true,
        checked_at,
        took_ms: milliseconds(began.elapsed()),
        checks: Vec::with_capacity(checks.len()),
        violations: Vec::new(),
        unsettled: Vec::new(),
    };
    for running in checks {
        let (name, promise) = (running.name, running.promise);
        let (violations, unsettled): (Vec<_>, Vec<_>) =
            running.watched.into_iter().partition(|(_, watched)| watched.is_settled());
        report.is_ok &= violations.is_empty() && running.failure.is_none();
        report.checks.push(CheckReport {
            name,
            promise,
            violations: violations.len(),
            unsettled: unsettled.len(),
            took_ms: milliseconds(running.took),
            failure: running.failure,
        });
        let name_it = |(key, watched): (String, Watched)| Violation { check: name, key, text: watched.text };
        report.violations.extend(violations.into_iter().map(name_it));
        report.unsettled.extend(unsettled.into_iter().map(name_it));
    }
    report
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(60);

    /// A check whose looks take this many seconds each; `text` gives the result of the n-th look.
    fn check(name: &'static str, seconds: u64, text: fn(usize) -> Option<String>) -> Running<'static> {
        let mut inspections = 0;
        let inspect = move || -> BoxFuture<'static, Result<Vec<Suspect>>> {
            inspections += 1;
            let found = text(inspections).map(|text| Suspect::new("one", text)).into_iter().collect();
            Box::pin(async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Ok(found)
            })
        };
        Running::of(name, "", Box::new(inspect))
    }

    fn stands(_: usize) -> Option<String> {
        Some("it is off".into())
    }

    fn moves(number: usize) -> Option<String> {
        Some(format!("it is off by {number}"))
    }

    fn passes(number: usize) -> Option<String> {
        (number < 3).then(|| "it is on its way".into())
    }

    /// The lease of a node that died lasts for a while.
    #[tokio::test(start_paused = true)]
    async fn what_is_worked_on_under_a_lease_may_stand_still_for_longer() {
        for (stands, is_ok) in [(14, true), (40, false)] {
            let began = Instant::now();
            let inspect = move || -> BoxFuture<'static, Result<Vec<Suspect>>> {
                let is_there = began.elapsed() < Duration::from_secs(stands);
                let suspect = Suspect::new("one", "it is being made").settled_after(Duration::from_secs(20));
                Box::pin(async move { Ok(is_there.then_some(suspect).into_iter().collect()) })
            };
            let report = follow(vec![Running::of("a", "", Box::new(inspect))], TIMEOUT).await;
            assert_eq!(report.is_ok, is_ok, "{stands} s: {report:?}");
        }
    }

    fn names(violations: &[Violation]) -> Vec<&'static str> {
        violations.iter().map(|violation| violation.check).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_lasting_suspect_is_a_violation_a_changing_one_is_unsettled_a_passing_one_is_neither() {
        let checks = vec![check("a", 0, stands), check("b", 0, moves), check("c", 0, passes), check("d", 0, |_| None)];
        let report = follow(checks, TIMEOUT).await;
        assert_eq!((names(&report.violations), names(&report.unsettled)), (vec!["a"], vec!["b"]));
        assert!(!report.is_ok && report.took_ms < 70_000, "{report:?}");
        assert!(follow(vec![check("b", 0, moves), check("c", 0, passes)], TIMEOUT).await.is_ok);
    }

    #[tokio::test(start_paused = true)]
    async fn an_inspection_longer_than_the_timeout_hides_no_violation() {
        for seconds in [3, 59, 61, 600] {
            for order in [[seconds, 0], [0, seconds]] {
                let [first, second] = order;
                let report = follow(vec![check("a", first, stands), check("b", second, stands)], TIMEOUT).await;
                assert_eq!(names(&report.violations), ["a", "b"], "looks of {order:?} s");
                let report = follow(vec![check("a", first, moves), check("b", second, moves)], TIMEOUT).await;
                assert_eq!(names(&report.unsettled), ["a", "b"], "looks of {order:?} s");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_suspect_that_stops_changing_at_the_timeout_is_inspected_until_it_has_settled() {
        for last_move in 55..65 {
            let mut moved = None;
            let inspect = move || -> BoxFuture<'static, Result<Vec<Suspect>>> {
                let now = moved.map_or(0, |before: u64| last_move.min(before + 1));
                moved = Some(now);
                Box::pin(async move { Ok(vec![Suspect::new("one", format!("it is off by {now}"))]) })
            };
            let report = follow(vec![Running::of("a", "", Box::new(inspect))], TIMEOUT).await;
            // It changed in the first look after 60 s, or never again.
            assert_eq!(report.is_ok, last_move >= 60, "{last_move}: {report:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_inspection_that_fails_is_no_success() {
        let mut inspections = 0;
        let inspect = move || -> BoxFuture<'static, Result<Vec<Suspect>>> {
            inspections += 1;
            let found =
                if inspections < 2 { Ok(vec![Suspect::new("one", "off")]) } else { Err(anyhow::anyhow!("away")) };
            Box::pin(async move { found })
        };
        let report = follow(vec![Running::of("a", "", Box::new(inspect))], TIMEOUT).await;
        assert!(!report.is_ok && report.checks[0].failure.as_deref() == Some("away"), "{report:?}");
    }
}
