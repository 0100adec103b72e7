//! What the owner of the events is asked.

use std::collections::BTreeMap;

use contract::{Position, subject};

use super::CatchUp;
use crate::{
    client::Call,
    failure::{Breakage, Stored},
    log::{EventsPage, EventsRequest, LogPage, LogRequest, LoggedEvent, head},
    operation::EventHead,
};

/// Positions whose events are asked for at once.
const POSITIONS: usize = 100;

impl CatchUp {
    pub(super) async fn ask_log(&self, request: &LogRequest) -> Stored<LogPage> {
        let call = Call::default();
        Ok(self.client.ask_internal(self.consumer.source, subject::internal::LOG, request, &call).await?)
    }

    /// The events of suspect commits, as far as one pass brings them.
    pub(super) async fn fetch(
        &self,
        suspects: &[Position],
    ) -> Stored<BTreeMap<Position, Vec<(EventHead, bytes::Bytes)>>> {
        let mut found = BTreeMap::new();
        let names: Vec<String> = self.consumer.routes.iter().map(|route| route.name.to_owned()).collect();
        for positions in suspects.chunks(POSITIONS) {
            let (mut positions, mut skip) = (positions.to_vec(), 0);
            while !positions.is_empty() {
                let request = EventsRequest { positions: positions.clone(), names: names.clone(), skip };
                let call = Call::default();
                let page: EventsPage =
                    self.client.ask_internal(self.consumer.source, subject::internal::EVENTS, &request, &call).await?;
                let Some(last) = page.commits.last().map(|commit| commit.position) else { break };
                for commit in page.commits {
                    let events: Vec<LoggedEvent> = serde_json::from_str(&commit.events).map_err(Breakage::other)?;
                    let events = events.iter().map(|event| {
                        let payload = bytes::Bytes::from(event.data.get().to_owned());
                        (head(self.consumer.source, commit.position, commit.at, event), payload)
                    });
                    found.entry(commit.position).or_insert_with(Vec::new).extend(events);
                }
                skip = page.cut.unwrap_or(0);
                positions.retain(|position| *position > last || (skip > 0 && *position == last));
            }
        }
        Ok(found)
    }
}
