//! Claims on command ids, and the answers stored under them.

use contract::{ErrorKind, Format};
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::{CommandItem, LaneReply, Verdict};
use crate::{failure::Breakage, lane::commit::AnswerRows};

/// A stored answer. `answer` is `None` if the operation keeps no answers.
pub(super) struct StoredAnswer {
    pub fingerprint: Vec<u8>,
    pub status: i16,
    pub answer: Option<Vec<u8>>,
}

pub(super) fn identity(item: &CommandItem) -> (&str, &str, Uuid) {
    (&item.caller_key, item.route.meta.operation, item.id)
}

/// Claims the ids that no other transaction holds, in a fixed order, and returns the database's time. Items that cannot
/// be claimed get the verdict `Unclaimed`.
pub(super) async fn claim(
    connection: &mut PgConnection,
    batch: &[CommandItem],
    verdicts: &mut [Option<Verdict>],
) -> Result<chrono::DateTime<chrono::Utc>, Breakage> {
    let mut locks: Vec<(i64, usize)> = batch
        .iter()
        .enumerate()
        .filter(|(index, _)| verdicts[*index].is_none())
        .map(|(index, item)| (lock_number(item), index))
        .collect();
    locks.sort_unstable();
    let rows = sqlx::query(
        "select pg_try_advisory_xact_lock(number) as claimed, now() as now
         from unnest($1::bigint[]) with ordinality as t(number, place) order by place",
    )
    .bind(locks.iter().map(|(number, _)| *number).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    let mut now = None;
    for (row, (_, index)) in rows.iter().zip(&locks) {
        now = Some(row.try_get("now")?);
        if !row.try_get::<bool, _>("claimed")? {
            verdicts[*index] = Some(Verdict::Unclaimed);
        }
    }
    now.ok_or_else(|| Breakage::other("a batch had nothing to claim"))
}

fn lock_number(item: &CommandItem) -> i64 {
    let name = format!("{}/{}", item.caller_key, item.route.meta.operation);
    crate::log::mark(Uuid::new_v5(&item.id, name.as_bytes()))
}

pub(super) async fn look_up(
    connection: &mut PgConnection,
    batch: &[CommandItem],
    verdicts: &[Option<Verdict>],
) -> Result<Vec<(usize, StoredAnswer)>, Breakage> {
    let asked: Vec<(usize, &CommandItem)> =
        batch.iter().enumerate().filter(|(index, _)| verdicts[*index].is_none()).collect();
    let rows = sqlx::query(
        "select place, fingerprint, status, answer
         from unnest($1::text[], $2::text[], $3::uuid[]) with ordinality as t(caller, operation, id, place)
         join command_log using (caller, operation, id)",
    )
    .bind(asked.iter().map(|(_, item)| item.caller_key.clone()).collect::<Vec<_>>())
    .bind(asked.iter().map(|(_, item)| item.route.meta.operation.to_owned()).collect::<Vec<_>>())
    .bind(asked.iter().map(|(_, item)| item.id).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let place = usize::try_from(row.try_get::<i64, _>("place")?).map_err(Breakage::other)?;
            let (index, _) = asked.get(place.saturating_sub(1)).ok_or_else(|| Breakage::other("no such place"))?;
            let stored = StoredAnswer {
                fingerprint: row.try_get("fingerprint")?,
                status: row.try_get("status")?,
                answer: row.try_get("answer")?,
            };
            Ok((*index, stored))
        })
        .collect()
}

/// Decodes a stored answer into the reply to a repeated command.
pub(crate) fn replay(status: i16, answer: Vec<u8>) -> Result<LaneReply, Breakage> {
    if status == 0 {
        return Ok(LaneReply::Reply { body: answer, replayed: true });
    }
    let body = Box::new(Format::MessagePack.decode(&answer).map_err(Breakage::other)?);
    Ok(LaneReply::Refused { body, replayed: true })
}

/// Whether a rejection is stored. A malformed or invalid body had no effect and its caller corrects it, so the id stays
/// free for the corrected command. The same holds for an unauthenticated caller, which may retry with a valid token.
fn is_kept(refusal: ErrorKind) -> bool {
    !matches!(refusal, ErrorKind::Malformed | ErrorKind::Invalid | ErrorKind::Unauthenticated)
}

/// The new command log rows for the answers of this batch, in a fixed order, so that concurrent inserts cannot
/// deadlock.
pub(super) fn answer_rows(
    batch: &[CommandItem],
    verdicts: &[Verdict],
    secret_repeats: &[usize],
) -> Result<AnswerRows, Breakage> {
    let mut new: Vec<(&CommandItem, i16, Option<Vec<u8>>)> = Vec::new();
    for (index, (item, verdict)) in batch.iter().zip(verdicts).enumerate() {
        if secret_repeats.contains(&index) {
            continue;
        }
        let (status, bytes) = match verdict {
            Verdict::Answered(LaneReply::Reply { body, replayed: false }) => (0, body.clone()),
            // If the operation keeps no answers, its rejections are not recorded: otherwise unauthenticated requests
            // with wrong passwords could fill the table.
            Verdict::Answered(LaneReply::Refused { body, replayed: false })
                if item.route.keeps_answer && is_kept(body.kind) =>
            {
                let status = i16::try_from(body.kind.status()).map_err(Breakage::other)?;
                (status, Format::MessagePack.encode(body).map_err(Breakage::other)?)
            }
            _ => continue,
        };
        new.push((item, status, item.route.keeps_answer.then_some(bytes)));
    }
    new.sort_by(|(a, ..), (b, ..)| identity(a).cmp(&identity(b)));
    let mut rows = AnswerRows::default();
    for (item, status, answer) in new {
        rows.callers.push(item.caller_key.clone());
        rows.operations.push(item.route.meta.operation.to_owned());
        rows.ids.push(item.id);
        rows.fingerprints.push(item.fingerprint.clone());
        rows.statuses.push(status);
        rows.answers.push(answer);
    }
    Ok(rows)
}
