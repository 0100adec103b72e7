//! The revocations known to a node: a copy of the signer's list, updated once a second.
//!
//! An entry is kept until every token it concerns has expired. A full list evicts nothing: the signer is then queried
//! about each token that is not on it. While the signer does not answer, the list is used as it is, except for commands
//! that are [sensitive](contract::Command::SENSITIVE).

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};

use contract::{
    ErrorKind, Revocation, RevocationCursor, RevocationsPage, RevocationsRequest, Revoked, ServiceError, TokenOwner,
};
use futures::future::BoxFuture;
use parking_lot::{Mutex, RwLock};
use tokio::{sync::watch, time::Instant};
use uuid::Uuid;

use crate::{clock::Clock, rpc::auth::invalid_token};

/// The source of revocations: a query to the signer.
pub type RevocationSource =
    Arc<dyn Fn(RevocationsRequest) -> BoxFuture<'static, Result<RevocationsPage, ServiceError>> + Send + Sync>;

/// The most revocations that a node keeps by default: some 10 MiB.
pub const REVOCATIONS: usize = 100_000;

/// The interval at which the signer is polled for new revocations.
const POLL: Duration = Duration::from_secs(1);

/// The maximum age at which the list counts for sensitive commands.
const FRESH: Duration = Duration::from_secs(10);

/// How long the signer's answer about one token is cached, and how long the signer is not queried about single tokens
/// after a failure.
const ANSWERED: Duration = Duration::from_secs(1);

/// The most cached answers about single tokens.
const ANSWERS: usize = 10_000;

/// The revocations known to a node.
#[derive(Clone)]
pub(crate) struct Revocations {
    shared: Arc<Shared>,
}

struct Shared {
    reader: &'static str,
    source: RevocationSource,
    bound: usize,
    clock: Clock,
    list: RwLock<List>,
    answers: Mutex<Answers>,
    changed: watch::Sender<()>,
}

#[derive(Default)]
struct List {
    /// The lowest valid version, and when the entry expires.
    accounts: HashMap<Uuid, (i64, i64)>,
    sessions: HashMap<Uuid, i64>,
    after: Option<RevocationCursor>,
    /// The start of the last poll that reached the end.
    read_at: Option<Instant>,
    /// The last poll did not fit into the list.
    is_full: bool,
}

/// The state of a token according to the list.
#[derive(Debug, PartialEq, Eq)]
enum Status {
    Revoked,
    /// The token was not revoked at this time.
    Valid(Instant),
    Unknown,
}

impl List {
    fn status(&self, token: &TokenOwner) -> Status {
        let is_outdated = self.accounts.get(&token.account).is_some_and(|(least, _)| token.version < *least);
        match self.read_at {
            _ if is_outdated || self.sessions.contains_key(&token.session) => Status::Revoked,
            Some(read_at) if !self.is_full => Status::Valid(read_at),
            _ => Status::Unknown,
        }
    }

    /// Adds a revocation. Returns false if the list is full.
    fn add(&mut self, revocation: &Revocation, bound: usize) -> bool {
        let has_room = self.len() < bound;
        let expires_at = revocation.expires_at;
        match revocation.revoked {
            Revoked::Account { id, least_version } => match self.accounts.get_mut(&id) {
                Some(known) => *known = (known.0.max(least_version), known.1.max(expires_at)),
                None if has_room => drop(self.accounts.insert(id, (least_version, expires_at))),
                None => return false,
            },
            Revoked::Session { id } if has_room || self.sessions.contains_key(&id) => {
                self.sessions.insert(id, expires_at);
            }
            Revoked::Session { .. } => return false,
        }
        self.after = Some(revocation.cursor);
        true
    }

    fn drop_expired(&mut self, now: i64) {
        self.accounts.retain(|_, (_, expires_at)| *expires_at > now);
        self.sessions.retain(|_, expires_at| *expires_at > now);
    }

    fn len(&self) -> usize {
        self.accounts.len() + self.sessions.len()
    }
}

/// The cached answers of the signer about single tokens.
#[derive(Default)]
struct Answers {
    by_token: HashMap<TokenOwner, (Instant, bool)>,
    failed_at: Option<Instant>,
}

impl Revocations {
    pub(crate) fn new(reader: &'static str, source: RevocationSource, bound: usize, clock: Clock) -> Self {
        let (changed, _) = watch::channel(());
        let (list, answers) = (RwLock::default(), Mutex::default());
        Self { shared: Arc::new(Shared { reader, source, bound, clock, list, answers, changed }) }
    }

