//! The service `operations`: runs the conservation checks for admins, on a node started with `--check`.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use check::{Report, Sources};
use contract::ServiceError;
use runtime::{InternalError, QueryResult, Serve, Service, ServiceContext, ServiceRegistry};
use subjects::operations::{CheckInvariants, DOMAIN, Invariant, InvariantViolation, Invariants, OperationsError};
use tokio::{
    sync::{Mutex, Semaphore},
    time::Instant,
};

use crate::settings::CheckServers;

/// The NATS user that may read every stream and answer requests to this service.
pub(crate) const USER: &str = "check";

/// How many requests may wait for a run at once.
const WAITING: usize = 16;

/// How many violations of each check a reply lists; all are counted. Per check, so that a check with many violations
/// does not hide those of another.
const NAMED: usize = 50;

/// Timeout of a run and of each of its statements, which cannot be cancelled: the gateway waits no longer.
const LONGEST: Duration = Duration::from_secs(40);

/// Suspects that change for this long are given up, so that a busy system gets a reply too.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Opens the data sources of the checks. `longest` limits each statement.
pub(crate) async fn sources(servers: &CheckServers, longest: Duration) -> Result<Sources> {
    Sources::open(&servers.databases, runtime::connect(&servers.nats, USER, "check").await?, longest)
}

/// The checks as a service.
pub(crate) struct Operations {
    sources: Sources,
    /// The last run. Requests that arrive during a run wait for it, so that repeated requests cost nothing.
    last: Mutex<Option<(Instant, Arc<Report>)>>,
    waiting: Semaphore,
}

impl Operations {
    /// Creates the service. The sources must be closed after the node has ended.
    pub(crate) async fn new(servers: &CheckServers) -> Result<(Self, Sources)> {
        let sources = sources(servers, LONGEST).await?;
        let service = Self { sources: sources.clone(), last: Mutex::default(), waiting: Semaphore::new(WAITING) };
        Ok((service, sources))
    }

    /// The report of a run that ended after this request arrived, started by it or by another one.
    async fn report(&self) -> Result<Arc<Report>, ServiceError> {
        let requested_at = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((ended, report)) = last.as_ref()
            && *ended > requested_at
        {
            return Ok(report.clone());
        }
        let Ok(report) = tokio::time::timeout(LONGEST, check::run(&self.sources, TIMEOUT)).await else {
            tracing::warn!("checks exceeded their timeout");
            return Err(ServiceError::deadline(DOMAIN));
        };
        let report = Arc::new(report);
        for check in report.checks.iter().filter(|check| check.failure.is_some()) {
            tracing::error!(check = check.name, failure = check.failure, "check could not run");
        }
        for violation in named(&report.violations) {
            tracing::error!(check = violation.check, key = violation.key, text = violation.text, "invariant violated");
        }
        *last = Some((Instant::now(), report.clone()));
        Ok(report)
    }
}

impl Service for Operations {
    const NAME: &'static str = DOMAIN;

    fn register(routes: &mut ServiceRegistry<Self>) {
        routes.query::<CheckInvariants>();
    }
}

impl Serve<CheckInvariants> for Operations {
    async fn serve(&self, _cx: &ServiceContext, _query: &CheckInvariants) -> QueryResult<Invariants, OperationsError> {
        let Ok(_permit) = self.waiting.try_acquire() else {
            return Err(InternalError::from(ServiceError::overloaded(DOMAIN)).into());
        };
        let report = self.report().await.map_err(InternalError::from)?;
        let failed = report.checks.iter().filter(|check| check.failure.is_some());
        let checks: Vec<_> = failed.map(|check| check.name.to_owned()).collect();
        if checks.is_empty() {
            Ok(invariants(&report))
        } else {
            Err(OperationsError::CheckIncomplete { checks }.into())
        }
    }
}

fn invariants(report: &Report) -> Invariants {
    Invariants {
        is_ok: report.is_ok,
        checked_at: report.checked_at,
        took_ms: report.took_ms,
        checks: report
            .checks
            .iter()
            .map(|check| Invariant {
                name: check.name.to_owned(),
                promise: check.promise.to_owned(),
                violations: check.violations as u64,
                unsettled: check.unsettled as u64,
                took_ms: check.took_ms,
            })
            .collect(),
        violations: named(&report.violations)
            .map(|violation| InvariantViolation {
                check: violation.check.to_owned(),
                key: violation.key.clone(),
                text: violation.text.clone(),
            })
            .collect(),
    }
}

/// The first violations of each check. Expects the violations grouped by check.
fn named(violations: &[check::Violation]) -> impl Iterator<Item = &check::Violation> {
    violations.chunk_by(|a, b| a.check == b.check).flat_map(|of_one| of_one.iter().take(NAMED))
}
