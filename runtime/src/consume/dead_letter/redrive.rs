//! Answers requests to redrive dead letters.

use contract::{Detail, DetailCode, ErrorKind, EventHead, Format, ServiceError, subject::guarded};
use sha2::{Digest, Sha256};
use sqlx::{PgExecutor, PgPool};
use uuid::Uuid;

use super::{DeadLetter, DeadLetterRows, RedriveRequest, listing::Work};
use crate::{
    api::caller::Caller,
    error::InternalError,
    lane::{
        EventItem, LaneContext, LaneMessage, LaneReply,
        command_log::{self, CommandKey},
    },
    rpc::{
        builtin::{Outcome, first_reply},
        client::Replied,
    },
};

impl DeadLetterRows<'_> {
    /// Passes a dead-lettered event to its lane again, bypassing inbox and cursor, or schedules a dead-lettered effect
    /// again. A repeat with the same command id does neither, unless the first run stored its answer and stopped before
    /// it passed the event on.
    pub(crate) async fn redrive(
        &self,
        RedriveRequest { id }: RedriveRequest,
        caller: &Caller,
        command_id: Option<Uuid>,
    ) -> Outcome<DeadLetter> {
        let pool = &self.lanes.context.db.lanes;
        let caller = caller.key();
        let repeat = command_id.map(|command_id| Repeat {
            key: CommandKey { caller: &caller, operation: guarded::REDRIVE_DEAD_LETTER, id: command_id },
            domain: self.lanes.context.domain,
            fingerprint: Sha256::digest(id.as_bytes()).to_vec(),
        });
        let earlier = match &repeat {
            Some(repeat) => repeat.earlier_answer(pool).await?,
            None => None,
        };
        match (self.read(id).await?, earlier) {
            (_, Some(Err(error))) => Ok(Err(error)),
            // The dead letter is unchanged: the earlier run may have stopped before it passed the event to the lane.
            (Some((letter, Work::Event(Some(head), payload))), Some(Ok(earlier)))
                if letter.dead_lettered_at == earlier.reply.dead_lettered_at =>
            {
                if let Some(item) = self.redriven(*head, payload) {
                    self.lanes.cast(item.entity, LaneMessage::Event(Box::new(item)));
                }
                Ok(Ok(earlier))
            }
            (_, Some(Ok(earlier))) => Ok(Ok(earlier)),
            (None, None) => Ok(Err(dead_letter_not_found())),
            (Some((letter, Work::Effect)), None) => self.redrive_effect(letter, repeat.as_ref()).await,
            (Some((letter, Work::Event(head, payload))), None) => {
                let Some(item) = head.and_then(|head| self.redriven(*head, payload)) else {
                    let error = ServiceError::new(
                        ErrorKind::Conflict,
                        "unknown_event",
                        "No handler is registered for the event.",
                    );
                    return Ok(Err(named(error, &letter)));
                };
                // Stored first: if the node stops in between, the event is still listed and a repeat redrives it.
                if let Some(repeat) = &repeat
                    && !repeat.store(pool, &letter).await?
                {
                    return repeat.concurrent_answer(pool).await;
                }
                crate::fail_point("redrive.before_dispatch");
                self.lanes.cast(item.entity, LaneMessage::Event(Box::new(item)));
                first_reply(letter)
            }
        }
    }

    /// The event as a lane item; `None` if no handler is registered for it.
    fn redriven(&self, head: EventHead, payload: Vec<u8>) -> Option<EventItem> {
        let route = self.events.iter().find(|route| route.is_of(&head))?;
        let mut item = EventItem::of(route, head, payload.into(), i64::MAX);
        item.is_redrive = true;
        Some(item)
    }

    /// Makes a dead-lettered effect due again, with the same idempotency key and its attempts reset to zero. This and
    /// the answer of the command are one commit. The effect keeps its place among the effects of its entity.
    async fn redrive_effect(&self, letter: DeadLetter, repeat: Option<&Repeat<'_>>) -> Outcome<DeadLetter> {
        let LaneContext { db, effects, .. } = &*self.lanes.context;
        let pool = &db.lanes;
        if !effects.knows(&letter.name) {
            let error =
                ServiceError::new(ErrorKind::Conflict, "unknown_effect", "No handler is registered for the effect.");
            return Ok(Err(named(error, &letter)));
        }
        let mut transaction = pool.begin().await?;
        if let Some(repeat) = repeat
            && !repeat.store(&mut *transaction, &letter).await?
        {
            transaction.rollback().await?;
            return repeat.concurrent_answer(pool).await;
        }
        let sql = "update effect set dead_lettered_at = null, attempts = 0, unfinished = 0, next_at = clock_timestamp()
             where id = $1 and dead_lettered_at is not null";
        let redriven = sqlx::query(sql).bind(letter.id).execute(&mut *transaction).await?;
        if redriven.rows_affected() == 0 {
            transaction.rollback().await?;
            return Ok(Err(dead_letter_not_found()));
        }
        transaction.commit().await?;
        effects.wake_up();
        first_reply(letter)
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
    async fn earlier_answer(
        &self,
        pool: &PgPool,
    ) -> Result<Option<Result<Replied<DeadLetter>, ServiceError>>, InternalError> {
        let Some((_, stored)) = command_log::look_up(pool, &[self.key]).await?.pop() else { return Ok(None) };
        match stored.reply(&self.fingerprint, self.domain)? {
            Some(LaneReply::Reply { body, replayed }) => Ok(Some(Ok(Replied {
                reply: Format::MessagePack.decode(&body).map_err(InternalError::other)?,
                replayed,
            }))),
            Some(LaneReply::ServiceError(error)) => Ok(Some(Err(error))),
            _ => Err(InternalError::other("the stored answer is not that of a redrive")),
        }
    }

    /// The answer of a concurrent run of the same command.
    async fn concurrent_answer(&self, pool: &PgPool) -> Outcome<DeadLetter> {
        Ok(self.earlier_answer(pool).await?.unwrap_or_else(|| Err(dead_letter_not_found())))
    }

    /// Stores the answer. Returns false if another request has stored one in the meantime.
    async fn store(&self, db: impl PgExecutor<'_>, answer: &DeadLetter) -> Result<bool, InternalError> {
        let answer = Format::MessagePack.encode(answer).map_err(InternalError::other)?;
        command_log::store(db, self.key, &self.fingerprint, &answer).await
    }
}

fn dead_letter_not_found() -> ServiceError {
    let text = "There is no such dead letter.";
    let detail = Detail::new("id", DetailCode::NotFound, "there is no such dead letter");
    ServiceError::new(ErrorKind::NotFound, "dead_letter_not_found", text).about(detail)
}

fn named(error: ServiceError, letter: &DeadLetter) -> ServiceError {
    let name = format!("{}.{}", letter.source, letter.name);
    error.about(Detail::state("id", &name, format!("it is {name}")))
}
