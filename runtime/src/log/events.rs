//! The events of some commits, in answers that fit into a message.

use chrono::{DateTime, Utc};
use contract::Position;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use super::{LoggedCommit, LoggedEvent, commits_at};
use crate::failure::Breakage;

/// Asks the owner for events: of these positions, of these types.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EventsRequest {
    pub positions: Vec<Position>,
    pub names: Vec<String>,
    /// Events of the first position that came before.
    pub skip: usize,
}

/// The events asked for, as far as they fit; the rest is asked for again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EventsPage {
    pub commits: Vec<JsonCommit>,
    /// The last commit is cut: it goes on behind so many of its events.
    pub cut: Option<usize>,
}

/// A commit whose events travel as JSON text, whatever the format around them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct JsonCommit {
    pub position: Position,
    pub at: DateTime<Utc>,
    pub events: String,
}

/// Bytes of events in one answer, well below the server's limit for a message.
const ANSWER_BYTES: usize = 500_000;
/// What an event's envelope adds to its data, at most.
const ENVELOPE_BYTES: usize = 400;

impl EventsRequest {
    /// What is left to ask for after an answer; nothing, where all was answered or the log has none of the rest.
    pub(crate) fn rest(mut self, page: &EventsPage) -> Option<Self> {
        let last = page.commits.last()?.position;
        self.skip = page.cut.unwrap_or(0);
        self.positions.retain(|position| *position > last || (page.cut.is_some() && *position == last));
        (!self.positions.is_empty()).then_some(self)
    }
}

/// Reads commits by position, in their order, with their events of the types asked for.
pub(crate) async fn events(pool: &PgPool, request: &EventsRequest) -> Result<EventsPage, Breakage> {
    let mut connection = pool.acquire().await?;
    pack(commits_at(&mut connection, &request.positions).await?, request, ANSWER_BYTES)
}

/// As much as fits. A commit goes in whole, or cut behind at least one of its events, or not at all: one that went in
/// without any event would look like one that has none.
fn pack(commits: Vec<LoggedCommit>, request: &EventsRequest, limit: usize) -> Result<EventsPage, Breakage> {
    let (mut bytes, mut skip) = (0, request.skip);
    let mut page = EventsPage { commits: Vec::new(), cut: None };
    for commit in commits {
        let wanted: Vec<LoggedEvent> =
            commit.events.into_iter().filter(|event| request.names.contains(&event.name)).collect();
        let first = std::mem::take(&mut skip).min(wanted.len());
        // An event fits into a message, for it was published as one; a commit of many may not.
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
        let events = serde_json::to_string(&wanted[first..end]).map_err(Breakage::other)?;
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

    fn event(name: &str, bytes: usize) -> LoggedEvent {
        LoggedEvent {
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

    fn commit(xid: i64, events: Vec<LoggedEvent>) -> LoggedCommit {
        LoggedCommit { position: Position { era: 1, xid }, at: DateTime::UNIX_EPOCH, events }
    }

    /// Asks until nothing is left, as catch-up does; the ids that came for each position.
    fn ask_all(log: &[LoggedCommit], limit: usize) -> Vec<(Position, Vec<Uuid>)> {
        let positions = log.iter().map(|commit| commit.position).collect();
        let mut request = Some(EventsRequest { positions, names: vec!["wanted".to_owned()], skip: 0 });
        let mut found: Vec<(Position, Vec<Uuid>)> = Vec::new();
        let mut answers = 0;
        while let Some(asked) = request {
            answers += 1;
            assert!(answers < 10_000, "an answer brings nothing new");
            let asked_for = log.iter().filter(|commit| asked.positions.contains(&commit.position)).cloned().collect();
            let page = pack(asked_for, &asked, limit).unwrap();
            for commit in &page.commits {
                let events: Vec<LoggedEvent> = serde_json::from_str(&commit.events).unwrap();
                let ids = events.iter().map(|event| event.id);
                match found.last_mut() {
                    Some((position, all)) if *position == commit.position => all.extend(ids),
                    _ => found.push((commit.position, ids.collect())),
                }
            }
            request = asked.rest(&page);
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
