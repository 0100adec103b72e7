//! Answers requests to list and redrive dead letters.

use contract::{
    Detail, DetailCode, ErrorKind, Fault, Format,
    subject::{guarded, internal},
};
use sha2::{Digest, Sha256};
use sqlx::{PgExecutor, PgPool};

use super::{DeadLetter, DeadLetters, ListRequest, Parked, RedriveRequest, Work};
use crate::{
    builtin::{BuiltinContext, BuiltinRequest, Outcome},
    client::Replied,
    command_log::{self, CommandKey},
    failure::Breakage,
    lane::{EventItem, LaneMessage, LaneReply},
    operation::EventHead,
};

impl BuiltinRequest for ListRequest {
    type Reply = DeadLetters;

    const INTERNAL: &'static str = internal::DEAD_LETTERS;
    const GUARDED: Option<&'static str> = Some(guarded::LIST_DEAD_LETTERS);

    async fn answer(self, cx: &BuiltinContext<'_>) -> Outcome<DeadLetters> {
        let Some(part) = self.0.part("dead letters") else {
            let detail = Detail::format("cursor", "cursor", "must be a cursor of another page");
            let fault = Fault::new(ErrorKind::Malformed, "invalid_cursor", "The cursor is not one of ours.");
            return Ok(Err(fault.about(detail)));
        };
        BuiltinContext::reply(cx.parked(&cx.backing.db.reads).list(part).await?)
    }
}

/// Passes a dead-lettered event to its lane again, bypassing inbox and cursor, or schedules a dead-lettered effect
/// again. A repeat with the same command id does neither, unless the first run stored its answer and stopped before it
/// passed the event on.
impl BuiltinRequest for RedriveRequest {
    type Reply = DeadLetter;

    const INTERNAL: &'static str = internal::REDRIVE;
    const GUARDED: Option<&'static str> = Some(guarded::REDRIVE_DEAD_LETTER);
    const IS_COMMAND: bool = true;

    async fn answer(self, cx: &BuiltinContext<'_>) -> Outcome<DeadLetter> {
        let pool = &cx.backing.db.lanes;
        let caller = cx.caller.key();
        let repeat = cx.command_id.map(|id| Repeat {
            key: CommandKey { caller: &caller, operation: guarded::REDRIVE_DEAD_LETTER, id },
            domain: cx.domain,
            fingerprint: Sha256::digest(self.id.as_bytes()).to_vec(),
        });
        let earlier = match &repeat {
            Some(repeat) => repeat.earlier_answer(pool).await?,
            None => None,
        };
        match (cx.parked(pool).read(self.id).await?, earlier) {
            (_, Some(Err(fault))) => Ok(Err(fault)),
            // The dead letter is unchanged: the earlier run may have stopped before it passed the event to the lane.
            (Some((letter, Work::Event(Some(head), payload))), Some(Ok(earlier)))
                if letter.parked_at == earlier.reply.parked_at =>
            {
                if let Some(item) = cx.redriven(head, payload) {
                    cx.backing.lanes.cast(item.entity, LaneMessage::Event(Box::new(item)));
                }
                Ok(Ok(earlier))
            }
            (_, Some(Ok(earlier))) => Ok(Ok(earlier)),
            (None, None) => Ok(Err(not_parked())),
            (Some((letter, Work::Effect)), None) => cx.redrive_effect(letter, repeat.as_ref()).await,
            (Some((letter, Work::Event(head, payload))), None) => {
                let Some(item) = head.and_then(|head| cx.redriven(head, payload)) else {
                    let fault = Fault::new(ErrorKind::Conflict, "unknown_event", "Nothing here handles such an event.");
                    return Ok(Err(named(fault, &letter)));
                };
                // Stored first: if the node stops in between, the event is still listed and a repeat redrives it.
                if let Some(repeat) = &repeat
                    && !repeat.store(pool, &letter).await?
                {
                    return repeat.concurrent_answer(pool).await;
                }
                crate::fail_point("redrive.before_hand_over");
                cx.backing.lanes.cast(item.entity, LaneMessage::Event(Box::new(item)));
                BuiltinContext::reply(letter)
            }
        }
    }
}

