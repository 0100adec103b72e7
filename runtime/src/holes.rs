//! Holes in the own stream: messages that were deleted from its middle, or lost with a damaged block. The server counts
//! them, so more than were known are seen at once. A lost tail is another matter: see [`crate::tail`].

use async_nats::jetstream::stream::Stream;
use contract::Position;
use sqlx::PgPool;

use crate::{failure::Breakage, refill, tail};

/// Compares the number of holes with the known one, and begins a refill where there are more: down to what was in the
/// stream before the lowest of them.
pub(crate) async fn verify(pool: &PgPool, stream: &Stream) -> Result<(), Breakage> {
    let count = i64::try_from(stream.cached_info().state.deleted_count.unwrap_or(0)).map_err(Breakage::other)?;
    let known: i64 = sqlx::query_scalar("select count from stream_hole").fetch_one(pool).await?;
    if count == known {
        return Ok(());
    }
    // Asked before the transaction, which waits for nobody.
    let lowest = if count > known { Some(lowest(stream).await?) } else { None };
    let mut transaction = pool.begin().await?;
    // Of two nodes that see it, one begins.
    let is_first = sqlx::query("update stream_hole set count = $1 where count = $2")
        .bind(count)
        .bind(known)
        .execute(&mut *transaction)
        .await?
        .rows_affected()
        == 1;
    // Fewer: they have left at the stream's beginning, as everything does in time, or the stream was made anew.
    if let Some(lowest) = lowest.filter(|_| is_first) {
        tracing::warn!(stream = stream.cached_info().config.name, count, known, lowest, "the stream has lost messages");
        let floor = tail::floor_below(&mut transaction, lowest).await?;
        refill::begin(&mut *transaction, floor.unwrap_or(Position::START)).await?;
        // What was lost comes back at the end, so marks from here on no longer say what lies below them.
        tail::forget_above(&mut *transaction, lowest.saturating_sub(1)).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// The number of the first message that is missing, of all holes: those that were mended before moved what they had.
async fn lowest(stream: &Stream) -> Result<u64, Breakage> {
    let details = stream.info_builder().with_deleted(true).fetch().await.map_err(Breakage::other)?;
    let state = details.info.state;
    Ok(state.deleted.unwrap_or_default().into_iter().min().unwrap_or(state.first_sequence))
}
