//! Reads the events of commits, in pages that fit into one message.

use chrono::{DateTime, Utc};
use contract::{Position, subject::internal};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::{LoggedCommit, commits_at};
use crate::{api::tx::EmittedEvent, error::InternalError, rpc::builtin::BuiltinRequest};

/// A request to the owner for the events of these types at these positions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EventsRequest {
    pub positions: Vec<Position>,
    pub names: Vec<String>,
    /// The number of events of the first position that were in earlier pages.
    pub skip: usize,
}

/// The requested events, as far as they fit. The rest needs another request.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EventsPage {
    pub commits: Vec<JsonCommit>,
    /// If the last commit is incomplete, how many of its events have been returned so far.
    pub cut: Option<usize>,
}

/// A commit whose events are JSON text, whatever the format of the page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct JsonCommit {
    pub position: Position,
    pub at: DateTime<Utc>,
    pub events: String,
}

/// The most bytes of events in one page, well below the server's limit for a message.
const ANSWER_BYTES: usize = 500_000;
/// What an event's envelope adds to its data, at most.
const ENVELOPE_BYTES: usize = 400;

impl EventsRequest {
    /// Reads commits by position, in order, with their events of the requested types.
    pub(crate) async fn answer(&self, pool: &PgPool) -> Result<EventsPage, InternalError> {
        let commits = commits_at(&mut *pool.acquire().await?, &self.positions).await?;
        pack(commits, self, ANSWER_BYTES)
    }

    /// The request for the rest; `None` if everything was returned or the log does not contain the rest.
    pub(crate) fn rest(mut self, page: &EventsPage) -> Option<Self> {
        let last = page.commits.last()?.position;
        self.skip = page.cut.unwrap_or(0);
        self.positions.retain(|position| *position > last || (page.cut.is_some() && *position == last));
        (!self.positions.is_empty()).then_some(self)
    }
}

impl BuiltinRequest for EventsRequest {
    type Reply = EventsPage;

    const INTERNAL: &'static str = internal::EVENTS;
    const IS_FOR_CONSUMERS: bool = true;
}

/// Packs as many commits as fit. A commit goes in whole, or cut after at least one of its events, or not at all:
/// without any of its events it would look like a commit that has none.
fn pack(commits: Vec<LoggedCommit>, request: &EventsRequest, limit: usize) -> Result<EventsPage, InternalError> {
    let (mut bytes, mut skip) = (0, request.skip);
    let mut page = EventsPage { commits: Vec::new(), cut: None };
    for commit in commits {
        let wanted: Vec<EmittedEvent> =
            commit.events.into_iter().filter(|event| request.names.contains(&event.name)).collect();
        let first = std::mem::take(&mut skip).min(wanted.len());
        // A single event fits into a message, because it was published as one; a commit with many events may not.
        let fitting = wanted[first..]
            .iter()
            .take_while(|event| {
                let is_first = bytes == 0;
                bytes += event.data.get().len() + ENVELOPE_BYTES;
                is_first || bytes <= limit
            })
            .count();
        if fitting == 0 && first < wanted.len() {
            break;
        }
        let end = first + fitting;
        let events = serde_json::to_string(&wanted[first..end]).map_err(InternalError::other)?;
        page.commits.push(JsonCommit { position: commit.position, at: commit.at, events });
        if end < wanted.len() {
            page.cut = Some(end);
            break;
        }
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng, rngs::StdRng};
    use serde_json::value::RawValue;
    use uuid::Uuid;

    use super::*;

    fn event(name: &str, bytes: usize) -> EmittedEvent {
        EmittedEvent {
            id: Uuid::now_v7(),
            name: name.to_owned(),
            entity: Uuid::nil(),
            version: 1,
            cause: Uuid::nil(),
            cause_name: "test".to_owned(),
            request_id: None,
            traceparent: None,
            data: RawValue::from_string(format!("\"{}\"", "x".repeat(bytes))).unwrap(),
        }
    }

    fn commit(xid: i64, events: Vec<EmittedEvent>) -> LoggedCommit {
        LoggedCommit { position: Position { epoch: 1, xid }, at: DateTime::UNIX_EPOCH, events }
    }

    /// Sends requests until nothing is left, as catch-up does. Returns the ids of each position.
    fn ask_all(log: &[LoggedCommit], limit: usize) -> Vec<(Position, Vec<Uuid>)> {
        let positions = log.iter().map(|commit| commit.position).collect();
        let mut request = Some(EventsRequest { positions, names: vec!["wanted".to_owned()], skip: 0 });
        let mut found: Vec<(Position, Vec<Uuid>)> = Vec::new();
        let mut answers = 0;
        while let Some(current) = request {
            answers += 1;
            assert!(answers < 10_000, "an answer brings nothing new");
            let found_commits =
                log.iter().filter(|commit| current.positions.contains(&commit.position)).cloned().collect();
            let page = pack(found_commits, &current, limit).unwrap();
            for commit in &page.commits {
                let events: Vec<EmittedEvent> = serde_json::from_str(&commit.events).unwrap();
                let ids = events.iter().map(|event| event.id);
                match found.last_mut() {
                    Some((position, all)) if *position == commit.position => all.extend(ids),
                    _ => found.push((commit.position, ids.collect())),
                }
            }
            request = current.rest(&page);
        }
        found
    }

    fn expected(log: &[LoggedCommit]) -> Vec<(Position, Vec<Uuid>)> {
        let wanted = |commit: &LoggedCommit| {
            commit.events.iter().filter(|event| event.name == "wanted").map(|event| event.id).collect()
        };
        log.iter().map(|commit| (commit.position, wanted(commit))).collect()
    }

    #[test]
    fn a_commit_that_just_does_not_fit_comes_with_the_next_answer() {
        let size = 100;
        let log: Vec<_> = (1..=6).map(|xid| commit(xid, vec![event("wanted", size), event("wanted", size)])).collect();
        // The limit lies exactly between two commits.
        let limit = 4 * (size + 2 + ENVELOPE_BYTES);
        assert_eq!(ask_all(&log, limit), expected(&log));
    }

    #[test]
    fn wherever_answers_end_every_event_comes_once() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..500 {
            let mut log = Vec::new();
            for xid in 0..rng.random_range(1..12) {
                let events = (0..rng.random_range(0..6)).map(|_| {
                    let name = if rng.random_ratio(2, 3) { "wanted" } else { "other" };
                    event(name, rng.random_range(0..2000))
                });
                log.push(commit(xid, events.collect()));
            }
            let limit = rng.random_range(1..6000);
            assert_eq!(ask_all(&log, limit), expected(&log), "limit {limit}");
        }
    }
}