impl BuiltinContext<'_> {
    fn parked<'a>(&'a self, pool: &'a PgPool) -> Parked<'a> {
        let (effects, events) = (&self.backing.lanes.context.effects, &self.backing.events);
        Parked { domain: self.domain, pool, effects, events }
    }

    /// The event as a lane item; `None` if no handler is registered for it.
    fn redriven(&self, head: EventHead, payload: Vec<u8>) -> Option<EventItem> {
        let route = self.backing.events.iter().find(|route| route.is_of(&head))?;
        let mut item = EventItem::of(route, head, payload.into(), i64::MAX);
        item.is_redrive = true;
        Some(item)
    }

    /// Makes a dead-lettered effect due again, with the same idempotency key and its attempts reset to zero. This and
    /// the answer of the command are one commit. The effect keeps its place among the effects of its entity.
    async fn redrive_effect(&self, letter: DeadLetter, repeat: Option<&Repeat<'_>>) -> Outcome<DeadLetter> {
        let (pool, effects) = (&self.backing.db.lanes, &self.backing.lanes.context.effects);
        if !effects.knows(&letter.name) {
            let fault = Fault::new(ErrorKind::Conflict, "unknown_effect", "Nothing here performs such an effect.");
            return Ok(Err(named(fault, &letter)));
        }
        let mut transaction = pool.begin().await?;
        if let Some(repeat) = repeat
            && !repeat.store(&mut *transaction, &letter).await?
        {
            transaction.rollback().await?;
            return repeat.concurrent_answer(pool).await;
        }
        let sql = "update effect set parked_at = null, attempts = 0, unfinished = 0, next_at = clock_timestamp()
             where id = $1 and parked_at is not null";
        let unparked = sqlx::query(sql).bind(letter.id).execute(&mut *transaction).await?;
        if unparked.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(Err(not_parked()));
        }
        transaction.commit().await?;
        effects.look();
        BuiltinContext::reply(letter)
    }
}

/// Deduplicates redrives: a redrive that is requested again with the same command id runs once, and the repeat gets the
/// stored answer.
struct Repeat<'a> {
    key: CommandKey<'a>,
    domain: &'a str,
    /// Of the dead letter that is redriven.
    fingerprint: Vec<u8>,
}

impl Repeat<'_> {
    /// The answer to an earlier redrive with this id, or a service error if that was for another dead letter.
    async fn earlier_answer(&self, pool: &PgPool) -> Result<Option<Result<Replied<DeadLetter>, Fault>>, Breakage> {
        let Some((_, stored)) = command_log::look_up(pool, &[self.key]).await?.pop() else { return Ok(None) };
        match stored.reply(&self.fingerprint, self.domain)? {
            Some(LaneReply::Reply { body, replayed }) => {
                Ok(Some(Ok(Replied { reply: Format::MessagePack.decode(&body).map_err(Breakage::other)?, replayed })))
            }
            Some(LaneReply::Fault(fault)) => Ok(Some(Err(fault))),
            _ => Err(Breakage::other("the stored answer is not that of a redrive")),
        }
    }

    /// The answer of a concurrent run of the same command.
    async fn concurrent_answer(&self, pool: &PgPool) -> Outcome<DeadLetter> {
        Ok(self.earlier_answer(pool).await?.unwrap_or_else(|| Err(not_parked())))
    }

    /// Stores the answer. Returns false if another request has stored one in the meantime.
    async fn store(&self, db: impl PgExecutor<'_>, answer: &DeadLetter) -> Result<bool, Breakage> {
        let answer = Format::MessagePack.encode(answer).map_err(Breakage::other)?;
        command_log::store(db, self.key, &self.fingerprint, &answer).await
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
