//! Gaps in the domain's own stream: messages that were deleted from its middle, or lost with a damaged block. The
//! server counts them, so a count above the known one shows a new gap at once. A loss at the end of the stream does not
//! show in the count: see [`crate::log::repair::checkpoints`].

use async_nats::jetstream::stream::Stream;
use contract::Position;
use sqlx::PgPool;

use crate::{
    error::InternalError,
    log::repair::{checkpoints, republish},
};

/// Compares the number of gaps with the known one. If there are more, starts a republish, down to the low watermark of
/// the newest checkpoint below the lowest gap.
pub(crate) async fn verify(pool: &PgPool, stream: &Stream) -> Result<(), InternalError> {
    let count = i64::try_from(stream.cached_info().state.deleted_count.unwrap_or(0)).map_err(InternalError::other)?;
    let known: i64 = sqlx::query_scalar("select count from stream_gap").fetch_one(pool).await?;
    if count == known {
        return Ok(());
    }
    // Read before the transaction, which must not wait for the server.
    let lowest = if count > known { Some(lowest(stream).await?) } else { None };
    let mut transaction = pool.begin().await?;
    // If two nodes detect the gap, one starts the republish.
    let is_first = sqlx::query("update stream_gap set count = $1 where count = $2")
        .bind(count)
        .bind(known)
        .execute(&mut *transaction)
        .await?
        .rows_affected()
        == 1;
    // If there are fewer, they have expired from the beginning of the stream, or the stream was created again.
    if let Some(lowest) = lowest.filter(|_| is_first) {
        tracing::warn!(stream = stream.cached_info().config.name, count, known, lowest, "stream has lost messages");
        let low_watermark = checkpoints::low_watermark_below(&mut transaction, lowest).await?;
        republish::begin(&mut *transaction, low_watermark.unwrap_or(Position::START)).await?;
        // Republished messages are appended at the end, so checkpoints above the gap no longer cover what lies below
        // them.
        checkpoints::delete_above(&mut *transaction, lowest.saturating_sub(1)).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// The sequence number of the first missing message, of all gaps: messages of gaps that were repaired earlier are now
/// further up in the stream.
async fn lowest(stream: &Stream) -> Result<u64, InternalError> {
    let details = stream.info_builder().with_deleted(true).fetch().await.map_err(InternalError::other)?;
    let state = details.info.state;
    Ok(state.deleted.unwrap_or_default().into_iter().min().unwrap_or(state.first_sequence))
}
