//! A run: every check looks once, those that found a suspect look again until it is gone or has not changed for so long.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use chrono::Utc;

use crate::{
    Sources, Suspect,
    checks::{CHECKS, Check},
    report::{CheckReport, Fault, Report},
};

/// A suspect that has not changed for so long is a fault.
pub const SETTLED: Duration = Duration::from_secs(5);

/// The pause between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Suspects that go on changing are given up then: the system is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A suspect as it is, since when, and when that was last seen.
struct Watched {
    text: String,
    since: Instant,
    seen: Instant,
}

/// A check in a run.
struct Running {
    check: &'static Check,
    took: Duration,
    watched: BTreeMap<String, Watched>,
    failure: Option<String>,
}

impl Running {
    async fn begin(check: &'static Check, sources: &Sources) -> Self {
        let began = Instant::now();
        let looked = (check.look)(sources).await;
        let mut running = Self { check, took: began.elapsed(), watched: BTreeMap::new(), failure: None };
        match looked {
            Ok(suspects) => running.watched = suspects.into_iter().map(|s| (s.key, Watched::now(s.text))).collect(),
            Err(error) => running.failure = Some(format!("{error:#}")),
        }
        running
    }

    /// Only what the first look found is followed: what comes later is later work, and a later run's.
    async fn look_again(&mut self, sources: &Sources) {
        let began = Instant::now();
        let mut found: BTreeMap<String, String> = match (self.check.look)(sources).await {
            Ok(suspects) => suspects.into_iter().map(|Suspect { key, text }| (key, text)).collect(),
            Err(error) => {
                self.failure = Some(format!("{error:#}"));
                return;
            }
        };
        self.watched.retain(|key, watched| match found.remove(key) {
            None => false,
            Some(text) => {
                if text == watched.text {
                    watched.seen = began;
                } else {
                    *watched = Watched::now(text);
                }
                true
            }
        });
    }

    fn is_settled(&self) -> bool {
        self.failure.is_some() || self.watched.values().all(Watched::is_settled)
    }
}

impl Watched {
    fn now(text: String) -> Self {
        let now = Instant::now();
        Self { text, since: now, seen: now }
    }

    fn is_settled(&self) -> bool {
        self.seen.saturating_duration_since(self.since) >= SETTLED
    }
}

/// Makes every check. Takes about as long as one look where nothing is suspect.
pub async fn run(sources: &Sources) -> Report {
    let (began, checked_at) = (Instant::now(), Utc::now());
    let mut checks = Vec::with_capacity(CHECKS.len());
    for check in CHECKS {
        checks.push(Running::begin(check, sources).await);
    }
    while checks.iter().any(|check| !check.is_settled()) && began.elapsed() < PATIENCE {
        tokio::time::sleep(PAUSE).await;
        for check in checks.iter_mut().filter(|check| !check.is_settled()) {
            check.look_again(sources).await;
        }
    }
    let mut report = Report {
        is_ok: true,
        checked_at,
        took_ms: milliseconds(began.elapsed()),
        checks: Vec::with_capacity(checks.len()),
        faults: Vec::new(),
        unsettled: Vec::new(),
    };
    for running in checks {
        let (name, promise) = (running.check.name, running.check.promise);
        let (faults, unsettled): (Vec<_>, Vec<_>) =
            running.watched.into_iter().partition(|(_, watched)| watched.is_settled());
        report.is_ok &= faults.is_empty() && running.failure.is_none();
        report.checks.push(CheckReport {
            name,
            promise,
            faults: faults.len(),
            unsettled: unsettled.len(),
            took_ms: milliseconds(running.took),
            failure: running.failure,
        });
        let name_it = |(key, watched): (String, Watched)| Fault { check: name, key, text: watched.text };
        report.faults.extend(faults.into_iter().map(name_it));
        report.unsettled.extend(unsettled.into_iter().map(name_it));
    }
    report
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
