//! Batches of commands: claim, look up, decide, answer.
//!
//! To read first: `batch.rs`, which calls these steps, then writes and commits.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use contract::{ErrorBody, ErrorKind, Format, ServiceError};
use sqlx::{PgConnection, Row};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

use super::{
    LaneContext, LaneMessage, Lanes,
    batch::{Kind, run_batch},
    commit::AnswerRow,
    publish,
};
use crate::{
    api::{
        routes::{CommandRoute, Erased, Outcome},
        tx::Tx,
    },
    error::InternalError,
    lane::{
        audit::{self, AuditedCommand},
        command_log::{self, CommandKey},
    },
};

/// A command in a lane.
pub(crate) struct CommandItem {
    pub route: CommandRoute,
    pub caller_key: String,
    pub id: Uuid,
    pub key: Uuid,
    pub fingerprint: Vec<u8>,
    pub request_id: Option<String>,
    /// `Err` is a domain error of `prepare`, or of an earlier run that had written. It becomes the answer only if the
    /// id is claimed and no answer is stored for it.
    pub prepared: Result<Erased, Box<ErrorBody>>,
    pub deadline: Instant,
    pub reply: oneshot::Sender<LaneReply>,
    pub permit: Option<OwnedSemaphorePermit>,
    /// The command of a due deadline. Its handler decides by the row alone whether the deadline still applies
    /// ([`crate::DeadlineSource`]), so the id is not claimed and the answer is not stored.
    pub is_due: bool,
    /// What the audit log records once the command has succeeded.
    pub audited: Option<Box<AuditedCommand>>,
}

impl CommandItem {
    fn identity(&self) -> CommandKey<'_> {
        CommandKey { caller: &self.caller_key, operation: self.route.meta.operation, id: self.id }
    }
}

/// The outcome of a command in its lane.
pub(crate) enum LaneReply {
    /// A reply, in MessagePack.
    Reply { body: Vec<u8>, replayed: bool },
    /// A domain error.
    Rejected { body: Box<ErrorBody>, replayed: bool },
    /// What `prepare` relied on has changed: prepare again.
    Stale,
    /// A service error. Nothing is known to have been committed, but a commit whose connection was lost may have
    /// succeeded.
    ServiceError(ServiceError),
}

/// The outcome of one item of a batch.
enum Verdict {
    Answered(LaneReply),
    /// Another transaction, or an earlier item of the batch, holds the claim on the id: retry later.
    Unclaimed,
    /// Rejected after it had written: the whole batch must roll back.
    RejectedAfterWrite(Box<ErrorBody>),
}

/// The pause before an item whose id is claimed elsewhere is retried.
const CLAIM_PAUSE: Duration = Duration::from_millis(25);

/// The most deadlines of one transaction. More than `BATCH`, because they need no locks except those of their rows.
const DUE_BATCH: usize = 512;

pub(super) async fn run(lanes: &Lanes, items: Vec<CommandItem>) {
    let mut work = batches(items, usize::MAX);
    while let Some(batch) = work.pop() {
        run_batch::<Commands>(lanes, batch, &mut work, |committed| publish(lanes, committed)).await;
    }
}

/// Runs due deadlines. All of them are committed before any of their events is published, so that the downstream work
/// does not compete for CPU. Only if a batch does not commit are the ones before it published at once.
pub(super) async fn run_due(lanes: &Lanes, items: Vec<CommandItem>) {
    let mut work = batches(items, DUE_BATCH);
    let mut unpublished = Vec::new();
    while let Some(batch) = work.pop() {
        let is_committed =
            run_batch::<Commands>(lanes, batch, &mut work, |committed| unpublished.push(committed)).await;
        if !is_committed || work.is_empty() {
            unpublished.drain(..).for_each(|committed| publish(lanes, committed));
        }
    }
}

/// Splits items into batches, in reverse order, because the caller pops from the end. Each batch has one operation and
/// is sorted by key, so that it locks the rows of its entities in the same order as batches of events do, and
/// transactions cannot deadlock.
fn batches(mut items: Vec<CommandItem>, most: usize) -> Vec<Vec<CommandItem>> {
    let mut batches: Vec<Vec<CommandItem>> = Vec::new();
    // Stable, so that commands on one entity stay in the order of arrival.
    items.sort_by_key(|item| item.key);
    for item in items {
        let operation = item.route.meta.operation;
        let open = batches.iter_mut().rev().find(|batch| batch[0].route.meta.operation == operation);
        match open.filter(|batch| batch.len() < most) {
            Some(batch) => batch.push(item),
            None => batches.push(vec![item]),
        }
    }
    batches.reverse();
    batches
}

/// Batches of commands of one operation.
enum Commands {}

/// The commands that have a verdict before they run, and those that run again because their answers are not kept.
struct Claimed {
    verdicts: Vec<Option<Verdict>>,
    secret_repeats: Vec<usize>,
}

