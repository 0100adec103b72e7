//! Parked events: a page of them, and their second chance.

use contract::{ErrorKind, Fault, Format, subject::guarded};
use uuid::Uuid;

use super::{Asked, Responder, Sent};
use crate::{
    caller::Caller,
    dead_letter::{self, DeadLetter, DeadLettersRequest, RedriveRequest, Repeat},
    failure::{Breakage, Stored},
    lane::{EventItem, LaneMessage},
    operation::EventHead,
};

/// Under which name the command log keeps the answers.
const OPERATION: &str = guarded::REDRIVE_DEAD_LETTER;

impl Responder {
    pub(super) async fn list_dead_letters(&self, asked: &Asked) -> Sent {
        let request: DeadLettersRequest = match asked.decode(Format::decode) {
            Ok(request) => request,
            Err(fault) => return fault.of(self.domain).into(),
        };
        let from = match request.from() {
            Ok(from) => from,
            Err(fault) => return fault.of(self.domain).into(),
        };
        let page = dead_letter::list(&self.db.reads, from, &request).await;
        match page.and_then(|page| asked.format.encode(&page).map_err(Breakage::other)) {
            Ok(body) => Sent::Reply { body, replayed: false },
            Err(breakage) => self.broken(guarded::LIST_DEAD_LETTERS, &breakage),
        }
    }

    /// Hands a parked event to its lane once more, past inbox and cursor. A repeat by the same id hands over nothing.
    pub(super) async fn redrive(&self, asked: &Asked, caller: &Caller) -> Sent {
        let decoded =
            asked.decode(Format::decode).and_then(|request: RedriveRequest| Ok((request, asked.command_id()?)));
        let (request, id) = match decoded {
            Ok(decoded) => decoded,
            Err(fault) => return fault.of(self.domain).into(),
        };
        match self.redrive_once(request.id, id, &caller.key()).await {
            Ok(Err(fault)) => fault.of(self.domain).into(),
            Ok(Ok((letter, replayed))) => match asked.format.encode(&letter) {
                Ok(body) => Sent::Reply { body, replayed },
                Err(error) => self.broken(OPERATION, &Breakage::other(error)),
            },
            Err(breakage) => self.broken(OPERATION, &breakage),
        }
    }

    async fn redrive_once(
        &self,
        event: Uuid,
        command: Option<Uuid>,
        caller: &str,
    ) -> Stored<Result<(DeadLetter, bool), Fault>> {
        let pool = &self.db.lanes;
        let repeat = command.map(|id| Repeat { caller, operation: OPERATION, id, event });
        if let Some(repeat) = &repeat
            && let Some(earlier) = repeat.earlier_answer(pool).await?
        {
            return Ok(earlier.map(|letter| (letter, true)));
        }
        let Some((head, payload, letter)) = dead_letter::read(pool, event).await? else {
            let mut fault = Fault::new(ErrorKind::NotFound, "dead_letter_not_found", "There is no such dead letter.");
            fault.details.push(contract::Detail::new("id", "the domain has not parked such an event"));
            return Ok(Err(fault));
        };
        let Some(item) = self.redriven(head, payload) else {
            let mut fault = Fault::new(ErrorKind::Conflict, "unknown_event", "Nothing here handles such an event.");
            fault.details.push(contract::Detail::new("id", format!("it is {}.{}", letter.source, letter.name)));
            return Ok(Err(fault));
        };
        // Remembered first: whoever dies in between has handed over nothing, and the list still shows the event.
        if let Some(repeat) = &repeat
            && !repeat.remember(pool, &letter).await?
            && let Some(earlier) = repeat.earlier_answer(pool).await?
        {
            return Ok(earlier.map(|letter| (letter, true)));
        }
        self.lanes.cast(item.entity, LaneMessage::Event(Box::new(item)));
        Ok(Ok((letter, false)))
    }

    /// The event as its lane takes it; nothing where no handler knows it.
    fn redriven(&self, head: EventHead, payload: Vec<u8>) -> Option<EventItem> {
        let route = self
            .events
            .iter()
            .find(|route| (route.source, route.name) == (head.source.as_str(), head.name.as_str()))?;
        let (message, entity) = match route.handler.decode(&head, &payload) {
            Ok((message, entity)) => (Ok(message), entity),
            Err(error) => (Err(format!("it could not be read: {error}")), head.id),
        };
        Some(EventItem {
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
        })
    }
}
