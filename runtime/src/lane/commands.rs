//! Batches of commands: claim, look up, decide, write, commit, answer.

mod command_log;

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use contract::{ErrorBody, ErrorKind, Fault};
use sqlx::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use uuid::Uuid;

pub(crate) use command_log::replay;
use command_log::{answer_rows, claim, identity, look_up};

use super::{
    LaneContext, LaneMessage, Lanes, Next, announce,
    commit::{AnswerRows, Committed, write},
    measure, next_after,
};
use crate::{
    failure::Breakage,
    guard::guarded,
    operation::{CommandRoute, Erased, Outcome, is_reused},
    tx::Tx,
};

/// A command in a lane.
pub(crate) struct CommandItem {
    pub route: CommandRoute,
    pub caller_key: String,
    pub id: Uuid,
    pub key: Uuid,
    pub fingerprint: Vec<u8>,
    /// `Err` is a domain error of `prepare`, or of an earlier run that had written. It becomes the answer only if the
    /// id is claimed and no answer is stored for it.
    pub prepared: Result<Erased, Box<ErrorBody>>,
    pub deadline: Instant,
    pub reply: oneshot::Sender<LaneReply>,
    pub permit: Option<OwnedSemaphorePermit>,
    /// The command of a due deadline. Its handler decides by the row alone whether the deadline still applies
    /// ([`crate::Due`]), so the id is not claimed and the answer is not stored.
    pub is_due: bool,
}

/// The outcome of a command in its lane.
pub(crate) enum LaneReply {
    /// A reply, in MessagePack.
    Reply { body: Vec<u8>, replayed: bool },
    /// A domain error.
    Refused { body: Box<ErrorBody>, replayed: bool },
    /// What `prepare` relied on has changed: prepare again.
    Stale,
    /// A service error. Nothing is known to have been committed, but a commit whose connection was lost may have
    /// succeeded.
    Fault(Fault),
}

/// The outcome of one item of a batch.
enum Verdict {
    Answered(LaneReply),
    /// Another transaction, or an earlier item of the batch, holds the claim on the id: retry later.
    Unclaimed,
    /// Rejected after it had written: the whole batch must roll back.
    RefusedAfterWrite(Box<ErrorBody>),
}

/// The pause before an item whose id is claimed elsewhere is retried.
const CLAIM_PAUSE: Duration = Duration::from_millis(25);

/// The most deadlines of one transaction. More than `BATCH`, because they need no locks except those of their rows.
const DUE_BATCH: usize = 512;

pub(super) async fn run(lanes: &Lanes, items: Vec<CommandItem>) {
    let mut work = batches(items, usize::MAX);
    while let Some(batch) = work.pop() {
        if let Some(committed) = run_batch(lanes, batch, &mut work).await {
            announce(&lanes.context, committed);
        }
    }
}

