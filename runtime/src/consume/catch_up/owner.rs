//! Requests to the owner of the events.

use std::collections::BTreeMap;

use contract::{EventHead, Position};

use super::CatchUp;
use crate::{
    api::tx::EmittedEvent,
    error::InternalError,
    log::event_log::{EventsRequest, LogPage, LogRequest, head},
    rpc::client::Call,
};

/// The most positions of one request for events.
const POSITIONS: usize = 100;

/// The approximate number of bytes of events that are fetched for one page of the log. Events that are not fetched
/// count as a gap and are left to the next pass.
const PASS_BYTES: usize = 16_000_000;

impl CatchUp {
    pub(super) async fn ask_log(&self, request: &LogRequest) -> Result<LogPage, InternalError> {
        Ok(self.client.ask_builtin(self.consumer.source, request, &Call::default()).await?.reply)
    }

    /// Fetches the events of suspect commits, up to about [`PASS_BYTES`].
    pub(super) async fn fetch(
        &self,
        suspects: &[Position],
    ) -> Result<BTreeMap<Position, Vec<(EventHead, bytes::Bytes)>>, InternalError> {
        let (mut found, mut bytes) = (BTreeMap::new(), 0);
        let names: Vec<String> = self.consumer.routes.iter().map(|route| route.name.to_owned()).collect();
        for positions in suspects.chunks(POSITIONS) {
            let mut request = Some(EventsRequest { positions: positions.to_vec(), names: names.clone(), skip: 0 });
            while let Some(current) = request {
                if bytes > PASS_BYTES {
                    return Ok(found);
                }
                let page = self.client.ask_builtin(self.consumer.source, &current, &Call::default()).await?.reply;
                for commit in &page.commits {
                    bytes += commit.events.len();
                    let events: Vec<EmittedEvent> =
                        serde_json::from_str(&commit.events).map_err(InternalError::other)?;
                    let events = events.iter().map(|event| {
                        let payload = bytes::Bytes::from(event.data.get().to_owned());
                        (head(self.consumer.source, commit.position, commit.at, event).into_owned(), payload)
                    });
                    found.entry(commit.position).or_insert_with(Vec::new).extend(events);
                }
                request = current.rest(&page);
            }
        }
        Ok(found)
    }
}
