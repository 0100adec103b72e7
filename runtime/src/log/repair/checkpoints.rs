//! Checkpoints of the domain's own stream. A server that crashes may lose the newest messages that it had confirmed,
//! and new messages then take the same sequence numbers, so neither a count nor a number looks wrong afterwards. A
//! checkpoint records which event has which sequence number, and the newest one is compared with the stream each
//! second. If it does not match, the log is republished down to the low watermark of the newest checkpoint that does.

use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use contract::Position;
use sqlx::{PgConnection, PgExecutor, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{
    error::InternalError,
    log::{message::head_of, repair::republish},
};

/// An event and its sequence number in the stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Confirmed {
    pub sequence: u64,
    pub event: Uuid,
}

/// A checkpoint as stored.
struct Checkpoint {
    confirmed: Confirmed,
    low_watermark: Position,
}

/// What the stream holds at the sequence number of a checkpoint.
#[derive(PartialEq, Eq)]
enum Found {
    /// The event, or no message because the stream now starts above it.
    Stands,
    /// A gap: no message, while the stream continues above.
    Gap,
    /// Another event, or the stream ends below the number.
    Lost,
}

/// Writes a checkpoint, unless there is one with the same or a higher sequence number.
///
/// The low watermark is read in the same statement. Commits below it have left the outbox, so a checkpoint covers them.
/// That checkpoint is not higher than this one: outbox rows are deleted after their checkpoint is committed, so this
/// statement would see it. Transactions that have not committed yet lie at or above `pg_snapshot_xmin`. What a
/// republish has yet to publish lies at or above its own low watermark.
pub(crate) async fn record(pool: &PgPool, newest: Confirmed) -> Result<(), InternalError> {
    let sql = "insert into stream_checkpoint (sequence, event_id, low_watermark_epoch, low_watermark_xid)
         select $1, $2, lowest.epoch, lowest.xid from (
             (select epoch, xid from outbox order by epoch, xid limit 1)
             union all
             select coalesce((select epoch from epoch where started = pg_postmaster_start_time()), 0),
                    pg_snapshot_xmin(pg_current_snapshot())::text::bigint
             union all
             select low_watermark_epoch, low_watermark_xid from republish
             order by epoch, xid limit 1) as lowest
         where not exists (select 1 from stream_checkpoint where sequence >= $1)
         on conflict do nothing";
    sqlx::query(sql).bind(number(newest.sequence)?).bind(newest.event).execute(pool).await?;
    // The checkpoints of an hour bound how far back a loss goes; a loss beyond them republishes the whole log.
    let sql = "delete from stream_checkpoint where at < now() - interval '1 hour'
         and sequence <> (select max(sequence) from stream_checkpoint)";
    sqlx::query(sql).execute(pool).await?;
    Ok(())
}

/// Compares the newest checkpoint with the stream, and starts a republish if the stream has lost it.
pub(crate) async fn verify(pool: &PgPool, stream: &Stream) -> Result<(), InternalError> {
    let row =
        sqlx::query("select * from stream_checkpoint order by sequence desc limit 1").fetch_optional(pool).await?;
    let Some(newest) = row.map(|row| read(&row)).transpose()? else { return Ok(()) };
    match compare(stream, newest.confirmed).await? {
        // The server counts gaps; `gaps::verify` repairs them.
        Found::Stands | Found::Gap => return Ok(()),
        Found::Lost => {}
    }
    let rows = sqlx::query("select * from stream_checkpoint order by sequence").fetch_all(pool).await?;
    let checkpoints = rows.iter().map(read).collect::<Result<Vec<_>, InternalError>>()?;
    // The loss is at the end of the stream, so every checkpoint below it matches: a binary search finds the boundary.
    let (mut standing, mut end) = (0, checkpoints.len());
    while standing < end {
        let middle = usize::midpoint(standing, end);
        match compare(stream, checkpoints[middle].confirmed).await? {
            Found::Stands => standing = middle + 1,
            Found::Gap | Found::Lost => end = middle,
        }
    }
    let last = standing.checked_sub(1).map(|index| &checkpoints[index]);
    tracing::warn!(
        stream = stream.cached_info().config.name,
        newest = newest.confirmed.sequence,
        standing = last.map_or(0, |checkpoint| checkpoint.confirmed.sequence),
        "stream has lost its newest messages"
    );
    republish::begin(pool, last.map_or(Position::START, |checkpoint| checkpoint.low_watermark)).await?;
    // The republish is recorded first: if the node stops in between, the next check detects the loss again.
    delete_above(pool, last.map_or(0, |checkpoint| checkpoint.confirmed.sequence)).await
}

/// Deletes the checkpoints above a sequence number, which no longer match the stream.
pub(crate) async fn delete_above(executor: impl PgExecutor<'_>, sequence: u64) -> Result<(), InternalError> {
    sqlx::query("delete from stream_checkpoint where sequence > $1").bind(number(sequence)?).execute(executor).await?;
    Ok(())
}

/// The low watermark of the newest checkpoint below a sequence number: all commits below it were in the stream below
/// that number. `None` without such a checkpoint.
pub(crate) async fn low_watermark_below(
    connection: &mut PgConnection,
    sequence: u64,
) -> Result<Option<Position>, InternalError> {
    let row = sqlx::query("select * from stream_checkpoint where sequence < $1 order by sequence desc limit 1")
        .bind(number(sequence)?)
        .fetch_optional(connection)
        .await?;
    Ok(row.map(|row| read(&row)).transpose()?.map(|checkpoint| checkpoint.low_watermark))
}

async fn compare(stream: &Stream, expected: Confirmed) -> Result<Found, InternalError> {
    let message = match stream.get_raw_message(expected.sequence).await {
        Ok(message) => message,
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => {
            let state = stream.get_info().await.map_err(InternalError::other)?.state;
            return Ok(if state.last_sequence < expected.sequence {
                Found::Lost
            } else if state.first_sequence > expected.sequence {
                Found::Stands
            } else {
                Found::Gap
            });
        }
        Err(error) => return Err(InternalError::other(error)),
    };
    let id = head_of(&message.headers).map(|head| head.id);
    Ok(if id == Some(expected.event) { Found::Stands } else { Found::Lost })
}

fn read(row: &PgRow) -> Result<Checkpoint, InternalError> {
    let sequence = u64::try_from(row.try_get::<i64, _>("sequence")?).map_err(InternalError::other)?;
    let confirmed = Confirmed { sequence, event: row.try_get("event_id")? };
    Ok(Checkpoint {
        confirmed,
        low_watermark: Position { epoch: row.try_get("low_watermark_epoch")?, xid: row.try_get("low_watermark_xid")? },
    })
}

fn number(sequence: u64) -> Result<i64, InternalError> {
    i64::try_from(sequence).map_err(InternalError::other)
}