    /// Rejects a revoked token. A token passes if neither the list nor the signer can tell: see
    /// [`confirm`](Self::confirm).
    pub(crate) async fn check(&self, token: &TokenOwner) -> Result<(), ServiceError> {
        let is_revoked = match self.status(token) {
            Status::Revoked => true,
            Status::Valid(_) => false,
            Status::Unknown => self.ask(token).await.unwrap_or(false),
        };
        if is_revoked { Err(invalid_token()) } else { Ok(()) }
    }

    /// Rejects a revoked token, and any token whose state is not known from a recent answer of the signer.
    pub(crate) async fn confirm(&self, token: &TokenOwner) -> Result<(), ServiceError> {
        let is_revoked = match self.status(token) {
            Status::Revoked => Some(true),
            Status::Valid(at) if at.elapsed() <= FRESH => Some(false),
            Status::Valid(_) | Status::Unknown => self.ask(token).await,
        };
        match is_revoked {
            Some(false) => Ok(()),
            Some(true) => Err(invalid_token()),
            None => {
                let text = "Your access rights cannot be verified at the moment. Try again.";
                Err(ServiceError::new(ErrorKind::Unavailable, "unavailable", text))
            }
        }
    }

    /// Completes once the list revokes the token.
    pub(crate) async fn listed(&self, token: &TokenOwner) {
        let mut changes = self.shared.changed.subscribe();
        while self.status(token) != Status::Revoked {
            if changes.changed().await.is_err() {
                // The sender is gone, so the list never changes again.
                return std::future::pending().await;
            }
        }
    }

    /// Keeps the list up to date for as long as another handle to it exists.
    pub(crate) fn follow(&self) -> impl Future<Output = ()> + Send + use<> {
        let shared: Weak<Shared> = Arc::downgrade(&self.shared);
        async move {
            let mut was_broken = false;
            while let Some(shared) = shared.upgrade() {
                let began = Instant::now();
                let this = Self { shared };
                match this.poll(began).await {
                    Ok(()) => was_broken = false,
                    Err(error) if was_broken => tracing::debug!(%error, "revocations still could not be read"),
                    Err(error) => {
                        was_broken = true;
                        tracing::warn!(reader = this.shared.reader, %error, "revocations could not be read");
                    }
                }
                this.measure();
                drop(this);
                tokio::time::sleep_until(began + POLL).await;
            }
        }
    }

    /// Reads the new revocations, until there are no more or the list is full.
    async fn poll(&self, began: Instant) -> Result<(), ServiceError> {
        let now = self.shared.clock.now().timestamp();
        self.shared.list.write().drop_expired(now);
        loop {
            let after = self.shared.list.read().after;
            let page = (self.shared.source)(RevocationsRequest { after, token: None }).await?;
            let goes_on = {
                let mut list = self.shared.list.write();
                let fits = page.revocations.iter().all(|revocation| list.add(revocation, self.shared.bound));
                let goes_on = page.has_more && !page.revocations.is_empty() && fits;
                // A full list is complete again only once the last page fits.
                if !goes_on {
                    list.is_full = !fits;
                    list.read_at = Some(began);
                }
                goes_on
            };
            if !page.revocations.is_empty() {
                self.shared.changed.send_replace(());
            }
            if !goes_on {
                return Ok(());
            }
        }
    }

    fn status(&self, token: &TokenOwner) -> Status {
        self.shared.list.read().status(token)
    }

    /// Queries the signer about one token; `None` if it does not answer.
    async fn ask(&self, token: &TokenOwner) -> Option<bool> {
        {
            let answers = self.shared.answers.lock();
            if let Some((_, is_revoked)) = answers.by_token.get(token).filter(|(at, _)| at.elapsed() < ANSWERED) {
                return Some(*is_revoked);
            }
            // Waiting for an unavailable signer would slow down every request.
            if answers.failed_at.is_some_and(|at| at.elapsed() < ANSWERED) {
                return None;
            }
        }
        let began = Instant::now();
        let answer = (self.shared.source)(RevocationsRequest { after: None, token: Some(*token) }).await;
        let is_revoked = answer.ok().and_then(|page| page.is_revoked);
        let mut answers = self.shared.answers.lock();
        match is_revoked {
            Some(is_revoked) => {
                answers.failed_at = None;
                if answers.by_token.len() >= ANSWERS {
                    answers.by_token.clear();
                }
                answers.by_token.insert(*token, (began, is_revoked));
            }
            None => answers.failed_at = Some(Instant::now()),
        }
        is_revoked
    }

    fn measure(&self) {
        let list = self.shared.list.read();
        let age = list.read_at.map_or(f64::INFINITY, |at| at.elapsed().as_secs_f64());
        metrics::gauge!("revocations", "reader" => self.shared.reader).set(list.len() as f64);
        metrics::gauge!("revocations_age_seconds", "reader" => self.shared.reader).set(age);
    }
}

#[cfg(test)]
mod tests;