impl Kind for Commands {
    type Item = CommandItem;
    type Claimed = Claimed;
    type Outcome = Vec<Verdict>;

    const NAME: &'static str = "command";
    const CRASH_POINTS: [fn(); 2] =
        [|| crate::fail_point("lane.before_commit"), || crate::fail_point("lane.after_commit")];

    /// Answers items whose deadline has passed: their callers have stopped waiting, and a locked row must not hold up
    /// the lane for longer than the deadline.
    fn drop_late(context: &LaneContext, items: &mut Vec<CommandItem>) {
        let now = Instant::now();
        for item in items.extract_if(.., |item| item.deadline <= now) {
            answer(item, LaneReply::ServiceError(ServiceError::deadline(context.domain)));
        }
    }

    /// Claims the ids that no other transaction holds, in a fixed order, and looks up the answers stored under them.
    async fn claim(
        connection: &mut PgConnection,
        context: &LaneContext,
        items: &[CommandItem],
    ) -> Result<(Claimed, DateTime<Utc>), InternalError> {
        let mut claimed = Claimed { verdicts: items.iter().map(|_| None).collect(), secret_repeats: Vec::new() };
        // Deadlines have a queue of their own, so a batch holds either deadlines only or none.
        if items.iter().all(|item| item.is_due) {
            return Ok((claimed, sqlx::query_scalar("select now()").fetch_one(connection).await?));
        }
        // If an id occurs twice in a batch, the first item runs; the other is retried later and then finds the stored
        // answer.
        let mut first_of = HashSet::new();
        let mut locks = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            if first_of.insert(item.identity()) {
                locks.push((item.identity().lock_number(), index));
            } else {
                claimed.verdicts[index] = Some(Verdict::Unclaimed);
            }
        }
        locks.sort_unstable();
        let sql = "select pg_try_advisory_xact_lock(number) as is_claimed, now() as now
             from unnest($1::bigint[]) with ordinality as t(number, place) order by place";
        let rows = sqlx::query(sql)
            .bind(locks.iter().map(|(number, _)| *number).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        let now = rows.first().ok_or_else(|| InternalError::other("a batch had nothing to claim"))?.try_get("now")?;
        let (mut ours, mut keys) = (Vec::with_capacity(locks.len()), Vec::with_capacity(locks.len()));
        for (row, (_, index)) in rows.iter().zip(locks) {
            if row.try_get("is_claimed")? {
                ours.push(index);
                keys.push(items[index].identity());
            } else {
                claimed.verdicts[index] = Some(Verdict::Unclaimed);
            }
        }
        // A separate statement: the snapshot of the statement that took the locks is older than the locks.
        for (place, stored) in command_log::look_up(connection, &keys).await? {
            let index = ours[place];
            match stored.reply(&items[index].fingerprint, context.domain)? {
                Some(reply) => claimed.verdicts[index] = Some(Verdict::Answered(reply)),
                None => claimed.secret_repeats.push(index),
            }
        }
        Ok((claimed, now))
    }

    async fn handle(
        tx: &mut Tx<'_>,
        items: &[CommandItem],
        claimed: Claimed,
    ) -> Result<(Vec<Verdict>, Option<Vec<AnswerRow>>), InternalError> {
        let Claimed { mut verdicts, secret_repeats } = claimed;
        decide(tx, items, &mut verdicts).await?;
        let verdicts: Vec<Verdict> =
            verdicts.into_iter().map(|verdict| verdict.unwrap_or(Verdict::Unclaimed)).collect();
        let succeeded = items.iter().zip(&verdicts).enumerate().filter_map(|(index, (item, verdict))| match verdict {
            Verdict::Answered(LaneReply::Reply { replayed: false, body }) if !secret_repeats.contains(&index) => {
                Some((item.audited.as_deref()?, body.as_slice()))
            }
            _ => None,
        });
        let (succeeded, now): (Vec<_>, _) = (succeeded.collect(), tx.now());
        audit::write(tx.last_writes.writes(), &succeeded, &tx.events, now)?;
        let answers = if verdicts.iter().any(|verdict| matches!(verdict, Verdict::RejectedAfterWrite(_))) {
            None
        } else {
            Some(answer_rows(items, &verdicts, &secret_repeats)?)
        };
        Ok((verdicts, answers))
    }

    async fn settle(lanes: &Lanes, items: Vec<CommandItem>, verdicts: Vec<Verdict>) {
        for (item, verdict) in items.into_iter().zip(verdicts) {
            match verdict {
                Verdict::Answered(reply) => answer(item, reply),
                Verdict::Unclaimed if item.deadline > Instant::now() + CLAIM_PAUSE => {
                    lanes.cast_later(item.key, LaneMessage::Command(Box::new(item)), CLAIM_PAUSE);
                }
                Verdict::Unclaimed => {
                    let text = "The command is still running. Repeat it with the same id.";
                    let error = ServiceError::new(ErrorKind::Conflict, "command_in_progress", text);
                    answer(item, LaneReply::ServiceError(error.of(lanes.context.domain)));
                }
                Verdict::RejectedAfterWrite(body) => answer(item, LaneReply::Rejected { body, replayed: false }),
            }
        }
    }

