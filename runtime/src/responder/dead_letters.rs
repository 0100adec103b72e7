//! Dead letters: lists and redrives them.

use contract::{Detail, DetailCode, ErrorKind, Fault, PageRequest, subject::guarded};
use sqlx::PgPool;
use uuid::Uuid;

use super::{Asked, Backed, Sent};
use crate::{
    caller::Caller,
    dead_letter::{self, DeadLetter, Parked, RedriveRequest, Repeat, Unparked, Work},
    failure::Breakage,
    lane::{EventItem, LaneMessage},
    operation::EventHead,
};

/// The operation under which the command log stores the answers.
const OPERATION: &str = guarded::REDRIVE_DEAD_LETTER;

/// The redriven dead letter and whether the answer is a replay of an earlier run, or the reason for a rejection.
type Redriven = Result<(DeadLetter, bool), Fault>;

impl Backed<'_> {
    pub(super) async fn list_dead_letters(&self, asked: &Asked) -> Sent {
        let part = asked.decode_as().and_then(|request: PageRequest| {
            request.part("dead letters").ok_or_else(|| {
                let detail = Detail::format("cursor", "cursor", "must be a cursor of another page");
                Fault::new(ErrorKind::Malformed, "invalid_cursor", "The cursor is not one of ours.").about(detail)
            })
        });
        let part = match part {
            Ok(part) => part,
            Err(fault) => return fault.of(self.domain).into(),
        };
        let page = self.parked(&self.backing.db.reads).list(part).await;
        match page.and_then(|page| asked.format.encode(&page).map_err(Breakage::other)) {
            Ok(body) => Sent::Reply { body, replayed: false },
            Err(breakage) => self.broken(guarded::LIST_DEAD_LETTERS, &breakage),
        }
    }

    /// Passes a dead-lettered event to its lane again, bypassing inbox and cursor, or schedules a dead-lettered effect
    /// again. A repeat with the same command id does neither, unless the first run stored its answer and stopped before
    /// it passed the event on.
    pub(super) async fn redrive(&self, asked: &Asked, caller: &Caller) -> Sent {
        let decoded = asked.decode_as().and_then(|request: RedriveRequest| Ok((request, asked.command_id()?)));
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

    async fn redrive_once(&self, id: Uuid, command: Option<Uuid>, caller: &str) -> Result<Redriven, Breakage> {
        let pool = &self.backing.db.lanes;
        let repeat = command.map(|command| Repeat { caller, operation: OPERATION, id: command, letter: id });
        let earlier = match &repeat {
            Some(repeat) => repeat.earlier_answer(pool).await?,
            None => None,
        };
        let earlier = match earlier {
            Some(Err(fault)) => return Ok(Err(fault)),
            Some(Ok(letter)) => Some(letter),
            None => None,
        };
        match (self.parked(pool).read(id).await?, earlier) {
            // The dead letter is unchanged: the earlier run may have stopped before it passed the event to the lane.
            (Some((letter, Work::Event(Some(head), payload))), Some(earlier))
                if letter.parked_at == earlier.parked_at =>
            {
                if let Some(item) = self.redriven(head, payload) {
                    self.backing.lanes.cast(item.entity, LaneMessage::Event(Box::new(item)));
                }
                Ok(Ok((earlier, true)))
            }
            (_, Some(earlier)) => Ok(Ok((earlier, true))),
            (None, None) => Ok(Err(not_parked())),
            (Some((letter, Work::Effect)), None) => self.redrive_effect(letter, repeat.as_ref()).await,
            (Some((letter, Work::Event(head, payload))), None) => {
                let Some(item) = head.and_then(|head| self.redriven(head, payload)) else {
                    let fault = Fault::new(ErrorKind::Conflict, "unknown_event", "Nothing here handles such an event.");
                    return Ok(Err(named(fault, &letter)));
                };
                // Stored first: if the node stops in between, the event is still listed and a repeat redrives it.
                if let Some(repeat) = &repeat
                    && !repeat.remember(pool, &letter).await?
                {
                    return repeated(repeat, pool).await;
                }
                crate::fail_point("redrive.before_hand_over");
                self.backing.lanes.cast(item.entity, LaneMessage::Event(Box::new(item)));
                Ok(Ok((letter, false)))
            }
        }
    }

    async fn redrive_effect(&self, letter: DeadLetter, repeat: Option<&Repeat<'_>>) -> Result<Redriven, Breakage> {
        let (pool, effects) = (&self.backing.db.lanes, &self.backing.lanes.context.effects);
        if !effects.knows(&letter.name) {
            let fault = Fault::new(ErrorKind::Conflict, "unknown_effect", "Nothing here performs such an effect.");
            return Ok(Err(named(fault, &letter)));
        }
        match (dead_letter::unpark(pool, &letter, repeat).await?, repeat) {
            (Unparked::Before, Some(repeat)) => repeated(repeat, pool).await,
            (Unparked::Before | Unparked::Gone, _) => Ok(Err(not_parked())),
            (Unparked::Done, _) => {
                effects.look();
                Ok(Ok((letter, false)))
            }
        }
    }

    fn parked<'a>(&'a self, pool: &'a PgPool) -> Parked<'a> {
        Parked { domain: self.domain, pool, effects: &self.backing.lanes.context.effects, events: &self.backing.events }
    }

    /// The event as a lane item; `None` if no handler is registered for it.
    fn redriven(&self, head: EventHead, payload: Vec<u8>) -> Option<EventItem> {
        let route = self.backing.events.iter().find(|route| route.is_of(&head))?;
        let (message, entity) = match (route.decode)(&head, &payload) {
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

fn not_parked() -> Fault {
    let text = "There is no such dead letter.";
    let detail = Detail::new("id", DetailCode::NotFound, "the domain has parked no such event or effect");
    Fault::new(ErrorKind::NotFound, "dead_letter_not_found", text).about(detail)
}

fn named(fault: Fault, letter: &DeadLetter) -> Fault {
    let name = format!("{}.{}", letter.source, letter.name);
    fault.about(Detail::state("id", &name, format!("it is {name}")))
}

/// Returns the answer of a concurrent run of the same command.
async fn repeated(repeat: &Repeat<'_>, pool: &PgPool) -> Result<Redriven, Breakage> {
    let earlier = repeat.earlier_answer(pool).await?;
    Ok(earlier.map_or_else(|| Err(not_parked()), |earlier| earlier.map(|letter| (letter, true))))
}
