//! Answers `req.operations.invariants`: the conservation checks for admins, on a node that was started with `--check`.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use async_nats::{Client, HeaderMap, Message};
use check::{Report, Sources};
use contract::{Access, ErrorBody, ErrorKind, Fault, Format, Request, header};
use futures::StreamExt;
use runtime::{REVOCATIONS, Verifier};
use subjects::{
    identity::{GetKeys, GetRevocations},
    operations::{CheckInvariants, Invariant, InvariantFault, Invariants, OperationsError},
};
use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinHandle,
    time::Instant,
};

use crate::settings::CheckServers;

/// The NATS user that may read every stream, and answer here.
const USER: &str = "check";

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

struct Responder {
    connection: Client,
    verifier: Verifier,
    sources: Sources,
    /// The last run. Whoever comes while one is on its way waits for that one: a repeat costs nothing.
    last: Mutex<Option<(Instant, Arc<Report>)>>,
    waiting: Arc<Semaphore>,
}

/// A responder that answers until it is stopped.
pub(crate) struct Serving {
    task: JoinHandle<()>,
    sources: Sources,
}

impl Serving {
    /// Stops, and lets go of every connection: before the servers do.
    pub(crate) async fn stop(self) {
        self.task.abort();
        // It ends as aborted, which is what was asked for.
        drop(self.task.await);
        self.sources.close().await;
    }
}

/// Answers from now on.
pub(crate) async fn serve(servers: &CheckServers) -> Result<Serving> {
    let (_, verifier) = runtime::edge::<GetKeys, GetRevocations>(&servers.nats, USER, REVOCATIONS).await?;
    let connection = runtime::connect(&servers.nats, USER, "invariants").await?;
    let queue = CheckInvariants::DOMAIN.to_owned();
    let mut requests = connection.queue_subscribe(CheckInvariants::subject(), queue).await.context("invariants")?;
    connection.flush().await.context("invariants")?;
    let sources = sources(servers, LONGEST).await?;
    let responder = Arc::new(Responder {
        connection,
        verifier,
        sources: sources.clone(),
        last: Mutex::default(),
        waiting: Arc::new(Semaphore::new(WAITING)),
    });
    let task = tokio::spawn(async move {
        while let Some(request) = requests.next().await {
            tokio::spawn(responder.clone().answer(request));
        }
    });
    Ok(Serving { task, sources })
}

impl Responder {
    async fn answer(self: Arc<Self>, request: Message) {
        // We may ask domains, and whoever asks us names the reply's subject: it must be an inbox.
        let Some(reply_to) = request.reply.clone().filter(|subject| is_inbox(subject)) else { return };
        let get = |name: &str| request.headers.as_ref()?.get(name).map(async_nats::HeaderValue::as_str);
        let format = Format::detect(get(header::CONTENT_TYPE), &request.payload).unwrap_or(Format::Json);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, format.content_type());
        let request_id = get(header::REQUEST_ID).unwrap_or_default();
        if !request_id.is_empty() {
            headers.insert(header::REQUEST_ID, request_id);
        }
        let body = match self.run(get(header::AUTHORIZATION)).await {
            Ok(invariants) => format.encode(&invariants),
            Err(mut error) => {
                error.request_id = request_id.to_owned();
                headers.insert(header::SERVICE_ERROR, error.code.as_str());
                headers.insert(header::SERVICE_ERROR_CODE, error.kind.status().to_string());
                format.encode(&*error)
            }
        };
        // A send can hang while the connection is down; nobody would get the answer then anyway.
        let send = self.connection.publish_with_headers(reply_to, headers, body.unwrap_or_default().into());
        let sent = tokio::time::timeout(Duration::from_secs(5), send).await;
        if !matches!(sent, Ok(Ok(()))) {
            tracing::warn!("the answer about invariants could not be sent");
        }
    }

    async fn run(&self, authorization: Option<&str>) -> Result<Invariants, Box<ErrorBody>> {
        let refuse = |fault: Fault| Box::new(fault.of(CheckInvariants::DOMAIN).body(""));
        self.authorize(authorization).await.map_err(refuse)?;
        let Ok(_permit) = self.waiting.try_acquire() else {
            let text = "The service has more work than it can do. Try again.";
            return Err(refuse(Fault::new(ErrorKind::Unavailable, "overloaded", text)));
        };
        let report = self.report().await.map_err(refuse)?;
        let (incomplete, faults): (Vec<_>, Vec<_>) = (
            report.checks.iter().filter(|check| check.failure.is_some()).map(|check| check.name.to_owned()).collect(),
            named(&report.faults).collect(),
        );
        if !incomplete.is_empty() {
            let refusal = OperationsError::CheckIncomplete { checks: incomplete };
            return Err(Box::new(ErrorBody::of_refusal(&refusal, CheckInvariants::DOMAIN, "")));
        }
        Ok(Invariants {
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
            faults: faults
                .into_iter()
                .map(|fault| InvariantFault {
                    check: fault.check.to_owned(),
                    key: fault.key.clone(),
                    text: fault.text.clone(),
                })
                .collect(),
        })
    }

    async fn authorize(&self, authorization: Option<&str>) -> Result<(), Fault> {
        let Some(token) = authorization else {
            return Err(Fault::new(ErrorKind::Unauthenticated, "unauthenticated", "An access token is needed."));
        };
        let identity = self.verifier.verify(token).await?;
        match CheckInvariants::ACCESS {
            Access::Roles(roles) if roles.contains(&identity.role.as_str()) => Ok(()),
            _ => Err(Fault::new(ErrorKind::Forbidden, "forbidden", "Your role does not allow this.")),
        }
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
            return Err(Fault::deadline(CheckInvariants::DOMAIN));
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

/// The first faults of each check; those of one check stand together.
fn named(faults: &[check::Fault]) -> impl Iterator<Item = &check::Fault> {
    faults.chunk_by(|a, b| a.check == b.check).flat_map(|of_one| of_one.iter().take(NAMED))
}

fn is_inbox(subject: &str) -> bool {
    let token = subject.split('.').next().unwrap_or_default();
    token == "_INBOX" || token.starts_with("_INBOX_")
}
