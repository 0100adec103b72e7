//! The tail of the own stream. A server that dies may lose the newest messages it had confirmed, and new ones then take
//! the same numbers: no count and no number looks wrong afterwards. So marks are kept, which event stands at which
//! number, and the newest is compared each second. Where it does not stand, the stream is filled again from the log,
//! down to the floor of the newest mark that does.

use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use contract::{Position, header};
use sqlx::{PgConnection, PgExecutor, PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{failure::Breakage, refill};

/// An event, and its number in the stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Confirmed {
    pub sequence: u64,
    pub event: Uuid,
}

/// A mark, as it was written.
struct Mark {
    confirmed: Confirmed,
    floor: Position,
}

/// What the stream has at a mark's number.
#[derive(PartialEq, Eq)]
enum Found {
    /// The event; or nothing any more, for the stream begins above it.
    Stands,
    /// Nothing, while the stream goes on above.
    Hole,
    /// Another event, or the stream ends below it.
    Lost,
}

/// Writes a mark, unless a higher one says as much already.
///
/// The floor is read in the same statement. What is below it has left the outbox, so a mark covers it, and it is not
/// higher than this one, or that one would be seen here: outbox rows are deleted after their mark is committed. What has
/// not committed yet lies above `pg_snapshot_xmin`. What a refill still has to bring lies above its own floor.
pub(crate) async fn mark(pool: &PgPool, newest: Confirmed) -> Result<(), Breakage> {
    sqlx::query(
        "insert into stream_mark (sequence, event_id, floor_era, floor_xid)
         select $1, $2, lowest.era, lowest.xid from (
             (select era, xid from outbox order by era, xid limit 1)
             union all
             select coalesce((select era from era where started = pg_postmaster_start_time()), 0),
                    pg_snapshot_xmin(pg_current_snapshot())::text::bigint
             union all
             select floor_era, floor_xid from refill
             order by era, xid limit 1) as lowest
         where not exists (select 1 from stream_mark where sequence >= $1)
         on conflict do nothing",
    )
    .bind(number(newest.sequence)?)
    .bind(newest.event)
    .execute(pool)
    .await?;
    // An hour of them tells how far back a loss goes; beyond that all is filled again.
    sqlx::query(
        "delete from stream_mark where at < now() - interval '1 hour'
         and sequence <> (select max(sequence) from stream_mark)",
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// Compares the newest mark with the stream, and begins a refill where the stream has lost it.
pub(crate) async fn verify(pool: &PgPool, stream: &Stream) -> Result<(), Breakage> {
    let row = sqlx::query("select * from stream_mark order by sequence desc limit 1").fetch_optional(pool).await?;
    let Some(newest) = row.map(|row| read(&row)).transpose()? else { return Ok(()) };
    match look(stream, newest.confirmed).await? {
        // A hole is counted by the server, and mended by that.
        Found::Stands | Found::Hole => return Ok(()),
        Found::Lost => {}
    }
    let rows = sqlx::query("select * from stream_mark order by sequence").fetch_all(pool).await?;
    let marks = rows.iter().map(read).collect::<Result<Vec<_>, Breakage>>()?;
    // What was lost is the end: below it every mark stands.
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
    // Written down first: who dies in between finds the loss once more.
    forget_above(pool, last.map_or(0, |mark| mark.confirmed.sequence)).await
}

/// Forgets marks that speak of what the stream does not have any more.
pub(crate) async fn forget_above(executor: impl PgExecutor<'_>, sequence: u64) -> Result<(), Breakage> {
    sqlx::query("delete from stream_mark where sequence > $1").bind(number(sequence)?).execute(executor).await?;
    Ok(())
}

/// Everything below it is in the stream below a number, where a mark says so.
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