/// Runs due deadlines. All of them are committed before any of their events is published, so that the downstream work
/// does not compete for CPU. Only if a batch does not commit are the ones before it published at once.
pub(super) async fn run_due(lanes: &Lanes, items: Vec<CommandItem>) {
    let mut work = batches(items, DUE_BATCH);
    let mut untold = Vec::new();
    while let Some(batch) = work.pop() {
        let committed = run_batch(lanes, batch, &mut work).await;
        let is_held_up = committed.is_none();
        untold.extend(committed);
        if is_held_up || work.is_empty() {
            untold.drain(..).for_each(|committed| announce(&lanes.context, committed));
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

/// Answers items whose deadline has passed: their callers have stopped waiting, and a locked row must not hold up the
/// lane for longer than the deadline.
fn drop_late(context: &LaneContext, items: &mut Vec<CommandItem>) {
    let now = Instant::now();
    for item in items.extract_if(.., |item| item.deadline <= now) {
        answer(item, LaneReply::Fault(Fault::deadline(context.domain)));
    }
}

/// Runs a batch until it is committed, split or given up. Parts that are split off are pushed onto `work`. Returns what
/// was committed.
async fn run_batch(lanes: &Lanes, mut batch: Vec<CommandItem>, work: &mut Vec<Vec<CommandItem>>) -> Option<Committed> {
    let context = &lanes.context;
    let mut attempt = 0;
    loop {
        drop_late(context, &mut batch);
        if batch.is_empty() {
            return None;
        }
        attempt += 1;
        let began = Instant::now();
        let confirmed = context.publisher.take_confirmed();
        match guarded(transact(context, &batch, &confirmed)).await {
            Ok((verdicts, committed)) => {
                if let Some(at) = verdicts.iter().position(|v| matches!(v, Verdict::RefusedAfterWrite(_))) {
                    context.publisher.put_back(confirmed);
                    isolate(&mut batch, at, verdicts, work);
                    continue;
                }
                measure(context, "command", batch.len(), began);
                for (item, verdict) in batch.into_iter().zip(verdicts) {
                    settle(lanes, item, verdict);
                }
                return committed;
            }
            Err(breakage) => {
                context.publisher.put_back(confirmed);
                match next_after(context, &breakage, batch.len(), attempt).await {
                    Next::Again => {}
                    Next::Halve => {
                        let second = batch.split_off(batch.len() / 2);
                        work.push(second);
                        work.push(batch);
                        return None;
                    }
                    Next::GiveUp => {
                        for item in batch {
                            tracing::error!(domain = context.domain, operation = item.route.meta.operation, %breakage, "a command broke");
                            answer(item, LaneReply::Fault(breakage.fault(context.domain)));
                        }
                        return None;
                    }
                }
            }
        }
    }
}

/// Moves an item that was rejected after a write into a batch of its own, because its neighbours may have caused the
/// rejection. If it is rejected again on its own, the next run records the rejection without calling the handler.
fn isolate(batch: &mut Vec<CommandItem>, at: usize, verdicts: Vec<Verdict>, work: &mut Vec<Vec<CommandItem>>) {
    if batch.len() > 1 {
        let item = batch.remove(at);
        work.push(vec![item]);
    } else if let (Some(item), Some(Verdict::RefusedAfterWrite(body))) =
        (batch.first_mut(), verdicts.into_iter().nth(at))
    {
        item.prepared = Err(body);
    }
}

fn settle(lanes: &Lanes, item: CommandItem, verdict: Verdict) {
    match verdict {
        Verdict::Answered(reply) => answer(item, reply),
        Verdict::Unclaimed if item.deadline > Instant::now() + CLAIM_PAUSE => {
            lanes.cast_later(item.key, LaneMessage::Command(Box::new(item)), CLAIM_PAUSE);
        }
        Verdict::Unclaimed => {
            let domain = lanes.context.domain;
            let text = "The same command is still running. Ask again with the same id.";
            answer(item, LaneReply::Fault(Fault::new(ErrorKind::Conflict, "command_in_progress", text).of(domain)));
        }
        Verdict::RefusedAfterWrite(body) => answer(item, LaneReply::Refused { body, replayed: false }),
    }
}

fn answer(item: CommandItem, reply: LaneReply) {
    drop(item.permit);
    // The caller may have stopped waiting; the writes and the stored answer remain.
    drop(item.reply.send(reply));
}

/// Runs one transaction over a batch. It is rolled back, and nothing is returned as committed, if an item was rejected
/// after a write.
async fn transact(
    context: &LaneContext,
    batch: &[CommandItem],
    confirmed: &[contract::Position],
) -> Result<(Vec<Verdict>, Option<Committed>), Breakage> {
    let mut connection = context.db.lane().await?;
    let mut transaction = connection.begin().await?;
    let mut verdicts: Vec<Option<Verdict>> = batch.iter().map(|_| None).collect();

    // If an id occurs twice in a batch, the first item runs; the other is retried later and then finds the stored
    // answer.
    let mut first_of: HashMap<(&str, &str, Uuid), usize> = HashMap::new();
    for (index, item) in batch.iter().enumerate() {
        if *first_of.entry(identity(item)).or_insert(index) != index {
            verdicts[index] = Some(Verdict::Unclaimed);
        }
    }
    // Deadlines have a queue of their own, so a batch holds either deadlines only or none.
    let is_due = batch.iter().all(|item| item.is_due);
    let (now, stored) = if is_due {
        (sqlx::query_scalar("select now()").fetch_one(&mut *transaction).await?, Vec::new())
    } else {
        let now = claim(&mut transaction, batch, &mut verdicts).await?;
        // A separate statement: the snapshot of the statement that took the locks is older than the locks.
        (now, look_up(&mut transaction, batch, &verdicts).await?)
    };
    let mut secret_repeats = Vec::new();
    for (index, found) in stored {
        let item = &batch[index];
        if is_reused(&found.fingerprint, &item.fingerprint) {
            let text = "This command id was used with another body.";
            let fault = Fault::new(ErrorKind::Invalid, "command_id_reused", text).of(context.domain);
            verdicts[index] = Some(Verdict::Answered(LaneReply::Fault(fault)));
        } else if let Some(answer) = found.answer {
            verdicts[index] = Some(Verdict::Answered(replay(found.status, answer)?));
        } else {
            secret_repeats.push(index);
        }
    }

    let mut tx = Tx::new(&mut transaction, now, context.effects.names());
    decide(&mut tx, batch, &mut verdicts).await?;
    let (events, effects) = (std::mem::take(&mut tx.events), std::mem::take(&mut tx.effects));
    let verdicts: Vec<Verdict> = verdicts.into_iter().map(|v| v.unwrap_or(Verdict::Unclaimed)).collect();
    if verdicts.iter().any(|v| matches!(v, Verdict::RefusedAfterWrite(_))) {
        transaction.rollback().await?;
        context.db.hold(connection);
        return Ok((verdicts, None));
    }
    let answers = if is_due { AnswerRows::default() } else { answer_rows(batch, &verdicts, &secret_repeats)? };
    let committed = write(&mut transaction, answers, &events, effects, confirmed).await?;
    crate::fail_point("lane.before_commit");
    transaction.commit().await?;
    context.db.hold(connection);
    crate::fail_point("lane.after_commit");
    Ok((verdicts, Some(committed)))
}

/// Runs the handler of the batch's operation on the items that have no verdict yet.
async fn decide(tx: &mut Tx<'_>, batch: &[CommandItem], verdicts: &mut [Option<Verdict>]) -> Result<(), Breakage> {
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
            Err(refusal) => verdicts[index] = Some(refused(refusal.clone())),
        }
    }
    let Some(route) = members.first().map(|index| &batch[*index].route) else { return Ok(()) };
    let outcomes = route.handler.run(tx, &commands).await?;
    for (index, outcome) in members.into_iter().zip(outcomes) {
        verdicts[index] = Some(match outcome {
            Outcome::Reply(body) => Verdict::Answered(LaneReply::Reply { body, replayed: false }),
            Outcome::Refused(body) => refused(body),
            Outcome::RefusedAfterWrite(body) => Verdict::RefusedAfterWrite(body),
            Outcome::Stale => Verdict::Answered(LaneReply::Stale),
        });
    }
    Ok(())
}

fn refused(body: Box<ErrorBody>) -> Verdict {
    Verdict::Answered(LaneReply::Refused { body, replayed: false })
}
