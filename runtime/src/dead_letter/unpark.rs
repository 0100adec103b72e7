//! Redrives of effects.

use sqlx::PgPool;

use super::{DeadLetter, Repeat};
use crate::failure::Breakage;

/// The outcome of a redrive.
pub(crate) enum Unparked {
    /// The effect may be performed again.
    Done,
    /// The same command was handled before, and its answer is stored.
    Before,
    /// The effect is no longer dead-lettered.
    Gone,
}

/// Makes a dead-lettered effect due again, with the same idempotency key and its attempts reset to zero. This and the
/// answer of the command are one commit. The effect keeps its place among the effects of its entity.
pub(crate) async fn unpark(
    pool: &PgPool,
    letter: &DeadLetter,
    repeat: Option<&Repeat<'_>>,
) -> Result<Unparked, Breakage> {
    let mut transaction = pool.begin().await?;
    if let Some(repeat) = repeat
        && !repeat.remember(&mut *transaction, letter).await?
    {
        transaction.rollback().await?;
        return Ok(Unparked::Before);
    }
    let unparked = sqlx::query(
        "update effect set parked_at = null, attempts = 0, unfinished = 0, next_at = clock_timestamp()
         where id = $1 and parked_at is not null",
    )
    .bind(letter.id)
    .execute(&mut *transaction)
    .await?;
    if unparked.rows_affected() == 0 {
        transaction.rollback().await?;
        return Ok(Unparked::Gone);
    }
    transaction.commit().await?;
    Ok(Unparked::Done)
}