    /// Moves an item that was rejected after a write into a batch of its own, because its neighbours may have caused
    /// the rejection. If it is rejected again on its own, the next run records the rejection without calling the
    /// handler.
    fn rolled_back(items: &mut Vec<CommandItem>, verdicts: Vec<Verdict>, work: &mut Vec<Vec<CommandItem>>) {
        let rejection = verdicts.into_iter().enumerate().find_map(|(at, verdict)| match verdict {
            Verdict::RejectedAfterWrite(body) => Some((at, body)),
            _ => None,
        });
        let Some((at, body)) = rejection else { return };
        if let [alone] = &mut items[..] {
            alone.prepared = Err(body);
        } else {
            work.push(vec![items.remove(at)]);
        }
    }

    async fn give_up(lanes: &Lanes, items: Vec<CommandItem>, internal_error: &InternalError) {
        let domain = lanes.context.domain;
        for item in items {
            tracing::error!(
                domain,
                operation = item.route.meta.operation,
                request_id = item.request_id,
                error = %internal_error,
                "command failed"
            );
            answer(item, LaneReply::ServiceError(internal_error.service_error(domain)));
        }
    }
}

fn answer(item: CommandItem, reply: LaneReply) {
    drop(item.permit);
    // The caller may have stopped waiting; the writes and the stored answer remain.
    drop(item.reply.send(reply));
}

/// Runs the handler of the batch's operation on the items that have no verdict yet.
async fn decide(tx: &mut Tx<'_>, batch: &[CommandItem], verdicts: &mut [Option<Verdict>]) -> Result<(), InternalError> {
    let mut members = Vec::with_capacity(batch.len());
    let mut commands: Vec<&(dyn std::any::Any + Send + Sync)> = Vec::with_capacity(batch.len());
    for (index, item) in batch.iter().enumerate() {
        if verdicts[index].is_some() {
            continue;
        }
        match &item.prepared {
            Ok(command) => {
                members.push(index);
                commands.push(command.as_ref());
            }
            Err(error) => verdicts[index] = Some(rejected(error.clone())),
        }
    }
    let Some(route) = members.first().map(|index| &batch[*index].route) else { return Ok(()) };
    let outcomes = (route.run)(tx, &commands).await?;
    for (index, outcome) in members.into_iter().zip(outcomes) {
        verdicts[index] = Some(match outcome {
            Outcome::Reply(body) => Verdict::Answered(LaneReply::Reply { body, replayed: false }),
            Outcome::Rejected(body) => rejected(body),
            Outcome::RejectedAfterWrite(body) => Verdict::RejectedAfterWrite(body),
            Outcome::Stale => Verdict::Answered(LaneReply::Stale),
        });
    }
    Ok(())
}

fn rejected(body: Box<ErrorBody>) -> Verdict {
    Verdict::Answered(LaneReply::Rejected { body, replayed: false })
}

/// Whether a rejection is stored. A malformed or invalid body had no effect and its caller corrects it, so the id stays
/// free for the corrected command. The same holds for an unauthenticated caller, which may retry with a valid token.
fn is_kept(error: ErrorKind) -> bool {
    !matches!(error, ErrorKind::Malformed | ErrorKind::Invalid | ErrorKind::Unauthenticated)
}

/// The new command log rows for the answers of this batch, in a fixed order, so that concurrent inserts cannot
/// deadlock.
fn answer_rows(
    items: &[CommandItem],
    verdicts: &[Verdict],
    secret_repeats: &[usize],
) -> Result<Vec<AnswerRow>, InternalError> {
    let mut rows = Vec::new();
    for (index, (item, verdict)) in items.iter().zip(verdicts).enumerate() {
        if item.is_due || secret_repeats.contains(&index) {
            continue;
        }
        let (status, bytes) = match verdict {
            Verdict::Answered(LaneReply::Reply { body, replayed: false }) => (0, body.clone()),
            // If the operation keeps no answers, its rejections are not recorded: otherwise unauthenticated requests
            // with wrong passwords could fill the table.
            Verdict::Answered(LaneReply::Rejected { body, replayed: false })
                if item.route.keeps_answer && is_kept(body.kind) =>
            {
                let status = i16::try_from(body.kind.status()).map_err(InternalError::other)?;
                (status, Format::MessagePack.encode(body).map_err(InternalError::other)?)
            }
            _ => continue,
        };
        rows.push(AnswerRow {
            caller: item.caller_key.clone(),
            operation: item.route.meta.operation,
            id: item.id,
            fingerprint: item.fingerprint.clone(),
            status,
            answer: item.route.keeps_answer.then_some(bytes),
        });
    }
    rows.sort_by(|a, b| (&a.caller, a.operation, a.id).cmp(&(&b.caller, b.operation, b.id)));
    Ok(rows)
}
