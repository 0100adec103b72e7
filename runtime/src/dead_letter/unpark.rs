//! The second chance of an effect.

use sqlx::PgPool;

use super::{DeadLetter, Repeat};
use crate::failure::Breakage;

/// How it went.
pub(crate) enum Unparked {
    /// It may be performed again.
    Done,
    /// The same command has done it before, and its answer is kept.
    Before,
    /// It is not parked any more.
    Gone,
}

/// Lets a parked effect be performed again, by the same key as ever and with its attempts counted anew. That and the
/// answer of the command are one commit. Its place among the effects of its entity stays what it was.
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
