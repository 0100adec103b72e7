//! Checkpoints of the domain's own stream. A server that crashes may lose the newest messages that it had confirmed,
//! and new messages then take the same sequence numbers, so neither a count nor a number looks wrong afterwards. A
//! checkpoint records which event has which sequence number, and the newest one is compared with the stream each
//! second. If it does not match, the log is republished down to the low watermark of the newest checkpoint that does.

use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use contract::{Position, header};
use sqlx::{PgConnection, PgExecutor, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{failure::Breakage, refill};

/// An event and its sequence number in the stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Confirmed {
    pub sequence: u64,
    pub event: Uuid,
}

/// A checkpoint as stored. `floor` is its low watermark.
struct Mark {
    confirmed: Confirmed,
    floor: Position,
}

/// What the stream holds at the sequence number of a checkpoint.
#[derive(PartialEq, Eq)]
enum Found {
    /// The event, or no message because the stream now starts above it.
    Stands,
    /// A gap: no message, while the stream continues above.
    Hole,
    /// Another event, or the stream ends below the number.
    Lost,
}

/// Writes a checkpoint, unless there is one with the same or a higher sequence number.
///
/// The low watermark is read in the same statement. Commits below it have left the outbox, so a checkpoint covers them.
/// That checkpoint is not higher than this one: outbox rows are deleted after their checkpoint is committed, so this
/// statement would see it. Transactions that have not committed yet lie at or above `pg_snapshot_xmin`. What a
/// republish has yet to publish lies at or above its own low watermark.
pub(crate) async fn mark(pool: &PgPool, newest: Confirmed) -> Result<(), Breakage> {
    let sql = "insert into stream_mark (sequence, event_id, floor_era, floor_xid)
         select $1, $2, lowest.era, lowest.xid from (
             (select era, xid from outbox order by era, xid limit 1)
             union all
             select coalesce((select era from era where started = pg_postmaster_start_time()), 0),
                    pg_snapshot_xmin(pg_current_snapshot())::text::bigint
             union all
             select floor_era, floor_xid from refill
             order by era, xid limit 1) as lowest
         where not exists (select 1 from stream_mark where sequence >= $1)
         on conflict do nothing";
    sqlx::query(sql).bind(number(newest.sequence)?).bind(newest.event).execute(pool).await?;
    // The checkpoints of an hour bound how far back a loss goes; a loss beyond them republishes the whole log.
    let sql = "delete from stream_mark where at < now() - interval '1 hour'
         and sequence <> (select max(sequence) from stream_mark)";
    sqlx::query(sql).execute(pool).await?;
    Ok(())
}

/// Compares the newest checkpoint with the stream, and starts a republish if the stream has lost it.
pub(crate) async fn verify(pool: &PgPool, stream: &Stream) -> Result<(), Breakage> {
    let row = sqlx::query("select * from stream_mark order by sequence desc limit 1").fetch_optional(pool).await?;
    let Some(newest) = row.map(|row| read(&row)).transpose()? else { return Ok(()) };
    match look(stream, newest.confirmed).await? {
        // The server counts gaps; `holes::verify` repairs them.
        Found::Stands | Found::Hole => return Ok(()),
        Found::Lost => {}
    }
    let rows = sqlx::query("select * from stream_mark order by sequence").fetch_all(pool).await?;
    let marks = rows.iter().map(read).collect::<Result<Vec<_>, Breakage>>()?;
    // The loss is at the end of the stream, so every checkpoint below it matches: a binary search finds the boundary.
    let (mut standing, mut end) = (0, marks.len());
    while standing < end {
        let middle = usize::midpoint(standing, end);
        match look(stream, marks[middle].confirmed).await? {
            Found::Stands => standing = middle + 1,
            Found::Hole | Found::Lost => end = middle,
        }
    }
    let last = standing.checked_sub(1).map(|index| &marks[index]);
    tracing::warn!(
        stream = stream.cached_info().config.name,
        newest = newest.confirmed.sequence,
        standing = last.map_or(0, |mark| mark.confirmed.sequence),
        "the stream has lost its tail"
    );
    refill::begin(pool, last.map_or(Position::START, |mark| mark.floor)).await?;
    // The republish is recorded first: if the node stops in between, the next check detects the loss again.
    forget_above(pool, last.map_or(0, |mark| mark.confirmed.sequence)).await
}

/// Deletes the checkpoints above a sequence number, which no longer match the stream.
pub(crate) async fn forget_above(executor: impl PgExecutor<'_>, sequence: u64) -> Result<(), Breakage> {
    sqlx::query("delete from stream_mark where sequence > $1").bind(number(sequence)?).execute(executor).await?;
    Ok(())
}

/// The low watermark of the newest checkpoint below a sequence number: all commits below it were in the stream below
/// that number. `None` without such a checkpoint.
pub(crate) async fn floor_below(connection: &mut PgConnection, sequence: u64) -> Result<Option<Position>, Breakage> {
    let row = sqlx::query("select * from stream_mark where sequence < $1 order by sequence desc limit 1")
        .bind(number(sequence)?)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| read(&row)).transpose()?.map(|mark| mark.floor))
}

async fn look(stream: &Stream, expected: Confirmed) -> Result<Found, Breakage> {
    let message = match stream.get_raw_message(expected.sequence).await {
        Ok(message) => message,
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
            let state = stream.get_info().await.map_err(Breakage::other)?.state;
            return Ok(if state.last_sequence < expected.sequence {
                Found::Lost
            } else if state.first_sequence > expected.sequence {
                Found::Stands
            } else {
                Found::Hole
            });
        }
        Err(error) => return Err(Breakage::other(error)),
    };
    let id = message.headers.get(header::CE_ID).and_then(|id| id.as_str().parse::<Uuid>().ok());
    Ok(if id == Some(expected.event) { Found::Stands } else { Found::Lost })
}

fn read(row: &PgRow) -> Result<Mark, Breakage> {
    let sequence = u64::try_from(row.try_get::<i64, _>("sequence")?).map_err(Breakage::other)?;
    let confirmed = Confirmed { sequence, event: row.try_get("event_id")? };
    Ok(Mark { confirmed, floor: Position { era: row.try_get("floor_era")?, xid: row.try_get("floor_xid")? } })
}

fn number(sequence: u64) -> Result<i64, Breakage> {
    i64::try_from(sequence).map_err(Breakage::other)
}
