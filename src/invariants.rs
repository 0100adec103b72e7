//! The service `operations`: the conservation checks for admins, on a node that was started with `--check`.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use check::{Report, Sources};
use contract::{ErrorKind, Fault};
use runtime::{Answered, Breakage, Serve, Service, ServiceContext, ServiceRegistry};
use subjects::operations::{CheckInvariants, DOMAIN, Invariant, InvariantFault, Invariants, OperationsError};
use tokio::{
    sync::{Mutex, Semaphore},
    time::Instant,
};

use crate::settings::CheckServers;

/// The NATS user that may read every stream, and answer here.
pub(crate) const USER: &str = "check";

/// Requests that wait for a run at once.
const WAITING: usize = 16;

/// Faults of one check that are named in an answer; all of them are counted. Per check, so that one that finds a great
/// many hides no other.
const NAMED: usize = 50;

/// How long a run may take here, and each of its statements, which nobody can call back: the gateway waits no longer.
const LONGEST: Duration = Duration::from_secs(40);

/// Suspects that move for so long are given up here: a busy shop is answered too.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where the checks look. A statement may take as long as `longest`.
pub(crate) async fn sources(servers: &CheckServers, longest: Duration) -> Result<Sources> {
    Sources::open(&servers.databases, runtime::connect(&servers.nats, USER, "check").await?, longest)
}

/// The checks as a service.
pub(crate) struct Operations {
    sources: Sources,
    /// The last run. A request that comes while one is on its way waits for that one: a repeat costs nothing.
    last: Mutex<Option<(Instant, Arc<Report>)>>,
    waiting: Semaphore,
}

impl Operations {
    /// The checks of these servers. Close the sources once the node has ended.
    pub(crate) async fn new(servers: &CheckServers) -> Result<(Self, Sources)> {
        let sources = sources(servers, LONGEST).await?;
        let service = Self { sources: sources.clone(), last: Mutex::default(), waiting: Semaphore::new(WAITING) };
        Ok((service, sources))
    }

    /// A run that ended after this was asked for, its own or another's.
    async fn report(&self) -> Result<Arc<Report>, Fault> {
        let asked = Instant::now();
        let mut last = self.last.lock().await;
        if let Some((ended, report)) = last.as_ref()
            && *ended > asked
        {
            return Ok(report.clone());
        }
        let Ok(report) = tokio::time::timeout(LONGEST, check::run(&self.sources, PATIENCE)).await else {
            tracing::warn!("the checks take longer than anybody waits for them here: run `souk check`");
            return Err(Fault::deadline(DOMAIN));
        };
        let report = Arc::new(report);
        for check in report.checks.iter().filter(|check| check.failure.is_some()) {
            tracing::error!(check = check.name, failure = check.failure, "a check could not be made");
        }
        for fault in named(&report.faults) {
            tracing::error!(check = fault.check, key = fault.key, text = fault.text, "an invariant does not hold");
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
    async fn serve(&self, _cx: &ServiceContext, _query: &CheckInvariants) -> Answered<Invariants, OperationsError> {
        let Ok(_permit) = self.waiting.try_acquire() else {
            let text = "The service has more work than it can do. Try again.";
            return Err(Breakage::from(Fault::new(ErrorKind::Unavailable, "overloaded", text).of(DOMAIN)).into());
        };
        let report = self.report().await.map_err(Breakage::from)?;
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
                faults: check.faults as u64,
                unsettled: check.unsettled as u64,
                took_ms: check.took_ms,
            })
            .collect(),
        faults: named(&report.faults)
            .map(|fault| InvariantFault {
                check: fault.check.to_owned(),
                key: fault.key.clone(),
                text: fault.text.clone(),
            })
            .collect(),
    }
}

/// The first faults of each check; those of one check stand together.
fn named(faults: &[check::Fault]) -> impl Iterator<Item = &check::Fault> {
    faults.chunk_by(|a, b| a.check == b.check).flat_map(|of_one| of_one.iter().take(NAMED))
}
