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
    /// `Err` is a refusal from `prepare`: an answer only after the id was claimed and no other one found.
    pub prepared: Result<Erased, Box<ErrorBody>>,
    pub deadline: Instant,
    pub reply: oneshot::Sender<LaneReply>,
    pub permit: Option<OwnedSemaphorePermit>,
    /// A deadline that is over asks for it. What it names decides alone whether it still stands ([`crate::Due`]): no claim
    /// on its id, no stored answer.
    pub is_due: bool,
}

/// What becomes of a command in its lane.
pub(crate) enum LaneReply {
    /// A reply, in MessagePack.
    Reply { body: Vec<u8>, replayed: bool },
    /// A refusal.
    Refused { body: Box<ErrorBody>, replayed: bool },
    /// Prepare it again.
    Stale,
    /// Neither answer nor effect.
    Fault(Fault),
}

/// How an item of a batch goes on after the batch's transaction.
enum Verdict {
    Answered(LaneReply),
    /// Another transaction has it: try again by itself.
    Unclaimed,
    /// Refused after a write: nothing of the batch may stay.
    RefusedAfterWrite(Box<ErrorBody>),
}

/// How long an item that another transaction holds waits before it is tried again.
const CLAIM_PAUSE: Duration = Duration::from_millis(25);

/// Deadlines of one transaction: they need no locks but those of their rows.
const DUE_BATCH: usize = 512;

pub(super) async fn run(lanes: &Lanes, items: Vec<CommandItem>) {
    let mut work = batches(items, usize::MAX);
    while let Some(batch) = work.pop() {
        if let Some(committed) = run_batch(lanes, batch, &mut work).await {
            announce(&lanes.context, committed);
        }
    }
}

/// Deadlines that are over. All are acted on before the first is told of, unless something holds them up: what they cause
/// in other domains would compete with them for the processors.
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

/// The transactions that items make, the first one last. Each is of one operation and sorted by key, so that it locks the rows of
/// its entities in one order, as events do: two transactions do not wait for each other.
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

/// Answers what is too late: nobody waits for it any more, and a held row must not cost its lane more than that.
fn drop_late(context: &LaneContext, items: &mut Vec<CommandItem>) {
    let now = Instant::now();
    for item in items.extract_if(.., |item| item.deadline <= now) {
        answer(item, LaneReply::Fault(Fault::deadline(context.domain)));
    }
}

/// Runs a batch until it is committed or cut; what is cut off goes back onto `work`. Gives what was committed.
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

/// Takes the item that was refused after a write out of its batch. Alone it runs once more, for its neighbours may have
/// been the reason; refused again, only its refusal stands.
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
    // The caller may be gone: the effect and the stored answer stand all the same.
    drop(item.reply.send(reply));
}

/// One transaction over a batch. Without a write there is nothing to commit.
async fn transact(
    context: &LaneContext,
    batch: &[CommandItem],
    confirmed: &[contract::Position],
) -> Result<(Vec<Verdict>, Option<Committed>), Breakage> {
    let mut connection = context.db.lane().await?;
    let mut transaction = connection.begin().await?;
    let mut verdicts: Vec<Option<Verdict>> = batch.iter().map(|_| None).collect();

    // The same id twice in a batch: one runs, the other comes again and finds its answer.
    let mut first_of: HashMap<(&str, &str, Uuid), usize> = HashMap::new();
    for (index, item) in batch.iter().enumerate() {
        if *first_of.entry(identity(item)).or_insert(index) != index {
            verdicts[index] = Some(Verdict::Unclaimed);
        }
    }
    // A batch is of one kind, for deadlines have a queue of their own.
    let is_due = batch.iter().all(|item| item.is_due);
    let (now, stored) = if is_due {
        (sqlx::query_scalar("select now()").fetch_one(&mut *transaction).await?, Vec::new())
    } else {
        let now = claim(&mut transaction, batch, &mut verdicts).await?;
        // A statement of its own: the one that took the locks has a snapshot from before they were held.
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

/// Runs the handler of the batch's operation.
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
