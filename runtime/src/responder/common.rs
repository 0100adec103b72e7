//! What every domain answers beside its own operations: its log for those who consume its events, its dead letters and
//! its stream for the operator.

use contract::{Format, Position};
use uuid::Uuid;

use super::{Asked, Endpoint, Responder, Sent};
use crate::{
    dead_letter::{self, DeadLettersRequest, RedriveRequest, Redriven},
    failure::{Breakage, Stored},
    lane::{EventItem, LaneMessage},
    log,
    refill::{self, RefillRequest},
};

impl Responder {
    pub(super) async fn common(&self, endpoint: &Endpoint, asked: &Asked) -> Sent {
        match endpoint {
            Endpoint::Query(_) | Endpoint::Command(_) => contract::Fault::internal(self.domain).into(),
            Endpoint::Log => {
                self.read_log(asked, |pool, request| async move { log::page(&pool, &request).await }).await
            }
            Endpoint::Events => {
                self.read_log(asked, |pool, request| async move { log::events(&pool, &request).await }).await
            }
            Endpoint::DeadLetters => {
                let list =
                    |pool, request: DeadLettersRequest| async move { dead_letter::list(&pool, request.limit).await };
                self.read_log(asked, list).await
            }
            Endpoint::Refill => {
                self.read_log(
                    asked,
                    |pool, _: RefillRequest| async move { refill::begin(&pool, Position::START).await },
                )
                .await
            }
            Endpoint::Redrive => {
                self.read_log(asked, |pool, request: RedriveRequest| self.redrive(pool, request.event_id)).await
            }
        }
    }

    async fn read_log<Q, A, F>(&self, asked: &Asked, read: impl FnOnce(sqlx::PgPool, Q) -> F) -> Sent
    where
        Q: serde::de::DeserializeOwned,
        A: serde::Serialize,
        F: Future<Output = Result<A, Breakage>>,
    {
        let request = match asked.decode(Format::decode) {
            Ok(request) => request,
            Err(fault) => return fault.of(self.domain).into(),
        };
        let answer = read(self.db.lanes.clone(), request).await;
        match answer.and_then(|answer| asked.format.encode(&answer).map_err(Breakage::other)) {
            Ok(body) => Sent::Reply { body, replayed: false },
            Err(breakage) => self.broken("log", &breakage),
        }
    }

    /// Hands a parked event to its lane once more, past inbox and cursor.
    async fn redrive(&self, pool: sqlx::PgPool, event_id: Uuid) -> Stored<Redriven> {
        let Some((head, payload)) = dead_letter::read(&pool, event_id).await? else {
            return Ok(Redriven { is_handed_over: false });
        };
        let route =
            self.events.iter().find(|route| (route.source, route.name) == (head.source.as_str(), head.name.as_str()));
        let Some(route) = route else { return Ok(Redriven { is_handed_over: false }) };
        let decoded = route.handler.decode(&head, &payload);
        let (message, entity) = match decoded {
            Ok((message, entity)) => (Ok(message), entity),
            Err(error) => (Err(format!("it could not be read: {error}")), head.id),
        };
        let item = EventItem {
            route: route.clone(),
            known_in_era: i64::MAX,
            head,
            entity,
            payload: payload.into(),
            message,
            is_repeat: false,
            is_redrive: true,
            _in_flight: None,
            _permit: None,
        };
        self.lanes.cast(entity, LaneMessage::Event(Box::new(item)));
        Ok(Redriven { is_handed_over: true })
    }
}
